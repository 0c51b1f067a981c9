"""Alpha planes are exact at every size that compressing allows."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from isthmus.errors import FormatError
from isthmus.imaging.fitting import decode_alpha, encode_alpha, over_white


def test_what_compresses_decodes(monkeypatch):
    """Pillow's own limit, which is below ours, is set aside while alpha is decoded, and put back."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    alpha = np.random.default_rng(0).integers(0, 256, (50, 60), np.uint8)
    assert np.array_equal(decode_alpha(encode_alpha(alpha), 50, 60), alpha)
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.slow
def test_alpha_beyond_pillows_own_limit_decodes():
    """180 megapixels, the first that was met."""
    alpha = np.zeros((13_400, 13_500), np.uint8)
    alpha[::7, ::5] = 200
    assert np.array_equal(decode_alpha(encode_alpha(alpha), *alpha.shape), alpha)


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", encode_alpha(np.zeros((4, 5), np.uint8))[:-20], b"II*\0"])
def test_an_alpha_plane_that_is_none_is_refused(data):
    """In one line."""
    with pytest.raises(FormatError, match="alpha plane"):
        decode_alpha(data, 4, 5)


def test_an_alpha_plane_of_another_size_is_refused():
    """Before it is decoded."""
    with pytest.raises(FormatError, match="alpha plane is"):
        decode_alpha(encode_alpha(np.zeros((4, 5), np.uint8)), 5, 4)


def test_over_white_is_what_paper_shows():
    """To the nearest value, for every pixel and opacity."""
    values, opacity = np.meshgrid(np.arange(256), np.arange(256))
    flat = over_white(values.astype(np.uint8)[:, :, None], opacity.astype(np.uint8))[:, :, 0]
    assert np.array_equal(flat, np.rint((values * opacity + 255 * (255 - opacity)) / 255))
