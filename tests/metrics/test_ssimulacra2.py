"""SSIMULACRA2 in NumPy and in PyTorch against each other and libjxl's tool."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.errors import InputError
from isthmus.metrics.ssimulacra2 import SMALLEST_SIDE, ssimulacra2, window_taps

CASES = [
    # rows, columns, is grey, noise, score of libjxl 0.11.2's ssimulacra2
    (256, 256, False, 4, 85.972),
    (192, 192, False, 30, -3.847),
    (511, 333, False, 60, -61.712),
    (97, 131, False, 12, 74.449),
    (64, 64, True, 25, 81.370),
    (33, 47, False, 8, 74.440),
    (16, 16, False, 60, 54.384),
    (9, 23, True, 90, 59.868),
    (8, 8, False, 40, 84.452),
    (200, 15, False, 20, 80.055),
    (129, 257, True, 120, -73.025),
]


def _pair(rows: int, columns: int, *, is_grey: bool, noise: int) -> tuple[np.ndarray, np.ndarray]:
    """Waves, and the same with noise: whole numbers only, so that every machine makes the same."""
    random = np.random.default_rng(rows * columns)
    down, across = np.mgrid[:rows, :columns]
    wave = (down * across // 7 + 3 * down + 5 * across) % 96 + 64
    first = np.stack([wave, 255 - wave, (wave * 2) % 256], 2)
    first = (first + random.integers(-20, 21, first.shape)).clip(0, 255)
    second = (first + random.integers(-noise, noise + 1, first.shape)).clip(0, 255)
    if is_grey:
        first, second = first[:, :, 0], second[:, :, 0]
    return first.astype(np.uint8), second.astype(np.uint8)


@pytest.mark.parametrize(("rows", "columns", "is_grey", "noise", "score"), CASES)
def test_scores_are_those_of_libjxl(rows, columns, is_grey, noise, score):
    """Odd and small sizes, grey and colour, from nearly alike to very different."""
    first, second = _pair(rows, columns, is_grey=is_grey, noise=noise)
    # the tool's recursive filter rounds: of nearly equal pictures it says 0.1 to 1.5 less than it would in float64
    assert ssimulacra2(first, second) == pytest.approx(score, abs=0.1 if score < 75 else 0.3)


@pytest.mark.parametrize(("rows", "columns", "is_grey", "noise", "score"), CASES)
def test_pytorch_agrees(rows, columns, is_grey, noise, score):
    """What is trained for is what is measured."""
    torch = pytest.importorskip("torch")
    from isthmus.learn.hyperprior.training.ssimulacra2 import ssimulacra2 as differentiable

    first, second = _pair(rows, columns, is_grey=is_grey, noise=noise)
    batch = [np.broadcast_to(one.reshape(rows, columns, -1), (rows, columns, 3)) / 255 for one in (first, second)]
    planes = [torch.from_numpy(one).float().permute(2, 0, 1)[None] for one in batch]
    assert float(differentiable(*planes).score) == pytest.approx(ssimulacra2(first, second), abs=0.1)


def test_equal_pictures_score_a_hundred():
    """Within what rounding leaves."""
    first, _ = _pair(70, 60, is_grey=False, noise=1)
    assert ssimulacra2(first, first) == pytest.approx(100, abs=0.05)


def test_what_cannot_be_scored_is_refused():
    """Too small, of two shapes, of no picture's shape."""
    small = np.zeros((SMALLEST_SIDE - 1, 30, 3), np.uint8)
    with pytest.raises(InputError, match="8 pixels a side, not 30×7"):
        ssimulacra2(small, small)
    with pytest.raises(InputError, match="cannot be compared"):
        ssimulacra2(np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(InputError, match="grey or RGB"):
        ssimulacra2(np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 4), np.uint8))


def test_the_window_is_nearly_a_gaussian():
    """Its sum is 1, its variance that of the Gaussian."""
    taps = window_taps(1.5)
    offsets = np.arange(len(taps)) - len(taps) // 2
    assert taps.sum() == pytest.approx(1)
    assert (taps * offsets**2).sum() == pytest.approx(1.5**2)


@pytest.mark.parametrize("kind", ["equal", "flat", "black", "beyond"])
def test_gradients_are_finite(kind):
    """Where norms are zero, where cube roots begin, and outside of what pictures hold."""
    torch = pytest.importorskip("torch")
    from isthmus.learn.hyperprior.training.ssimulacra2 import ssimulacra2 as differentiable

    random = torch.Generator().manual_seed(0)
    first = torch.rand(2, 3, 40, 48, generator=random)
    second = first + 0.05 * torch.randn(first.shape, generator=random)
    if kind == "equal":
        second = first.clone()
    elif kind == "flat":
        first, second = torch.full_like(first, 0.3), torch.full_like(first, 0.31)
    elif kind == "black":
        first, second = torch.zeros_like(first), torch.zeros_like(first)
    elif kind == "beyond":
        second = second * 3 - 1
    second.requires_grad_()
    differentiable(first, second).distance.sum().backward()
    assert torch.isfinite(second.grad).all()
    if kind == "beyond":
        assert (second.grad != 0).any()
