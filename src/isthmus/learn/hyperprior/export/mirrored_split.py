"""The graph of a split from 1/16 to 1/8 that a mirror leaves as it is: half of the products, and their sums.

A latent that a mirror of rows leaves alone gives the upper and the lower of two positions the same, one whose sign it
turns the opposite: but for what the mirror does to the outputs themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isthmus.learn.export.graph_builder import GraphBuilder


def mirrored_split(
    builder: GraphBuilder, halves: Sequence[str], turns: NDArray[np.bool_], matrix: NDArray[np.float32],
    bias: NDArray[np.float32],
) -> tuple[str, str]:  # fmt: skip
    """The upper and the lower positions.

    Args:
        builder: of the graph.
        halves: (1, rows, columns, some) each: the latents that the mirror leaves alone, and those that it turns.
        turns: (latents,) which those are.
        matrix: (outputs, 2, 2, latents); the middle axes are rows and columns. The lower ones' are not looked at: they
            are the upper ones', with their signs turned for latents that turn.
        bias: (outputs, 2, 2).

    Returns:
        (1, rows, 2 columns, outputs) twice.
    """
    upper, lower = np.moveaxis(bias, (1, 2, 0), (0, 1, 2)).reshape(2, -1)
    parts = []
    shifts = (upper + lower) / np.float32(2), (upper - lower) / np.float32(2)
    for half, chosen, shift in zip(halves, (~turns, turns), shifts, strict=True):
        weight = np.moveaxis(matrix[:, 0], 1, 0)[:, :, chosen].reshape(-1, chosen.sum())
        parts.append(builder.matrix(half, weight, shift))
    wide = builder.constant(np.array([0, 0, -1, len(matrix)], np.int64))
    made = (builder.node("Reshape", builder.node(operator, *parts), wide) for operator in ("Add", "Sub"))
    upper_rows, lower_rows = made
    return upper_rows, lower_rows
