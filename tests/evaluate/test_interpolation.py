"""A walk between two codes needs two pictures of one kind."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.errors import UsageError
from isthmus.evaluate.interpolation import draw_interpolation
from isthmus.values import Picture


def test_a_walk_between_two_pictures_is_drawn(golden_model, pictures):
    """As a PNG; another pair gives another figure, and two sizes are refused."""
    first, second, third = (Picture(picture[:, :, None]) for picture in pictures[:3])
    figure = draw_interpolation(first, second, golden_model)
    assert figure.startswith(b"\x89PNG")
    assert figure != draw_interpolation(first, third, golden_model)
    with pytest.raises(UsageError, match="one size"):
        draw_interpolation(first, Picture(np.zeros((9, 8, 1), np.uint8)), golden_model)
