"""Adaptive quantisation: busy pictures hide errors and take many bits, so they get a lower quality than smooth ones."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from isthmus.values import QUALITIES

LINES = 64
"""About so many rows, and so many columns, are looked at."""
USUAL_ACTIVITY = 4.0
"""Photographs of this activity get the quality that was asked for."""
LEAST_ACTIVITY = 0.01
QUALITY_PER_OCTAVE, MOST_SHIFT = 6.0, 12.0
"""By how much the quality rises where activity is half, and by how much at most."""


def activity(pixels: NDArray[np.uint8]) -> float:
    """Mean absolute difference of neighbouring values along rows and columns.

    Args:
        pixels: (rows, columns, channels) uint8.

    Returns:
        Grey levels; 0 where there are no neighbours.

    Example:
        >>> activity(np.array([[[0], [10]], [[0], [10]]], np.uint8))
        5.0
    """
    rows, columns = pixels.shape[:2]
    some_rows = pixels[:: max(1, rows // LINES)].astype(np.int16)
    some_columns = pixels[:, :: max(1, columns // LINES)].astype(np.int16)
    differences = np.abs(np.diff(some_rows, axis=1)), np.abs(np.diff(some_columns, axis=0))
    count = sum(part.size for part in differences)
    return float(sum(int(part.sum(dtype=np.int64)) for part in differences)) / max(1, count)


def adapt_quality(pixels: NDArray[np.uint8], quality: float) -> float:
    """The quality at which a picture is coded where `quality` is asked for (docs/decisions/0006).

    Args:
        pixels: (rows, columns, channels) uint8.
        quality: 1 to 100.

    Returns:
        1 to 100, rising with `quality`; equal to it at both ends, so that every quality can be had.
    """
    octaves = math.log2(USUAL_ACTIVITY / max(activity(pixels), LEAST_ACTIVITY))
    shift = max(-MOST_SHIFT, min(MOST_SHIFT, QUALITY_PER_OCTAVE * octaves))
    return quality + shift * 4 * (quality - 1) * (QUALITIES - quality) / (QUALITIES - 1) ** 2
