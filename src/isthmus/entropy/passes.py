"""The four passes in which latents are coded: one table that NumPy, PyTorch and the ONNX export all read.

The first channel group is coded in three passes: the positions whose row and column are even; those whose are odd,
which have four diagonal neighbours by then; and the rest, which have four direct ones. The fourth pass codes the second
channel group at all positions, from the first group at the same position. Sources: checkerboard contexts (He et al.
2021, arXiv 2103.15306), uneven channel groups (He et al. 2022, arXiv 2203.10886).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Position = tuple[int, int]
"""Row and column, each modulo 2."""


@dataclass(frozen=True)
class Pass:
    """What one pass codes, and from which decoded latents its scale indices and means are estimated.

    Attributes:
        name: of its network, in model files and in PyTorch.
        positions: those that it codes, in this order; empty: all of them.
        is_first_group: whether it codes the first channel group, which later passes read, or the second one.
        neighbours: (row, column) in a 3x3 kernel of the decoded latents of the first group that it reads; (1, 1) is
            the position itself. Empty: none.
        predicts_means: whether each mean is also predicted linearly from the same channel at the neighbours.
    """

    name: str
    positions: tuple[Position, ...]
    is_first_group: bool
    neighbours: tuple[Position, ...] = ()
    predicts_means: bool = False

    @property
    def network(self) -> str:
        """The two layers ("first_pass") that estimate scale indices and means."""
        return f"{self.name}_pass"

    @property
    def context(self) -> str | None:
        """The layer ("second_context") that reads the neighbours, or None."""
        return f"{self.name}_context" if self.neighbours else None

    @property
    def mean_predictor(self) -> str | None:
        """The depthwise layer ("second_mean_predictor") that predicts means, or None."""
        return f"{self.name}_mean_predictor" if self.predicts_means else None

    @property
    def layers(self) -> tuple[str, ...]:
        """The integer layers, in the order in which they are computed."""
        ends = (f"{self.network}.first", f"{self.network}.last")
        return *(name for name in (self.context, self.mean_predictor) if name is not None), *ends

    def channels(self, first_group: int) -> slice:
        """The channels that the pass codes, of latents whose first group has `first_group` channels."""
        return slice(0, first_group) if self.is_first_group else slice(first_group, None)

    def gather(self, grid: NDArray[Any]) -> NDArray[Any]:
        """What the pass codes: (channels, rows, columns) -> (channels, count), position by position, row by row."""
        if not self.positions:
            return grid.reshape(len(grid), -1)
        parts = [grid[:, row::2, column::2].reshape(len(grid), -1) for row, column in self.positions]
        return np.concatenate(parts, axis=1)

    def scatter(self, grid: NDArray[Any], values: NDArray[Any]) -> None:
        """`gather` backwards: (channels * count,) values into their places of the grid, in place."""
        channels, rows, columns = grid.shape
        if not self.positions:
            grid[:] = values.reshape(grid.shape)
            return
        parts = values.reshape(channels, len(self.positions), rows // 2, columns // 2)
        for index, (row, column) in enumerate(self.positions):
            grid[:, row::2, column::2] = parts[:, index]


DIAGONAL: tuple[Position, ...] = ((0, 0), (0, 2), (2, 0), (2, 2))
DIRECT: tuple[Position, ...] = ((0, 1), (1, 0), (1, 2), (2, 1))

PASSES = (
    Pass("first", ((0, 0),), is_first_group=True),
    Pass("second", ((1, 1),), is_first_group=True, neighbours=DIAGONAL, predicts_means=True),
    Pass("third", ((0, 1), (1, 0)), is_first_group=True, neighbours=DIRECT, predicts_means=True),
    Pass("fourth", (), is_first_group=False, neighbours=((1, 1),)),
)
HYPER_LAYERS = ("hyper.first", "hyper.second", "hyper.last")
LAYERS = (*HYPER_LAYERS, *(layer for one in PASSES for layer in one.layers))
"""All integer layers of an entropy model, by their names in model files."""
