"""Training pictures of the photo codec: decoded crops in memory, random windows of them, and those held aside."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.codec.hyperprior.layout import BLOCK, HYPER_BLOCK
from isthmus.errors import InputError
from isthmus.imaging.reading import read_picture
from isthmus.imaging.windows import Window, pixels_in
from isthmus.learn.data.synthetic import colour_jitter, flat_window, grey_window, synthetic_graphic
from isthmus.sources.folders import walk

HELD_ASIDE_EVERY = 20
"""Every 20th file by name is never trained on."""
LARGEST_CENTRE = 256
LARGEST_PICTURE = 1024


class Crops:
    """All pictures of a folder: any format that reads, or .npy files of (rows, columns, 3) uint8.

    A picture smaller than a window is padded on its right and at its bottom, as the codec pads it.

    Attributes:
        held_aside: (rows, columns, 3) uint8 each, never trained on.
        training: likewise, to draw from.

    Raises:
        InputError: fewer than two pictures.
    """

    def __init__(self, folder: Path) -> None:
        paths = sorted([*folder.glob("*.npy"), *walk(folder).files])
        if len(paths) < 2:
            raise InputError(f"{folder} holds {len(paths)} pictures: two or more are needed, hundreds are wanted")
        pictures = [_read(path) for path in paths]
        self.held_aside = pictures[::HELD_ASIDE_EVERY]
        self.training = [picture for index, picture in enumerate(pictures) if index % HELD_ASIDE_EVERY]

    def draw(
        self,
        count: int,
        side: int,
        random: np.random.Generator,
        *,
        jitter_share: float = 0,
        graphic_share: float = 0,
        flat_share: float = 0,
        grey_share: float = 0,
    ) -> NDArray[np.uint8]:
        """(count, side, side, 3) uint8: windows at random places, flipped and turned at random.

        Args:
            count: of windows.
            side: in pixels.
            random: where all choices come from.
            jitter_share: so many of the windows, 0..1, have colours that photographs seldom have.
            graphic_share: so many are drawings.
            flat_share: so many are of one colour, or two.
            grey_share: so many are photographs without colours.
        """
        windows = []
        for _ in range(count):
            kind = random.random()
            if kind < graphic_share:
                windows.append(synthetic_graphic(side, random))
                continue
            if kind < graphic_share + flat_share:
                windows.append(flat_window(side, random))
                continue
            picture = self.training[random.integers(len(self.training))]
            top, left = (random.integers(max(length - side, 0) + 1) for length in picture.shape[:2])
            part = picture[top : top + side, left : left + side]
            if random.random() < 0.5:
                part = part[:, ::-1]
            if random.random() < 0.15:  # turned pictures are rare in use: horizons and trunks keep their statistics
                part = part.transpose(1, 0, 2)
            if kind > 1 - jitter_share:
                part = colour_jitter(part, random)
            elif kind > 1 - jitter_share - grey_share:
                part = grey_window(part)
            windows.append(_padded(part, side))
        return np.stack(windows)

    def held_aside_centres(self) -> NDArray[np.uint8]:
        """(pictures, side, side, 3) uint8: the middle of each held-aside picture, at most 256 a side."""
        return _centres(self.held_aside)

    def some_training(self, count: int) -> list[NDArray[np.uint8]]:
        """`count` training pictures, or all, evenly spread."""
        places = np.linspace(0, len(self.training) - 1, min(count, len(self.training)))
        return [self.training[index] for index in places.astype(int)]

    def training_pictures(self, count: int) -> Iterator[NDArray[np.uint8]]:
        """(rows, columns, 3) uint8: some training pictures, at most 1024 a side, padded as the codec pads them."""
        for picture in self.some_training(count):
            part = _middle(picture, LARGEST_PICTURE)
            whole = Window(0, 0, *part.shape[:2]).divided(HYPER_BLOCK).times(HYPER_BLOCK)
            yield pixels_in(part, whole, block=BLOCK)

    def training_centres(self, count: int) -> NDArray[np.uint8]:
        """(pictures, side, side, 3) uint8: the middles of some training pictures."""
        return _centres(self.some_training(count))


def _centres(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    longest = max(max(picture.shape[:2]) for picture in pictures)
    side = min(LARGEST_CENTRE, -(-longest // HYPER_BLOCK) * HYPER_BLOCK)
    return np.stack([_padded(_middle(picture, side), side) for picture in pictures])


def _middle(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    top, left = (max(length - side, 0) // 2 for length in picture.shape[:2])
    return picture[top : top + side, left : left + side]


def to_pixels(batch: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """(batch, rows, columns, 3) uint8 -> (batch, 3, rows, columns) float32 in -0.5..0.5, channels last in memory."""
    return torch.from_numpy(batch).to(device).permute(0, 3, 1, 2).float().div_(255).sub_(0.5)


def _read(path: Path) -> NDArray[np.uint8]:
    """(rows, columns, 3) uint8; grey becomes three equal channels."""
    if path.suffix == ".npy":
        array: NDArray[np.uint8] = np.load(path)
        return array
    pixels = read_picture(path, depth=8, frame=0).pixels
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def _padded(part: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    return pixels_in(part, Window(0, 0, side, side), block=BLOCK)
