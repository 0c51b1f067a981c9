"""SSIMULACRA2, a perceptual score of compression artefacts, as the `ssimulacra2` package computes it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SMALLEST_SIDE = 8


def ssimulacra2(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float | None:
    """The score of a distorted picture against its original.

    Args:
        first: the original, (rows, columns) grey or (rows, columns, 3) RGB, uint8, taken as sRGB.
        second: the distorted picture, of the same shape.

    Returns:
        100 for equal pictures, about 90 for no visible difference, below 0 for very low quality; None where a side
        is shorter than `SMALLEST_SIDE`.

    Source:
        Sneyers: SSIMULACRA 2, https://github.com/cloudinary/ssimulacra2
    """
    from ssimulacra2 import compute_ssimulacra2

    if min(first.shape[:2]) < SMALLEST_SIDE:
        return None
    return float(compute_ssimulacra2(_file(first), _file(second)))


def _file(pixels: NDArray[Any]) -> io.BytesIO:
    """The package reads files: an uncompressed one in memory."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "BMP")
    return out
