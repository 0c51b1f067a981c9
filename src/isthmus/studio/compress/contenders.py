"""One picture in one codec, to be coded at any quality: Isthmus with its analysis kept, and the codecs of others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isthmus.codec import pipeline
from isthmus.codec.coder import TileLatents
from isthmus.codec.model import Model
from isthmus.codec.targets import SEARCH_STEPS
from isthmus.evaluate.codec import Codec
from isthmus.evaluate.measuring import like_original
from isthmus.imaging.windows import Window, cut
from isthmus.studio.answers import Check
from isthmus.values import QUALITIES, Picture

PIECE = (512, 1024)
"""Rows and columns of the parts in which a large picture appears: whole tiles, so that none is decoded twice."""
AT_ONCE = 2_000_000
"""Pixels up to which a picture is decoded as a whole."""

Pixels = NDArray[np.uint8]
"""(rows, columns, channels)."""


class Contender(Protocol):
    """A codec's way with one picture."""

    @property
    def picture(self) -> Picture:
        """What it codes."""
        ...

    @property
    def scale(self) -> Sequence[float]:
        """The qualities that a search may choose, from small files to large ones."""
        ...

    def suited(self, quality: float) -> float:
        """What is coded where a person asks for a quality."""
        ...

    def file_at(self, quality: float, check: Check) -> bytes:
        """The bytes of a whole file, without alpha and metadata."""
        ...

    def pieces(self, data: bytes, focus: tuple[int, int]) -> Iterator[tuple[Window, Pixels]]:
        """The decoded picture in parts, those near (row, column) first."""
        ...


class IsthmusContender:
    """A model; the analysis runs once.

    Args:
        picture: opaque, without metadata.
        model: that takes it, or to which it is fitted.
    """

    def __init__(self, picture: Picture, model: Model) -> None:
        self.model = model
        self.picture = pipeline.taken(picture, model.coder, fit=True)
        self.scale = tuple(step / SEARCH_STEPS for step in range(SEARCH_STEPS, SEARCH_STEPS * QUALITIES + 1))
        self._tiles: list[TileLatents] | None = None

    @property
    def is_analysed(self) -> bool:
        """Whether the next file needs no analysis."""
        return self._tiles is not None

    @property
    def latent_bytes(self) -> int:
        """Memory that the kept analysis takes."""
        return sum(latents.nbytes for _, latents in self._tiles or ())

    def suited(self, quality: float) -> float:
        """See `Contender.suited`: adapted to the picture, as `Model.encode` does."""
        return self.model.coder.adapt_quality(self.picture, quality)

    def file_at(self, quality: float, check: Check) -> bytes:
        """See `Contender.file_at`."""
        if self._tiles is None:
            tiles = []
            for number, latents in next(iter(self.model.coder.analyse([self.picture]))):
                check()
                tiles.append((number, np.array(latents)))  # not a part of its piece, which it would keep alive
            self._tiles = tiles
        check()
        return pipeline.encode_latents(self.picture, self._tiles, self.model.coder, quality)

    def pieces(self, data: bytes, focus: tuple[int, int]) -> Iterator[tuple[Window, Pixels]]:
        """See `Contender.pieces`."""
        for window in windows_from(self.picture, focus):
            yield window, pipeline.decode_region(data, self.model.coder, window).pixels

    def preview(self, quality: float, focus: tuple[int, int]) -> tuple[Window, Pixels]:
        """The part at the focus, coded alone: all but the same pixels, long before the whole is coded."""
        window = windows_from(self.picture, focus)[0]
        part = np.ascontiguousarray(self.picture.pixels[window.inside(_whole(self.picture))])
        tiles = next(iter(self.model.coder.analyse([Picture(part)])))
        data = pipeline.encode_latents(Picture(part), tiles, self.model.coder, quality)
        return window, pipeline.decode([data], self.model.coder)[0].pixels

    def full_file(self, picture: Picture, quality: float) -> bytes:
        """The file with alpha and metadata, as it is downloaded."""
        fitted = pipeline.taken(picture, self.model.coder, fit=True)
        if self._tiles is not None and fitted.alpha is None and fitted.pixels.shape == self.picture.pixels.shape:
            return pipeline.encode_latents(fitted, self._tiles, self.model.coder, quality)
        tiles = next(iter(self.model.coder.analyse([fitted])))
        return pipeline.encode_latents(fitted, tiles, self.model.coder, quality)


class ClassicContender:
    """A codec of others, with the settings of `isthmus evaluate`.

    Args:
        picture: opaque, without metadata.
        codec: its two directions.
    """

    def __init__(self, picture: Picture, codec: Codec) -> None:
        self.codec, self.scale = codec, codec.scale
        self.picture = picture
        self._plain = picture.pixels[:, :, 0] if picture.channels == 1 else picture.pixels

    def suited(self, quality: float) -> float:
        """See `Contender.suited`: the nearest that the codec has."""
        return min(max(quality, self.scale[0]), self.scale[-1])

    def file_at(self, quality: float, check: Check) -> bytes:
        """See `Contender.file_at`."""
        check()
        return self.codec.encode(self._plain, quality)

    def pieces(self, data: bytes, focus: tuple[int, int]) -> Iterator[tuple[Window, Pixels]]:
        """See `Contender.pieces`: all at once."""
        del focus
        decoded = like_original(self.codec.decode(data), self._plain)
        yield _whole(self.picture), decoded.reshape(self.picture.pixels.shape)


def windows_from(picture: Picture, focus: tuple[int, int]) -> list[Window]:
    """The parts of a picture, from (row, column) outwards; one of all where it is small."""
    whole = _whole(picture)
    if picture.height * picture.width <= AT_ONCE:
        return [whole]

    def distance(window: Window) -> float:
        return abs(window.top + window.height / 2 - focus[0]) + abs(window.left + window.width / 2 - focus[1])

    return sorted(cut(whole, *PIECE), key=distance)


def bare(picture: Picture) -> Picture:
    """A picture without what belongs to no pixel."""
    return replace(picture, alpha=None, icc=None, exif=None, xmp=None, resolution=None)


def _whole(picture: Picture) -> Window:
    return Window(0, 0, picture.height, picture.width)
