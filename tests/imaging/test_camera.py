"""The simulated camera: noise that grows with ISO and shade, correlated, without a shift of brightness."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.errors import UsageError
from isthmus.imaging.camera import CameraSettings, photograph, random_camera, through_jpeg


def _grey(value: int) -> np.ndarray:
    return np.full((128, 128, 3), value, np.uint8)


def test_more_iso_is_more_noise_and_no_other_brightness():
    """On a middle grey."""
    spreads = []
    for iso in (100, 1600, 12800):
        taken = photograph(_grey(140), CameraSettings(iso, jpeg_quality=0), np.random.default_rng(1)).astype(float)
        spreads.append(taken.std())
        assert abs(taken.mean() - 140) < 3  # gamma bends strong noise a little
    assert spreads == sorted(spreads)
    assert spreads[0] < 3
    assert spreads[2] > 12


def test_a_mosaic_makes_neighbours_alike():
    """Without one they have nothing to do with each other; without noise it changes nothing."""
    for has_mosaic, low, high in ((True, 0.25, 0.9), (False, -0.05, 0.05)):
        settings = CameraSettings(1600, has_mosaic=has_mosaic, jpeg_quality=0, saturation=0)
        red = photograph(_grey(140), settings, np.random.default_rng(1))[:, :, 0].astype(float) - 140
        assert low < np.corrcoef(red[:, :-1].ravel(), red[:, 1:].ravel())[0, 1] < high
    ramp = np.tile(np.arange(128, dtype=np.uint8)[:, None, None], (1, 128, 3))
    quiet = photograph(ramp, CameraSettings(1, jpeg_quality=0), np.random.default_rng(0))
    assert np.abs(quiet.astype(int) - ramp).max() <= 1


def test_any_camera_is_one():
    """Of all that are drawn; the smallest pictures too."""
    random = np.random.default_rng(3)
    for _ in range(20):
        assert photograph(_grey(80)[:5, :3], random_camera(random), random).shape == (5, 3, 3)
    assert photograph(_grey(80)[:1, :1], CameraSettings(), random).shape == (1, 1, 3)


def test_jpeg_loses_more_at_a_lower_quality():
    """And keeps the size."""
    pixels = np.random.default_rng(0).integers(0, 256, (33, 17, 3), np.uint8)
    errors = [np.abs(through_jpeg(pixels, quality).astype(int) - pixels).mean() for quality in (95, 20)]
    assert errors[0] < errors[1]


@pytest.mark.parametrize("options", [{"iso": 0}, {"jpeg_quality": 101}])
def test_what_no_camera_has_is_refused(options):
    """With what may be."""
    with pytest.raises(UsageError):
        CameraSettings(**options)
