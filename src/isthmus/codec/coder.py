"""What every kind of model does for the pipeline: pictures to latents, latents to payloads, payloads to pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from isthmus.container.image_file import ImageFile
from isthmus.imaging.windows import Window
from isthmus.values import Picture

Latents = NDArray[np.float32]
"""(channels, rows, columns) of one tile."""
TileLatents = tuple[int, Latents]
"""A tile's number, row by row, and its latents."""

PLAIN_THRIFT = 1.0


class Quantisation(NamedTuple):
    """How a picture is quantised."""

    quality: int
    """Of the file, 1..100."""
    thrift: float = PLAIN_THRIFT
    """How sparing the rounding is: between two qualities of the file, the higher one with some thrift."""


class Coder(Protocol):
    """The networks and the entropy model of one model file."""

    @property
    def thrifts(self) -> Sequence[float]:
        """How sparing rounding may be beyond `PLAIN_THRIFT`, rising: fewer bytes at one quality. Empty: it cannot."""
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
        """Side of the tiles that a picture is cut into; 0 for one tile."""
        ...

    def suited(self, picture: Picture, quality: int) -> Quantisation:
        """What suits a picture where `quality` is asked for: busy pictures may need less."""
        ...

    def analyse(self, pictures: Sequence[Picture]) -> Iterator[Iterable[TileLatents]]:
        """For each picture its tiles' latents. The pictures are of one size and mode; tiles may come in any order."""
        ...

    def encode(self, tiles: Iterable[TileLatents], quality: int, *, thrift: float = PLAIN_THRIFT) -> tuple[bytes, ...]:
        """The payload of each tile of one picture, in the order of their numbers."""
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

    def symbols(self, image: ImageFile) -> list[NDArray[np.int32]]:
        """What the entropy coder reads, for each tile (channels, rows, columns): the same on every machine."""
        ...


@runtime_checkable
class BatchCoder(Protocol):
    """A coder that also codes many pictures in one go, faster than one by one, to the same bytes."""

    def encode_batch(self, pictures: Sequence[Picture], quality: int) -> list[tuple[bytes, ...]]:
        """The payload of each tile of each picture; the pictures are of one size and mode."""
        ...

    def decode_batch(self, payloads: Sequence[bytes], size: tuple[int, int], quality: int) -> NDArray[np.uint8]:
        """Pixels (count, rows, columns, channels) of pictures of one tile each; the size is (height, width).

        Raises:
            FormatError: a payload that is none.
        """
        ...
