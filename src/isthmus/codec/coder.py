"""What every kind of model does for the pipeline: pictures to latents, latents to payloads, payloads to pixels.

A quality is a real number from 1 to 100. A file holds a whole one, `whole_quality`; what lies between two whole ones is
the encoder's affair, and the decoder needs to know nothing of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from isthmus.container.image_file import ImageFile
from isthmus.container.model_file import ModelFile
from isthmus.imaging.windows import Window
from isthmus.values import Picture

Latents = NDArray[np.float32]
"""(channels, rows, columns) of one tile."""
TileLatents = tuple[int, Latents]
"""A tile's number, row by row, and its latents."""


def whole_quality(quality: float) -> int:
    """The quality that stands in a file for which `quality` (1 to 100) is asked: the next whole number.

    Example:
        >>> whole_quality(60), whole_quality(60.25)
        (60, 61)
    """
    return math.ceil(quality)


class Coder(Protocol):
    """The networks and the entropy model of one model file."""

    @property
    def file(self) -> ModelFile:
        """The model file."""
        ...

    @property
    def is_general(self) -> bool:
        """Whether it is for pictures of all kinds, so that some may be better coded otherwise."""
        ...

    def takes(self, picture: Picture) -> bool:
        """Whether a picture's size and mode suit the model."""
        ...

    def check(self, image: ImageFile) -> None:
        """Refuse a file that this model cannot have written.

        Raises:
            FormatError: its facts and the model's do not agree.
        """
        ...

    def tile_size(self, picture: Picture) -> int:
        """Side of the tiles that a picture is cut into, in pixels; 0 for one tile."""
        ...

    def quality_scale(self, picture: Picture) -> Callable[[float], float]:
        """Look at a picture once: from a quality that is asked for to that at which it is coded, both 1 to 100.

        Busy pictures need less than smooth ones.
        """
        ...

    def analyse(self, pictures: Sequence[Picture]) -> Iterator[Iterable[TileLatents]]:
        """For each picture its tiles' latents. The pictures are of one size and mode; tiles may come in any order."""
        ...

    def encode(self, tiles: Iterable[TileLatents], quality: float, *, is_shown: bool = False) -> tuple[bytes, ...]:
        """The payload of each tile of one picture, in the order of their numbers, for `whole_quality(quality)`.

        Where `is_shown`, they are likely to be decoded at once: a coder may keep what they decode to.
        """
        ...

    def decode(self, images: Sequence[ImageFile]) -> Iterator[NDArray[np.uint8]]:
        """Pixels (rows, columns, channels) of each file; files are of one size and mode.

        Raises:
            FormatError: a payload that is none.
        """
        ...

    def decode_region(self, image: ImageFile, region: Window) -> NDArray[np.uint8]:
        """Pixels of a part of one picture; only the tiles that it needs are decoded. Missing tiles are left blank.

        Raises:
            FormatError: a payload that is none.
        """
        ...

    def latents_of(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """(count, channels, rows, columns) latents of pictures of one size and mode, not quantised."""
        ...

    def codes_of(self, payloads: Sequence[bytes], size: tuple[int, int], quality: int) -> NDArray[np.float32]:
        """(count, channels, rows, columns) latents of pictures of (height, width) in one tile, as they are decoded."""
        ...

    def symbols(self, image: ImageFile) -> list[NDArray[np.int32]]:
        """What the entropy coder reads, for each tile (channels, rows, columns): the same on every machine."""
        ...


@runtime_checkable
class BatchCoder(Protocol):
    """A coder that also codes many pictures in one go, faster than one by one, to the same bytes."""

    def encode_batch(self, pictures: Sequence[Picture], quality: float) -> list[tuple[bytes, ...]]:
        """The payload of each tile of each picture; the pictures are of one size and mode."""
        ...

    def decode_batch(self, payloads: Sequence[bytes], size: tuple[int, int], quality: int) -> NDArray[np.uint8]:
        """Pixels (count, rows, columns, channels) of pictures of one tile each; the size is (height, width).

        Raises:
            FormatError: a payload that is none.
        """
        ...
