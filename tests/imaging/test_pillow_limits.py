"""What belongs to the process stays as it was."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from isthmus.imaging.reading import read_picture


def test_reading_in_many_threads_leaves_pillow_as_it_was(tmp_path):
    """Its own limit, and the filters of warnings."""
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "a.png")
    before, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    assert before is not None
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read_picture, [tmp_path / "a.png"] * 400))
    assert before == Image.MAX_IMAGE_PIXELS
    assert list(warnings.filters) == filters
