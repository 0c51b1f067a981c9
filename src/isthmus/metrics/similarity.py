"""Structural similarity of 8-bit pictures: SSIM and MS-SSIM. Both need the `evaluate` extra."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import UsageError

WINDOW_SIDE = 11
WINDOW_SIGMA = 1.5
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
    luminance, contrast = _channel_means(_planes(first), _planes(second))
    return float(np.mean(luminance * contrast, axis=(1, 2)).mean())


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
        luminance, contrast = _channel_means(one, other)
        is_last = scale == len(SCALE_WEIGHTS) - 1
        term = np.mean(luminance * contrast if is_last else contrast, axis=(1, 2))
        product *= np.maximum(term, 0) ** weight
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


def _channel_means(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The luminance term and the contrast-structure term, (channels, rows - 10, columns - 10)."""
    # Centred values keep the variances, differences of large squares, exact to about 1e-3 of 65025 in float32.
    one, other = first - 127.5, second - 127.5
    mean_one, mean_other = _window(one), _window(other)
    variances = _window(one * one + other * other) - mean_one * mean_one - mean_other * mean_other
    covariance = _window(one * other) - mean_one * mean_other
    mean_one, mean_other = mean_one + 127.5, mean_other + 127.5
    luminance: NDArray[np.float32] = (2 * mean_one * mean_other + _C1) / (mean_one**2 + mean_other**2 + _C1)
    structure: NDArray[np.float32] = (2 * covariance + _C2) / (variances + _C2)
    return luminance, structure


def _window(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weighted means under the Gaussian window, where it fits whole."""
    from scipy.ndimage import correlate1d

    half = WINDOW_SIDE // 2
    weights = np.exp(-(np.arange(-half, half + 1) ** 2) / (2 * WINDOW_SIGMA**2))
    weights /= weights.sum()
    rows = correlate1d(planes, weights, axis=1)[:, half:-half]
    means: NDArray[np.float32] = correlate1d(rows, weights, axis=2)[:, :, half:-half]
    return means


def _halved(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 2×2 pixels; an odd last row or column is left out."""
    channels, rows, columns = planes.shape
    even = planes[:, : rows // 2 * 2, : columns // 2 * 2]
    # (channels, rows / 2, 2, columns / 2, 2)
    halves: NDArray[np.float32] = even.reshape(channels, rows // 2, 2, columns // 2, 2).mean(axis=(2, 4))
    return halves
