"""Training pictures of the photo codec: decoded crops in memory, random windows of them, and those held aside."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

HELD_ASIDE_EVERY = 20
"""Every 20th file by name is never trained on."""


class PhotoCrops:
    """All crops of a folder of .npy files, (rows, columns, 3) uint8 each."""

    def __init__(self, folder: Path) -> None:
        paths = sorted(path for path in folder.glob("*.npy") if ".tmp" not in path.name)
        self.names = [path.stem for path in paths]
        pictures = [np.load(path) for path in paths]
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
