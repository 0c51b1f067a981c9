"""The rate of the shipped model is pinned: a change that loses a few per cent fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import isthmus
from isthmus.metrics.distortion import psnr

PICTURE = Path(__file__).with_name("rate.png")
"""192 rows of 256 pixels: smooth colours, an edge, a shadow, noise of 3 grey levels; drawn at random, no photograph."""


@pytest.mark.parametrize(("quality", "size", "decibels"), [(20, 983, 28.151), (60, 2652, 31.453), (90, 14449, 35.878)])
def test_bytes_and_psnr_are_those_of_the_shipped_model(quality, size, decibels):
    """Within half a per cent (three bytes of a small file) and 0.02 dB: processors round transforms differently."""
    picture = np.asarray(Image.open(PICTURE))
    data = isthmus.encode(picture, quality=quality)
    assert len(data) == pytest.approx(size, abs=max(3, 0.005 * size))
    assert psnr(isthmus.decode(data), picture) == pytest.approx(decibels, abs=0.02)
