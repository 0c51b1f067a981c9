"""Structural similarity of 8-bit pictures: SSIM and MS-SSIM."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import UsageError

WINDOW_SIDE = 11
WINDOW_SIGMA = 1.5
STRIP = 48
"""Rows or columns of means that are made at once: few, for a processor's cache, and for a band with few zeros."""
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
SMALLEST_MS_SSIM_SIDE = WINDOW_SIDE << (len(SCALE_WEIGHTS) - 1)  # the window must fit into the coarsest scale

_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2


def ssim(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float | None:
    """Mean structural similarity, over the channels and every place where the whole window fits.

    Args:
        first: (rows, columns) or (rows, columns, channels) uint8.
        second: the same shape.

    Returns:
        At most 1, for equal pictures; None where a side is shorter than the window's 11 pixels.

    Raises:
        UsageError: shapes or types that cannot be compared.

    Source:
        Wang, Bovik, Sheikh, Simoncelli: Image quality assessment, IEEE TIP 13 (2004): a Gaussian window of 11×11
        pixels with σ = 1.5, K1 = 0.01, K2 = 0.03, population statistics.
    """
    _check(first, second)
    if min(first.shape[:2]) < WINDOW_SIDE:
        return None
    _, whole = _terms(_planes(first), _planes(second))
    return float(whole.mean())


def ms_ssim(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float | None:
    """Multi-scale structural similarity over five scales, each channel by itself, then their mean.

    Args:
        first: (rows, columns) or (rows, columns, channels) uint8.
        second: the same shape.

    Returns:
        0 to 1; None where a side is shorter than `SMALLEST_MS_SSIM_SIDE`.

    Raises:
        UsageError: shapes or types that cannot be compared.

    Source:
        Wang, Simoncelli, Bovik: Multi-scale structural similarity for image quality assessment, Asilomar 2003, with
        the weights of its section 3.2. Scales are means of 2×2 pixels; negative contrast terms, whose powers would
        not be real, count as 0.
    """
    _check(first, second)
    if min(first.shape[:2]) < SMALLEST_MS_SSIM_SIDE:
        return None
    one, other = _planes(first), _planes(second)
    product = np.ones(len(one))
    for scale, weight in enumerate(SCALE_WEIGHTS):
        contrast, whole = _terms(one, other)
        is_last = scale == len(SCALE_WEIGHTS) - 1
        product *= np.maximum(whole if is_last else contrast, 0) ** weight
        if not is_last:
            one, other = _halved(one), _halved(other)
    return float(product.mean())


def _check(first: NDArray[Any], second: NDArray[Any]) -> None:
    if first.shape != second.shape or first.ndim not in (2, 3):
        raise UsageError(f"pictures of one shape are compared, not {first.shape} and {second.shape}")
    if first.dtype != np.uint8 or second.dtype != np.uint8:
        raise UsageError(f"8-bit pictures are compared, not {first.dtype} and {second.dtype}")


def _planes(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(channels, rows, columns) float32."""
    values = pixels[:, :, None] if pixels.ndim == 2 else pixels
    return np.ascontiguousarray(values.transpose(2, 0, 1), dtype=np.float32)


def _terms(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means of the contrast-structure term, and of its product with the luminance term, (channels,) each."""
    channels, rows, columns = first.shape
    height, width = rows - WINDOW_SIDE + 1, columns - WINDOW_SIDE + 1
    contrast, whole = np.zeros(channels), np.zeros(channels)
    for channel in range(channels):
        for top in range(0, height, STRIP):
            reached = slice(top, min(top + STRIP, height) + WINDOW_SIDE - 1)
            luminance, structure = _strip_terms(first[channel, reached], second[channel, reached])
            contrast[channel] += structure.sum(dtype=np.float64)
            whole[channel] += np.multiply(luminance, structure, out=luminance).sum(dtype=np.float64)
    return contrast / (height * width), whole / (height * width)


def _strip_terms(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The luminance term and the contrast-structure term of some rows, (rows - 10, columns - 10)."""
    # Centred values keep the variances, differences of large squares, exact to about 1e-3 of 65025 in float32.
    one, other = first - np.float32(127.5), second - np.float32(127.5)
    mean_one, mean_other, squares, product = _window(np.stack([one, other, one * one + other * other, one * other]))
    variances = squares - mean_one * mean_one - mean_other * mean_other
    covariance = product - mean_one * mean_other
    mean_one, mean_other = mean_one + np.float32(127.5), mean_other + np.float32(127.5)
    luminance: NDArray[np.float32] = (2 * mean_one * mean_other + _C1) / (mean_one**2 + mean_other**2 + _C1)
    structure: NDArray[np.float32] = (2 * covariance + _C2) / (variances + _C2)
    return luminance, structure


def _window(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weighted means under the Gaussian window, where it fits whole: products with parts of a banded matrix."""
    down = _band(maps.shape[1] - WINDOW_SIDE + 1) @ maps
    width = maps.shape[2] - WINDOW_SIDE + 1
    means = np.empty((*down.shape[:2], width), np.float32)
    for left in range(0, width, STRIP):
        right = min(left + STRIP, width)
        np.matmul(down[:, :, left : right + WINDOW_SIDE - 1], _band(right - left).T, out=means[:, :, left:right])
    return means


@cache
def _band(places: int) -> NDArray[np.float32]:
    """(places, places + WINDOW_SIDE - 1): each row the window, one value further to the right."""
    half = WINDOW_SIDE // 2
    weights = np.exp(-(np.arange(-half, half + 1) ** 2) / (2 * WINDOW_SIGMA**2))
    weights /= weights.sum()
    band = np.zeros((places, places + WINDOW_SIDE - 1), np.float32)
    for row in range(places):
        band[row, row : row + WINDOW_SIDE] = weights
    return band


def _halved(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 2×2 pixels; an odd last row or column is left out."""
    rows, columns = planes.shape[1] // 2 * 2, planes.shape[2] // 2 * 2
    pairs = planes[:, 0:rows:2, :columns] + planes[:, 1:rows:2, :columns]
    halves: NDArray[np.float32] = (pairs[:, :, ::2] + pairs[:, :, 1::2]) * np.float32(0.25)
    return halves
