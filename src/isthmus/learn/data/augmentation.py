"""Virtual pictures: random crops, flips, rotations, scales, shifts and brightnesses of a batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from isthmus.learn.recipes.settings import AugmentationSettings


def augment(
    pictures: Tensor, settings: AugmentationSettings, size: tuple[int, int], generator: torch.Generator
) -> Tensor:
    """Changed copies of a batch.

    Args:
        pictures: (batch, channels, rows, columns) uint8.
        settings: how much may change.
        size: (rows, columns) of the result; where the pictures are larger, a random crop.
        generator: draws the changes, on the CPU.

    Returns:
        (batch, channels, *size) uint8.
    """
    originals = pictures
    if settings.rotation or settings.scale or settings.shift:
        pictures = _moved(pictures, settings, generator)
    if settings.brightness:
        factors = 1 + settings.brightness * _uniform(len(pictures), generator).to(pictures.device)
        pictures = (pictures * factors[:, None, None, None]).round().clamp(0, 255).to(torch.uint8)
    if pictures is not originals and settings.share < 1:
        changed = (torch.rand(len(pictures), generator=generator) < settings.share).to(pictures.device)
        pictures = torch.where(changed[:, None, None, None], pictures, originals)
    if pictures.shape[2:] != size:
        pictures = _cropped(pictures, size, generator)
    if settings.flip:
        mirrored = (torch.rand(len(pictures), generator=generator) < settings.flip).to(pictures.device)
        pictures = torch.where(mirrored[:, None, None, None], pictures.flip(3), pictures)
    return pictures


def centre(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """The middle (rows, columns) of pictures (batch, channels, rows, columns): what is tested on."""
    top, left = ((whole - part) // 2 for whole, part in zip(pictures.shape[2:], size, strict=True))
    return pictures[:, :, top : top + size[0], left : left + size[1]]


def _moved(pictures: Tensor, settings: AugmentationSettings, generator: torch.Generator) -> Tensor:
    count = len(pictures)
    angles = math.radians(settings.rotation) * _uniform(count, generator)
    scales = 1 + settings.scale * _uniform(count, generator)
    rows, columns = pictures.shape[2:]
    down, across = (2 * settings.shift / side * _uniform(count, generator) for side in (rows, columns))
    cosines, sines = torch.cos(angles) * scales, torch.sin(angles) * scales
    aspect = rows / columns
    top = torch.stack([cosines, -sines * aspect, across], dim=1)
    bottom = torch.stack([sines / aspect, cosines, down], dim=1)
    grid = nn.functional.affine_grid(torch.stack([top, bottom], dim=1), list(pictures.shape), align_corners=False)
    values = pictures.float()
    moved = nn.functional.grid_sample(values, grid.to(values.device), padding_mode="border", align_corners=False)
    return moved.round().clamp(0, 255).to(torch.uint8)


def _cropped(pictures: Tensor, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    tops = torch.randint(pictures.shape[2] - size[0] + 1, (len(pictures),), generator=generator).tolist()
    lefts = torch.randint(pictures.shape[3] - size[1] + 1, (len(pictures),), generator=generator).tolist()
    return torch.stack(
        [
            picture[:, top : top + size[0], left : left + size[1]]
            for picture, top, left in zip(pictures, tops, lefts, strict=True)
        ]
    )


def _uniform(count: int, generator: torch.Generator) -> Tensor:
    return 2 * torch.rand(count, generator=generator) - 1
