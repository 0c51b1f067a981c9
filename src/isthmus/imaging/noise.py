"""Noise of the usual kinds on 8-bit pictures, a function of its seed."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isthmus.errors import UsageError
from isthmus.imaging.formats import open_image
from isthmus.values import Picture

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class NoiseSettings:
    """What disturbs a picture."""

    kind: str = "none"
    """none, gaussian, poisson, impulse, salt-and-pepper, speckle or jpeg."""
    amount: float = 0.1
    """gaussian, speckle: standard deviation (white is 1). impulse, salt-and-pepper: share of the values that are
    replaced. poisson: 1 / photons of a white pixel. jpeg: 0 is quality 100, 1 is quality 1."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"noise.kind is one of {', '.join(KINDS)}, not {self.kind!r}")
        if not 0 < self.amount <= 1:
            raise UsageError(f"noise.amount is above 0 and at most 1, not {self.amount}")


def add_noise(pictures: Pixels, settings: NoiseSettings, random: np.random.Generator) -> Pixels:
    """Disturbed copies of pictures.

    Args:
        pictures: (batch, rows, columns, channels) uint8.
        settings: kind and amount.
        random: draws the noise.

    Returns:
        The same shape, uint8.
    """
    return KINDS[settings.kind](pictures, settings.amount, random)


def disturbed(picture: Picture, settings: NoiseSettings, *, seed: int) -> Picture:
    """A picture with noise; what else it holds stays.

    Args:
        picture: without noise.
        settings: kind and amount.
        seed: the same one draws the same noise.
    """
    return replace(picture, pixels=add_noise(picture.pixels[None], settings, np.random.default_rng(seed))[0])


def _none(pictures: Pixels, amount: float, random: np.random.Generator) -> Pixels:
    return pictures


def _gaussian(pictures: Pixels, amount: float, random: np.random.Generator) -> Pixels:
    noise = random.standard_normal(pictures.shape, np.float32)
    return _rounded(pictures + 255 * amount * noise)


def _speckle(pictures: Pixels, amount: float, random: np.random.Generator) -> Pixels:
    noise = random.standard_normal(pictures.shape, np.float32)
    return _rounded(pictures * (1 + amount * noise))


def _poisson(pictures: Pixels, amount: float, random: np.random.Generator) -> Pixels:
    return _rounded(random.poisson(pictures / (255 * amount)) * (255 * amount))


def _impulse(pictures: Pixels, amount: float, random: np.random.Generator) -> Pixels:
    values = random.integers(0, 256, pictures.shape, np.uint8)
    return np.where(random.random(pictures.shape, np.float32) < amount, values, pictures)


def _salt_and_pepper(pictures: Pixels, amount: float, random: np.random.Generator) -> Pixels:
    draws = random.random((*pictures.shape[:3], 1), np.float32)  # whole pixels turn black or white
    salted = np.where(draws < amount / 2, np.uint8(255), pictures)
    return np.where(draws > 1 - amount / 2, np.uint8(0), salted)


def _jpeg(pictures: Pixels, amount: float, random: np.random.Generator) -> Pixels:
    quality = max(1, round(100 - 99 * amount))
    return np.stack([_through_jpeg(picture, quality) for picture in pictures])


def _through_jpeg(picture: Pixels, quality: int) -> Pixels:
    out = io.BytesIO()
    Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture).save(out, "JPEG", quality=quality)
    with open_image(out) as image:
        return np.asarray(image).reshape(picture.shape)


def _rounded(values: NDArray[np.floating]) -> Pixels:
    rounded: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded


KINDS: dict[str, Callable[[Pixels, float, np.random.Generator], Pixels]] = {
    "none": _none,
    "gaussian": _gaussian,
    "poisson": _poisson,
    "impulse": _impulse,
    "salt-and-pepper": _salt_and_pepper,
    "speckle": _speckle,
    "jpeg": _jpeg,
}
