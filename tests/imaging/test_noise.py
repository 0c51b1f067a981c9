"""Noise is of its kind and amount, and a function of its seed."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.errors import UsageError
from isthmus.imaging.noise import KINDS, NoiseSettings, add_noise


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"none"}))
@pytest.mark.parametrize("channels", [1, 3])
def test_noise_repeats_with_its_seed_and_grows_with_its_amount(kind, channels):
    """For every kind, grey and colour."""
    pictures = np.random.default_rng(0).integers(0, 256, (4, 16, 16, channels), np.uint8)
    before = pictures.copy()

    def error(amount):
        noisy = add_noise(pictures, NoiseSettings(kind, amount), np.random.default_rng(1))
        assert np.array_equal(noisy, add_noise(pictures, NoiseSettings(kind, amount), np.random.default_rng(1)))
        assert noisy.shape == pictures.shape
        assert noisy.dtype == np.uint8
        return np.mean((noisy.astype(float) - pictures) ** 2)

    assert 0 < error(0.05) < error(0.4)
    assert np.array_equal(pictures, before)


def test_gaussian_noise_has_the_deviation_that_was_asked_for():
    """On mid grey, where nothing is clipped; impulses replace the share that was asked for."""
    grey = np.full((1, 200, 200, 1), 128, np.uint8)
    noisy = add_noise(grey, NoiseSettings("gaussian", 0.1), np.random.default_rng(0))
    assert noisy.astype(float).std() == pytest.approx(25.5, rel=0.03)
    replaced = add_noise(grey, NoiseSettings("impulse", 0.1), np.random.default_rng(0)) != 128
    assert replaced.mean() == pytest.approx(0.1 * 255 / 256, rel=0.05)


@pytest.mark.parametrize(
    ("kind", "amount"), [("snow", 0.1), ("gaussian", 0), ("gaussian", 1.5), ("jpeg", float("nan"))]
)
def test_noise_that_cannot_be_is_refused(kind, amount):
    """Unknown kinds, and amounts out of range."""
    with pytest.raises(UsageError, match="noise"):
        NoiseSettings(kind, amount)
