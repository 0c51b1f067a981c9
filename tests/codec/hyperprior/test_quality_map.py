"""What a quality means where a model has a map."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from isthmus.codec.hyperprior.quality_map import ASKED, SAMPLE_SIDE, SCORES, QualityMap, sample
from isthmus.codec.model import Model, load_model
from isthmus.container.model_file import parse_model, write_model
from isthmus.errors import FormatError
from isthmus.values import Picture
from tests.conftest import GOLDEN

TABLE = (np.arange(20, 20 + 10 * len(ASKED), 10)[:, None] - np.arange(len(SCORES)) * 3).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> Model:
    """The golden photo model with a map."""
    file = load_model(GOLDEN / "golden-hyperprior.isthmus", threads=1).file
    arrays = {**file.arrays, "quality_map": TABLE}
    return Model(parse_model(write_model(replace(file, arrays=arrays)), name="mapped"))


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 300, 1), (192, 192, 3), (193, 200, 3), (1000, 40, 3), (777, 1234, 3)])
def test_a_sample_is_at_most_192_a_side_and_made_of_the_pictures_own_windows(shape):
    """Smaller sides are taken whole."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    pixels = np.repeat(((rows + columns) % 251).astype(np.uint8)[:, :, None], shape[2], axis=2)
    taken = sample(pixels)
    assert taken.shape == (*(min(side, SAMPLE_SIDE) for side in shape[:2]), shape[2])
    inside = np.diff(taken[: min(64, shape[0]), : min(64, shape[1]), 0].astype(int), axis=1) % 251
    assert np.all(inside == 1)


def test_the_quality_rises_with_what_is_asked_for_and_reaches_both_ends(model):
    """For pictures that score high, low, or are too small for a score."""
    random = np.random.default_rng(0)
    for shape in ((3, 3, 3), (40, 40, 3), (300, 200, 1)):
        for pixels in (np.full(shape, 9, np.uint8), random.integers(0, 256, shape, np.uint8)):
            adapted = [model.coder.quality_scale(Picture(pixels))(quality) for quality in np.linspace(1, 100, 34)]
            assert (adapted[0], adapted[-1]) == (1, 100)
            assert all(one < two for one, two in pairwise(adapted))


def test_pictures_whose_sample_comes_out_well_need_less(model):
    """The table is read between its columns, and not beyond them."""
    one = QualityMap(TABLE)
    assert one.quality(60, -100) == one.quality(60, SCORES[0]) == TABLE[3, 0]
    assert one.quality(60, 20) == pytest.approx((TABLE[3, 1] + TABLE[3, 2]) / 2)
    smooth, noise = np.full((64, 64, 3), 90, np.uint8), np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert model.coder.score_of_sample(Picture(smooth)) > model.coder.score_of_sample(Picture(noise))


def test_a_map_is_no_part_of_the_id(model):
    """Only the encoder reads it."""
    assert model.id == load_model(GOLDEN / "golden-hyperprior.isthmus", threads=1).id


@pytest.mark.parametrize(
    "table", [TABLE[::-1], np.full_like(TABLE, np.nan), TABLE * 2, TABLE - 20, TABLE[:, :5], TABLE.astype(np.float64)]
)
def test_a_map_that_does_not_rise_within_the_range_is_refused(model, table):
    """In one line that names it."""
    arrays = {**model.file.arrays, "quality_map": np.ascontiguousarray(table)}
    with pytest.raises((FormatError, KeyError), match="quality_map"):
        Model(replace(model.file, arrays=arrays))
