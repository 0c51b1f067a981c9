"""What training pictures suffer: the mixture of noise and artefacts that real pictures have, each of a known level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.hyperprior.layout import BLOCK
from isthmus.imaging.camera import photograph, random_camera, through_jpeg
from isthmus.imaging.noise import NoiseSettings, add_noise
from isthmus.learn.data.crops import Crops
from isthmus.learn.denoiser.settings import Training

Pixels = NDArray[np.uint8]
Reals = NDArray[np.float32]

JPEG_GRID = 8
"""Windows are cut out of ones larger by this, so that blocks may begin anywhere."""
ALIGNED_SHARE = 0.75
"""So many of the windows begin where a block of JPEG does, as whole files and all their tiles do."""
LOWEST_QUALITY, HIGHEST_QUALITY = 20, 95
FLAT_SHARE, GRAPHIC_SHARE, GREY_SHARE = 0.03, 0.03, 0.06
SAME_SHARE = 0.7
"""So many of the windows without colours have noise without colours, as grey pictures do."""
ROUNDED_SHARE = 0.4
"""So much of the Gaussian noise is clipped and rounded to 8 bits, as it is in files."""


@dataclass(frozen=True)
class Batch:
    """Windows before and after.

    Attributes:
        clean: (batch, side, side, 3) float32, white at 1.
        noisy: likewise; may reach beyond 0..1.
        level: (batch,) float32: root mean square of what was added, of Gaussian noise its standard deviation.
    """

    clean: Reals
    noisy: Reals
    level: Reals


def draw_batch(crops: Crops, training: Training, random: np.random.Generator) -> Batch:
    """Windows of training pictures, each with a degradation of its own."""
    wide = crops.draw(
        training.batch,
        -(-(training.side + JPEG_GRID) // BLOCK) * BLOCK,  # smaller pictures are padded to whole blocks
        random,
        flat_share=FLAT_SHARE,
        graphic_share=GRAPHIC_SHARE,
        grey_share=GREY_SHARE,
    )
    shares = (training.gaussian, training.camera, training.jpeg, training.impulse)
    bounds = np.cumsum(shares)
    cleans, noisies, levels = [], [], []
    for window in wide:
        kind = int(np.searchsorted(bounds, random.random(), side="right"))
        noisy, level = _KINDS[kind](window, training, random)
        if (window == window[:, :, :1]).all() and random.random() < SAME_SHARE:
            noisy = np.repeat(noisy[:, :, 1:2], 3, axis=2)
        top, left = (0, 0) if random.random() < ALIGNED_SHARE else random.integers(0, JPEG_GRID, 2)
        part = np.s_[top : top + training.side, left : left + training.side]
        clean = window[part].astype(np.float32) / 255
        cleans.append(clean)
        noisies.append(noisy[part])
        levels.append(_rms(noisy[part] - clean) if level is None else level)
    return Batch(np.stack(cleans), np.stack(noisies), np.array(levels, np.float32))


def _gaussian(window: Pixels, training: Training, random: np.random.Generator) -> tuple[Reals, float | None]:
    sigma = random.uniform(0, training.largest_sigma) / 255
    noisy = window.astype(np.float32) / 255 + np.float32(sigma) * random.standard_normal(window.shape, np.float32)
    if random.random() < ROUNDED_SHARE:
        noisy = np.rint(np.clip(noisy, 0, 1) * 255) / np.float32(255)
    return noisy, sigma


def _camera(window: Pixels, training: Training, random: np.random.Generator) -> tuple[Reals, float | None]:
    del training
    return _as_reals(photograph(window, random_camera(random), random)), None


def _jpeg(window: Pixels, training: Training, random: np.random.Generator) -> tuple[Reals, float | None]:
    del training
    quality = int(random.integers(LOWEST_QUALITY, HIGHEST_QUALITY + 1))
    return _as_reals(through_jpeg(window, quality, subsampling=int(random.choice([0, 2])))), None


def _impulse(window: Pixels, training: Training, random: np.random.Generator) -> tuple[Reals, float | None]:
    del training
    settings = NoiseSettings("salt-and-pepper", random.uniform(0.005, 0.15))
    return _as_reals(add_noise(window[None], settings, random)[0]), None


def _none(window: Pixels, training: Training, random: np.random.Generator) -> tuple[Reals, float | None]:
    del training, random
    return _as_reals(window), 0.0


_KINDS: tuple[Callable[[Pixels, Training, np.random.Generator], tuple[Reals, float | None]], ...] = (
    _gaussian,
    _camera,
    _jpeg,
    _impulse,
    _none,
)


def _as_reals(pixels: Pixels) -> Reals:
    return pixels.astype(np.float32) / np.float32(255)


def _rms(values: Reals) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
