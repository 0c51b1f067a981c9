"""Which pictures of an epoch each of several processes learns from."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def own_part(order: Tensor, *, rank: int, processes: int) -> Tensor:
    """One process's part of an epoch.

    Batches of B pictures of every part together are the batches of B x `processes` pictures of the whole order, so
    that several processes take the steps that one would take with larger batches.

    Args:
        order: (count,) integers: the epoch's pictures in the order of one process.
        rank: of the process, from 0.
        processes: how many there are.

    Returns:
        (ceil(count / processes),) integers: no picture is in two parts, but for the first ones of the order, which
        stand at its end again where it does not divide.
    """
    if processes == 1:
        return order
    short = -len(order) % processes
    return torch.cat([order, order[torch.arange(short, device=order.device) % len(order)]])[rank::processes]


def steps_per_epoch(count: int, batch: int, *, processes: int) -> int:
    """Steps over `count` pictures, where each process takes batches of `batch`."""
    return math.ceil(math.ceil(count / processes) / batch)
