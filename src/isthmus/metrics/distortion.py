"""Mean squared error and PSNR."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def mse(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Mean squared difference over all values, in the arrays' units squared.

    Args:
        first: any shape and real type.
        second: the same shape.
    """
    difference = first.astype(np.float64) - second.astype(np.float64)
    return float(np.mean(difference * difference))


def psnr(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio of 8-bit pictures in dB over all channels; infinite where they are equal."""
    return psnr_of_mse(mse(first, second), peak=255.0)


def psnr_of_mse(error: float, *, peak: float) -> float:
    """10 log10(peak² / error) in dB; infinite for no error."""
    return math.inf if error == 0 else 10 * math.log10(peak * peak / error)
