"""Noise as a camera makes it: photons and read-out in linear light, through mosaic, demosaicking, gamma and JPEG.

Picture -> linear light -> sensor values with Poisson-Gaussian noise under a Bayer mosaic -> bilinear demosaicking ->
white balance and colour matrix -> sRGB -> 8 bits -> JPEG. Only the noise goes through the mosaic, so that what is left
to remove is noise, correlated as in a photograph, and no blur.

Source: the noise model and its levels are those of Brooks et al. 2019, "Unprocessing images for learned raw denoising"
(arXiv 1811.11127), section 3.1.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isthmus.errors import UsageError
from isthmus.imaging.formats import open_image

Pixels = NDArray[np.uint8]
Reals = NDArray[np.float32]

LOWEST_ISO, HIGHEST_ISO = 100, 12800
_SHOT_PER_ISO = 1e-6
"""ISO 100 to 12800 are about the source's range of shot noise, 0.0001 to 0.012."""
_READ_SLOPE, _READ_OFFSET = 2.18, 1.20
"""log(read noise) = slope * log(shot noise) + offset, both variances for white at 1: the source's line."""


@dataclass(frozen=True)
class CameraSettings:
    """What a simulated camera does to a picture."""

    iso: float = 1600
    """Of the noise: 100 is daylight, 12800 a phone at night."""
    red_gain: float = 2.1
    """White balance: the red sensor values are multiplied by it, with their noise."""
    blue_gain: float = 1.7
    """Likewise for blue."""
    saturation: float = 0.4
    """Of the colour matrix: each channel gets so much of its distance from the mean of all three on top."""
    has_mosaic: bool = True
    """Whether each pixel measures one colour alone; the others are interpolated."""
    jpeg_quality: int = 95
    """Of the file that the camera writes, 1 to 100; 0 writes none."""

    def __post_init__(self) -> None:
        if not 1 <= self.iso <= 1e6:
            raise UsageError(f"iso is from 1 to a million, not {self.iso}")
        if not 0 <= self.jpeg_quality <= 100:
            raise UsageError(f"jpeg_quality is from 0 to 100, not {self.jpeg_quality}")

    @property
    def shot(self) -> float:
        """Variance of a sensor value for each unit of light, white at 1."""
        return self.iso * _SHOT_PER_ISO

    @property
    def read(self) -> float:
        """Variance of a sensor value without any light."""
        return float(np.exp(_READ_SLOPE * np.log(self.shot) + _READ_OFFSET))


def random_camera(random: np.random.Generator) -> CameraSettings:
    """Any camera: ISO uniform on a logarithmic scale, gains and matrices as cameras have them."""
    return CameraSettings(
        iso=float(np.exp(random.uniform(np.log(LOWEST_ISO), np.log(HIGHEST_ISO)))),
        red_gain=random.uniform(1.6, 2.5),
        blue_gain=random.uniform(1.4, 2.1),
        saturation=random.uniform(0.0, 0.7),
        has_mosaic=bool(random.random() < 0.8),
        jpeg_quality=int(random.integers(80, 100)) if random.random() < 0.7 else 0,
    )


def photograph(pixels: Pixels, settings: CameraSettings, random: np.random.Generator) -> Pixels:
    """A picture as the camera would have taken it.

    Args:
        pixels: (rows, columns, 3) uint8 sRGB, without noise.
        settings: of the camera.
        random: draws the noise.

    Returns:
        The same shape, uint8 sRGB.
    """
    light = _LINEAR[pixels]  # (rows, columns, 3)
    gains = np.array([settings.red_gain, 1, settings.blue_gain], np.float32)
    deviation = np.sqrt(np.float32(settings.shot) * light / gains + np.float32(settings.read))
    noise = random.standard_normal(pixels.shape, np.float32) * deviation
    if settings.has_mosaic:
        noise = _demosaicked(noise)
    noise *= gains
    noise += np.float32(settings.saturation) * (noise - noise.mean(2, keepdims=True))
    taken = np.rint(255 * srgb_of(light + noise)).astype(np.uint8)
    return through_jpeg(taken, settings.jpeg_quality) if settings.jpeg_quality else taken


def through_jpeg(pixels: Pixels, quality: int, *, subsampling: int = -1) -> Pixels:
    """(rows, columns, 3) uint8 after a JPEG file.

    Args:
        pixels: (rows, columns, 3) uint8.
        quality: 1 to 100.
        subsampling: 0 is 4:4:4, 2 is 4:2:0; -1 is Pillow's default, 4:2:0.
    """
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality, subsampling=subsampling)
    with open_image(out) as image:
        return np.asarray(image)


def srgb_of(light: Reals) -> Reals:
    """Linear light, clipped to 0..1, as sRGB values 0..1; float32 of the same shape."""
    clipped: Reals = np.clip(light, np.float32(0), np.float32(1))
    high = np.float32(1.055) * np.power(np.maximum(clipped, np.float32(0.0031308)), np.float32(1 / 2.4))
    made: Reals = np.where(clipped <= 0.0031308, clipped * np.float32(12.92), high - np.float32(0.055))
    return made


def _linear_table() -> Reals:
    values = np.arange(256) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float32)


_LINEAR = _linear_table()
"""(256,) float32: linear light of each 8-bit sRGB value."""


def _demosaicked(values: Reals) -> Reals:
    """(rows, columns, 3) values under an RGGB mosaic, the missing ones interpolated bilinearly."""
    rows, columns = np.ogrid[: values.shape[0], : values.shape[1]]
    is_red, is_blue = (rows % 2 == 0) & (columns % 2 == 0), (rows % 2 == 1) & (columns % 2 == 1)
    is_green = ~(is_red | is_blue)
    red, green, blue = (
        np.where(mask, values[:, :, channel], np.float32(0)) for channel, mask in enumerate((is_red, is_green, is_blue))
    )
    around = np.pad(green, 1, mode="reflect")
    cross = around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]
    return np.stack([_filled(red), np.where(is_green, green, cross / 4), _filled(blue)], axis=2)


def _filled(known: Reals) -> Reals:
    """(rows, columns) with every second value of every second row, and the others between them."""
    wide = np.pad(known, 1, mode="reflect")
    half = np.float32(0.5)
    down: Reals = wide[1:-1] + half * (wide[:-2] + wide[2:])
    filled: Reals = down[:, 1:-1] + half * (down[:, :-2] + down[:, 2:])
    return filled
