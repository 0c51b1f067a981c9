"""SSIM and MS-SSIM against other implementations and their own definitions."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("skimage")
from skimage.metrics import structural_similarity

from isthmus.errors import UsageError
from isthmus.metrics.similarity import SMALLEST_MS_SSIM_SIDE, ms_ssim, ssim


def _pair(height: int, width: int, channels: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    rows, columns = np.mgrid[:height, :width]
    base = 127 + 90 * np.sin(rows / 17)[..., None] * np.cos(columns / 11)[..., None] * np.ones(channels)
    first = np.clip(base + random.normal(0, 12, base.shape), 0, 255).astype(np.uint8)
    second = np.clip(first + random.normal(0, noise, base.shape), 0, 255).astype(np.uint8)
    return first, second


@pytest.mark.parametrize("noise", [0.5, 6, 40])
@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_is_that_of_scikit_image(channels, noise):
    """With the settings of the 2004 paper, to 1e-4."""
    first, second = _pair(60, 71, channels, noise)
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    expected = structural_similarity(first, second, channel_axis=2, **settings)
    assert ssim(first, second) == pytest.approx(expected, abs=1e-4)


def test_equal_pictures_have_similarity_one():
    """In both metrics, grey without a channel axis too."""
    first, _ = _pair(180, 190, 1, 1)
    for metric in (ssim, ms_ssim):
        assert metric(first, first) == pytest.approx(1, abs=1e-6)
        assert metric(first[:, :, 0], first[:, :, 0]) == pytest.approx(1, abs=1e-6)


def test_ms_ssim_is_the_product_of_its_scales():
    """Computed once more, scale by scale, with scikit-image's full maps."""
    first, second = _pair(200, 216, 1, 25)
    one, other = first[:, :, 0].astype(float), second[:, :, 0].astype(float)
    expected = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        expected *= _term(one, other, with_luminance=scale == 4) ** weight
        one, other = (
            (x[: len(x) // 2 * 2 : 2] + x[1::2][: len(x) // 2])[:, : x.shape[1] // 2 * 2] for x in (one, other)
        )
        one, other = ((x[:, ::2] + x[:, 1::2]) / 4 for x in (one, other))
    assert ms_ssim(first, second) == pytest.approx(expected, abs=1e-4)


def _term(one: np.ndarray, other: np.ndarray, *, with_luminance: bool) -> float:
    """Mean contrast-structure term, with or without luminance, by direct sums over every window."""
    axis = np.arange(-5, 6)
    line = np.exp(-(axis**2) / 4.5)
    window = np.outer(line, line) / line.sum() ** 2
    x = np.lib.stride_tricks.sliding_window_view(one, (11, 11))
    y = np.lib.stride_tricks.sliding_window_view(other, (11, 11))
    mean_x, mean_y = np.einsum("ijkl,kl", x, window), np.einsum("ijkl,kl", y, window)
    var_x = np.einsum("ijkl,ijkl,kl->ij", x, x, window, optimize=False) - mean_x**2
    var_y = np.einsum("ijkl,ijkl,kl->ij", y, y, window, optimize=False) - mean_y**2
    both = np.einsum("ijkl,ijkl,kl->ij", x, y, window, optimize=False) - mean_x * mean_y
    term = (2 * both + 58.5225) / (var_x + var_y + 58.5225)
    if with_luminance:
        term = term * (2 * mean_x * mean_y + 6.5025) / (mean_x**2 + mean_y**2 + 6.5025)
    return float(term.mean())


def test_pictures_below_the_window_have_no_figure():
    """None, not a number of another metric."""
    small = np.zeros((10, 300), np.uint8)
    assert ssim(small, small) is None
    side = SMALLEST_MS_SSIM_SIDE - 1
    assert ms_ssim(np.zeros((side, 400), np.uint8), np.zeros((side, 400), np.uint8)) is None


def test_what_cannot_be_compared_is_refused():
    """Other shapes, other types."""
    with pytest.raises(UsageError, match="one shape"):
        ssim(np.zeros((20, 20), np.uint8), np.zeros((20, 21), np.uint8))
    with pytest.raises(UsageError, match="8-bit"):
        ms_ssim(np.zeros((200, 200)), np.zeros((200, 200)))
