"""Weights in few bits: multiples of a power of two in each row, so that a model file, which is deflated, is small.

Engines compute in float32 as ever, and nothing else has to know of it.
"""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def round_weights(network: nn.Module, bits: int) -> None:
    """Leave so many bits of each weight, sign included, in matrices and kernels; biases stay as they are.

    Args:
        network: with linear layers and convolutions.
        bits: 2 to 16; 0 leaves all of float32.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> layer.weight.data = torch.tensor([[1.0, 0.3]])
        >>> round_weights(layer, 4)
        >>> layer.weight.tolist()
        [[1.0, 0.25]]
    """
    if bits == 0:
        return
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            rows = layer.weight.flatten(1)
            largest = rows.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
            unit = torch.exp2(torch.ceil(torch.log2(largest / (2 ** (bits - 1) - 1))))
            layer.weight.copy_((torch.round(rows / unit) * unit).view_as(layer.weight))
