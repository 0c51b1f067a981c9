"""What a picture has besides its pixels comes back from a .isth file."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from isthmus.codec import pipeline
from isthmus.codec.sections import from_sections, to_sections
from isthmus.container.image_header import RESOLUTION
from isthmus.values import Picture


def test_alpha_and_metadata_come_back(golden_model):
    """Exactly, through the bytes of a file."""
    random = np.random.default_rng(0)
    picture = Picture(
        random.integers(0, 256, (8, 8, 1), np.uint8),
        icc=b"profile",
        exif=b"Exif\0\0II",
        xmp=b"<x:xmpmeta/>",
        resolution=(72.0, 300.5),
    )
    data = pipeline.encode([picture], golden_model.coder, quality=50)[0]
    back = pipeline.decode([data], golden_model.coder)[0]
    assert (back.icc, back.exif, back.xmp, back.resolution) == (
        picture.icc,
        picture.exif,
        picture.xmp,
        picture.resolution,
    )


def test_alpha_is_exact():
    """Also beside metadata."""
    alpha = np.random.default_rng(1).integers(0, 256, (9, 7), np.uint8)
    pixels = np.zeros((9, 7, 3), np.uint8)
    assert np.array_equal(from_sections(pixels, to_sections(Picture(pixels, alpha=alpha))).alpha, alpha)


@pytest.mark.parametrize("section", [b"", b"short", struct.pack("<2f", float("nan"), 1), struct.pack("<2f", 0, 72)])
def test_a_resolution_that_is_none_is_passed_over(section):
    """It is a section that may be skipped."""
    assert from_sections(np.zeros((1, 1, 1), np.uint8), {RESOLUTION: section}).resolution is None
