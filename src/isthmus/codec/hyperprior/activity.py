"""How busy a picture is: what decides how well errors hide in it, and how many bits it takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LINES = 64
"""About so many rows, and so many columns, are looked at."""


def activity(pixels: NDArray[np.uint8]) -> float:
    """Mean difference of neighbouring values along rows and columns, in grey levels; 0 where there are no neighbours.

    Args:
        pixels: (rows, columns, channels).
    """
    rows, columns = pixels.shape[:2]
    some_rows = pixels[:: max(1, rows // LINES)].astype(np.int16)
    some_columns = pixels[:, :: max(1, columns // LINES)].astype(np.int16)
    differences = np.abs(np.diff(some_rows, axis=1)), np.abs(np.diff(some_columns, axis=0))
    count = sum(part.size for part in differences)
    return float(sum(int(part.sum(dtype=np.int64)) for part in differences)) / max(1, count)
