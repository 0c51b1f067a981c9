"""Windows of a picture and what lies beyond its edge."""

from __future__ import annotations

import numpy as np

from isthmus.imaging.windows import Window, cut, pixels_in


def test_beyond_the_edge_blocks_are_repeated_then_flat():
    """Up to the end of the last block by the edge, behind it by that block's mean; the same in parts and at once."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 37, 3), np.uint8)
    whole = Window(0, 0, 64, 64)
    filled = pixels_in(pixels, whole, block=16)
    np.testing.assert_array_equal(filled[:20, :37], pixels)
    np.testing.assert_array_equal(filled[:20, 37:48], np.repeat(pixels[:, -1:], 11, axis=1))
    np.testing.assert_array_equal(filled[20:32, :37], np.repeat(pixels[-1:], 12, axis=0))
    assert np.ptp(filled[:16, 48:], axis=(0, 1)).max() == 0
    assert abs(filled[0, 63].astype(float) - filled[:16, 32:48].mean((0, 1))).max() <= 0.5
    assert abs(filled[63, 0].astype(float) - filled[16:32, :16].mean((0, 1))).max() <= 0.5
    for part in cut(whole, 64, 48):
        if part.left == 0:
            np.testing.assert_array_equal(pixels_in(pixels, part, block=16), filled[:, :48])


def test_a_single_pixel_fills_its_window():
    """Evenly."""
    filled = pixels_in(np.array([[[7, 8, 9]]], np.uint8), Window(0, 0, 64, 64), block=16)
    assert (filled == [7, 8, 9]).all()


def test_a_window_within_the_picture_is_that_part():
    """Without a copy."""
    pixels = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64, 1)
    part = pixels_in(pixels, Window(16, 32, 16, 32), block=16)
    np.testing.assert_array_equal(part, pixels[16:32, 32:64])
    assert part.base is not None
