"""Which quality of the latents gives a picture the SSIMULACRA2 that is asked for.

What a picture comes to at one trade of bits and errors differs by thirty points between pictures, and its activity or
its rate tell a third of that. So a sample of it is coded once and looked at: see docs/decisions/0017.

    picture --> sample of 192 x 192 --> coded at PROBED_QUALITY --> its score --> table --> quality of the latents
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import FormatError
from isthmus.values import QUALITIES

PROBED_QUALITY = 24
"""Of the latents: photographs reach a SSIMULACRA2 of 30 to 70 with it, where scores tell most of all others."""
SAMPLE_SIDE, WINDOW = 192, 64
"""Of the sample, and of the windows that it is put together of, in pixels."""
ASKED = (30, 40, 50, 60, 70, 80, 90)
"""Qualities that are scores of SSIMULACRA2; below and above they lead straight to the ends of what the model has."""
SCORES = (-10, 10, 30, 50, 70, 90)
"""Of the sample."""
USUAL_SCORE = 50
"""Of pictures that are too small for one."""


def sample(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Windows spread evenly over a picture, side by side; a whole picture that is no larger than the sample.

    Args:
        pixels: (rows, columns, channels) uint8.

    Returns:
        The same, each side at most SAMPLE_SIDE.
    """
    rows, columns = (_places(length) for length in pixels.shape[:2])
    return np.ascontiguousarray(pixels[rows][:, columns])


def _places(length: int) -> NDArray[np.intp]:
    """The rows, or columns, of the sample."""
    if length <= SAMPLE_SIDE:
        return np.arange(length)
    count = SAMPLE_SIDE // WINDOW
    starts = (np.arange(count) + 0.5) * length / count - WINDOW / 2
    return (starts.astype(np.intp)[:, None] + np.arange(WINDOW)).ravel()  # (count, WINDOW) -> (SAMPLE_SIDE,)


@dataclass(frozen=True)
class QualityMap:
    """The table of a model.

    Attributes:
        table: (ASKED, SCORES) float32: qualities of the latents, rising with what is asked.

    Raises:
        FormatError: not rising between 1 and 100.
    """

    table: NDArray[np.float32]

    def __post_init__(self) -> None:
        around = np.pad(self.table, ((1, 1), (0, 0)), constant_values=((1, QUALITIES), (0, 0)))
        if not np.all(np.diff(around, axis=0) > 0):  # so it holds no NaN either
            raise FormatError("the model's array quality_map does not rise between 1 and 100")

    def quality(self, asked: float, score: float) -> float:
        """The quality of the latents, 1 to 100, rising with `asked`.

        Args:
            asked: 1 to 100.
            score: of the sample at PROBED_QUALITY.
        """
        row = [float(np.interp(score, SCORES, values)) for values in self.table]
        return float(np.interp(asked, (1, *ASKED, QUALITIES), (1, *row, QUALITIES)))
