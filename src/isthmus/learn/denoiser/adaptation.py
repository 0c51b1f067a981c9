"""`isthmus denoise --adapt N`: a few steps of training on the noisy picture itself, without a clean one.

Two pictures of half the size, made of neighbouring pixels, show the same with noise that is independent where the
noise of neighbours is: what makes one of the other without knowing it can only remove noise.

Source: Huang et al. 2021, "Neighbor2Neighbor: Self-Supervised Denoising from Single Noisy Images" (arXiv 2101.02824).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.codec.photo_denoiser import PhotoDenoiser
from isthmus.container.model_file import parse_model
from isthmus.errors import TrainingError
from isthmus.learn.data.crops import to_pixels
from isthmus.learn.denoiser.export import denoiser_of, export_denoiser
from isthmus.learn.denoiser.networks import Denoiser
from isthmus.values import Picture

SIDE, BATCH = 128, 4
"""Windows of a step; of the noisy picture, so that the networks see half of their side."""
LEARNING_RATE = 1e-6
"""With 2e-5 twenty steps cost photographs 0.7 dB, since noise that is clipped at black and white has a mean."""
PAIRS = (((0, 0), (0, 1)), ((0, 0), (1, 0)), ((0, 1), (1, 1)), ((1, 0), (1, 1)))
"""Neighbours in a block of 2x2 pixels."""
SMALLEST_SIDE = 32
"""Smaller pictures teach nothing: the denoiser stays as it is."""


def adapted(denoiser: PhotoDenoiser, picture: Picture, *, steps: int, seed: int = 0) -> PhotoDenoiser:
    """A denoiser whose network was trained on a noisy picture; the estimate of the level stays.

    Args:
        denoiser: to begin with.
        picture: noisy.
        steps: of training.
        seed: of the windows.

    Raises:
        FormatError: the model is not as it is exported.
        TrainingError: training ended in numbers that are not finite.
    """
    level = denoiser.estimate(picture.pixels) / 255
    if min(picture.pixels.shape[:2]) < SMALLEST_SIDE or level == 0:
        return denoiser
    model = denoiser_of(denoiser.file)
    _train(model, picture.pixels, torch.full((1, 1, 1, 1), level), steps, np.random.default_rng(seed))
    file = parse_model(export_denoiser(model.eval(), name=denoiser.name), name=denoiser.name)
    return PhotoDenoiser(file)


def _train(model: Denoiser, pixels: NDArray[np.uint8], level: Tensor, steps: int, random: np.random.Generator) -> None:
    optimiser = torch.optim.Adam(model.noise.parameters(), LEARNING_RATE)
    for _ in range(steps):
        noisy = _windows(pixels, random)
        first, second = PAIRS[random.integers(len(PAIRS))]
        optimiser.zero_grad(set_to_none=True)
        with torch.no_grad():
            whole = model.denoise(noisy, level)
        error = model.denoise(_every_second(noisy, first), level) - _every_second(noisy, second)
        # neighbours differ without noise, too: by so much, as far as is known
        known = _every_second(whole, first) - _every_second(whole, second)
        loss = error.square().mean() + (error - known).square().mean()
        loss.backward()
        optimiser.step()
        if not torch.isfinite(loss):
            raise TrainingError("adapting the denoiser ended in numbers that are not finite")


def _windows(pixels: NDArray[np.uint8], random: np.random.Generator) -> Tensor:
    """(BATCH, 3, side, side) in -0.5..0.5, from random places; the side is a multiple of 16."""
    height, width = pixels.shape[:2]
    side = min(SIDE, height // 16 * 16, width // 16 * 16)
    parts = []
    for _ in range(BATCH):
        top, left = (int(random.integers(length - side + 1)) for length in (height, width))
        part = pixels[top : top + side, left : left + side]
        parts.append(part if part.shape[2] == 3 else np.repeat(part, 3, axis=2))
    return to_pixels(np.stack(parts))


def _every_second(pixels: Tensor, place: tuple[int, int]) -> Tensor:
    """Every second pixel of every second row, from a place."""
    return pixels[:, :, place[0] :: 2, place[1] :: 2]
