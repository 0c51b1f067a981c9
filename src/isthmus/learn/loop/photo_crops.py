"""Training pictures of the photo codec: decoded crops in memory, random windows of them, and those held aside."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.errors import InputError
from isthmus.imaging.reading import find_pictures, read_picture

HELD_ASIDE_EVERY = 20
"""Every 20th file by name is never trained on."""


class PhotoCrops:
    """All pictures of a folder: any format that reads, or .npy files of (rows, columns, 3) uint8.

    Raises:
        InputError: fewer than two pictures, or one smaller than the windows that are drawn.
    """

    def __init__(self, folder: Path, *, smallest: int = 256) -> None:
        paths = sorted([*folder.glob("*.npy"), *find_pictures(folder)])
        if len(paths) < 2:
            raise InputError(f"{folder} holds {len(paths)} pictures: two or more are needed, hundreds are wanted")
        pictures = [_read(path) for path in paths]
        for path, picture in zip(paths, pictures, strict=True):
            if min(picture.shape[:2]) < smallest:
                raise InputError(f"{path} is {picture.shape[1]}×{picture.shape[0]}, smaller than {smallest}×{smallest}")
        self.held_aside = pictures[::HELD_ASIDE_EVERY]
        self.training = [picture for index, picture in enumerate(pictures) if index % HELD_ASIDE_EVERY]

    def draw(self, count: int, side: int, random: np.random.Generator) -> np.ndarray:
        """(count, side, side, 3) uint8: windows at random places, flipped and turned at random."""
        batch = np.empty((count, side, side, 3), np.uint8)
        for window in batch:
            picture = self.training[random.integers(len(self.training))]
            top = random.integers(picture.shape[0] - side + 1)
            left = random.integers(picture.shape[1] - side + 1)
            part = picture[top : top + side, left : left + side]
            if random.random() < 0.5:
                part = part[:, ::-1]
            if random.random() < 0.15:  # turned pictures are rare in use: horizons and trunks keep their statistics
                part = part.transpose(1, 0, 2)
            window[:] = part
        return batch

    def held_aside_centres(self, side: int) -> np.ndarray:
        """(pictures, side, side, 3) uint8: the middle of each held-aside picture."""
        middles = []
        for picture in self.held_aside:
            top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
            middles.append(picture[top : top + side, left : left + side])
        return np.stack(middles)


def to_pixels(batch: np.ndarray) -> Tensor:
    """(batch, rows, columns, 3) uint8 -> (batch, 3, rows, columns) float32 in -0.5..0.5, channels last in memory."""
    return torch.from_numpy(batch).permute(0, 3, 1, 2).float().div_(255).sub_(0.5)


def _read(path: Path) -> NDArray[np.uint8]:
    """(rows, columns, 3) uint8; grey becomes three equal channels."""
    if path.suffix == ".npy":
        array: NDArray[np.uint8] = np.load(path)
        return array
    pixels = read_picture(path, depth=8, frame=0).pixels
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
