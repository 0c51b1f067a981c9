"""How busy pictures are said to be."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.codec.hyperprior.adaptive_quality import activity


def ramp(rows: int, columns: int, step: int) -> np.ndarray:
    """(rows, columns, 3): `step` grey levels from column to column, rows alike."""
    return np.tile((np.arange(columns) * step % 200).astype(np.uint8)[None, :, None], (rows, 1, 3))


def test_differences_are_counted_along_both_directions():
    """Columns that differ by two, rows that do not."""
    assert activity(ramp(50, 50, 2)) == pytest.approx(1)
    assert activity(ramp(50, 50, 2).transpose(1, 0, 2)) == pytest.approx(1)
    assert activity(np.full((9, 9, 1), 200, np.uint8)) == 0


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 5, 1), (5, 1, 3)])
def test_pictures_with_hardly_any_neighbours(shape):
    """One pixel has none, a line has them in one direction."""
    pixels = (np.arange(np.prod(shape)) * 3).astype(np.uint8).reshape(shape)
    assert activity(pixels) == (0 if shape == (1, 1, 3) else 3 * shape[2])


def test_some_lines_of_a_large_picture_stand_for_all():
    """Noise of one kind is as busy at any size."""
    random = np.random.default_rng(0)
    small, large = (random.integers(100, 120, (side, side + 9, 3), np.uint8) for side in (60, 900))
    assert activity(large) == pytest.approx(activity(small), rel=0.03)
