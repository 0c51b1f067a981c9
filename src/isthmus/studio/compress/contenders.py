"""One picture in one codec, to be coded for any wish: Isthmus with its analysis kept, and the codecs of others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol

import numpy as np

from isthmus.codec import pipeline
from isthmus.codec.choosing import encode_best, is_learned_at_once
from isthmus.codec.codings import Codings
from isthmus.codec.model import Model
from isthmus.codec.targets import LEARNED
from isthmus.codec.targets import Wish as CodecWish
from isthmus.container.image_file import read_image, write_image
from isthmus.container.image_header import ALPHA, read_header
from isthmus.evaluate.codec import Codec
from isthmus.evaluate.measuring import like_original
from isthmus.imaging.fitting import over_white
from isthmus.imaging.windows import Window, cut
from isthmus.studio.answers import Check
from isthmus.studio.compress.matching import Pixels, matching_quality
from isthmus.studio.compress.wishes import QUALITY, Wish
from isthmus.values import Picture

PIECE = (512, 1024)
"""Rows and columns of the parts in which a large picture appears: whole tiles, so that none is decoded twice."""
AT_ONCE = 2_000_000
"""Pixels up to which a picture is decoded as a whole."""
WAIT = 0.05
"""Seconds between two looks whether a question that waits for another one is still wanted."""


@dataclass(frozen=True)
class Made:
    """The file that a wish led to.

    Attributes:
        data: the whole file.
        quality: that stands in it, or that the codec was given.
        coding: "learned", "webp" (exact) or "avif" of Isthmus; empty for other codecs.
        extra: bytes of the file that are metadata, which the files of other codecs here have not.
        seconds: that coding took: of Isthmus with its search, of others without.
    """

    data: bytes
    quality: float
    coding: str = ""
    extra: int = 0
    seconds: float = 0.0


class Contender(Protocol):
    """A codec's way with one picture."""

    @property
    def picture(self) -> Picture:
        """What is compared: opaque, without metadata."""
        ...

    def file_for(self, wish: Wish, check: Check, report: Callable[[float], None]) -> Made:
        """The file that a wish leads to.

        Args:
            wish: what is asked.
            check: raises where nobody waits any more.
            report: told the share of a search that is done.

        Raises:
            UsageError: out of the codec's reach.
        """
        ...

    def pieces(self, data: bytes, focus: tuple[int, int]) -> Iterator[tuple[Window, Pixels]]:
        """The decoded picture in parts, those near (row, column) first."""
        ...


class IsthmusContender:
    """A model; what one wish needs is kept for the next. Its files are those of `isthmus compress`.

    Args:
        picture: with its transparency and metadata.
        model: that takes it, or to which it is fitted.
    """

    def __init__(self, picture: Picture, model: Model) -> None:
        self.model = model
        fitted = pipeline.taken(picture, model.coder, fit=True)
        self.picture = Picture(_on_white(fitted))
        self._codings = Codings(fitted, model.coder, at_step=self._step)
        self._turn, self._check = threading.Lock(), _go_on

    @property
    def memory(self) -> int:
        """Bytes that are kept beside the picture."""
        return self._codings.memory

    def file_for(self, wish: Wish, check: Check, report: Callable[[float], None]) -> Made:
        """See `Contender.file_for`; how long a search takes is not known before."""
        del report
        asked = CodecWish(wish.target)
        with self._in_turn(check):
            start = time.perf_counter()
            data = encode_best(self._codings, asked)
            seconds = time.perf_counter() - start
        header = read_header(data)
        return Made(data, header.quality, header.format or LEARNED, len(data) - _size_without_metadata(data), seconds)

    def pieces(self, data: bytes, focus: tuple[int, int]) -> Iterator[tuple[Window, Pixels]]:
        """See `Contender.pieces`; formats of others are decoded all at once."""
        if read_header(data).format:
            yield _whole(self.picture), _on_white(pipeline.decode([data], self.model.coder)[0])
            return
        for window in windows_from(self.picture, focus):
            yield window, _on_white(pipeline.decode_region(data, self.model.coder, window))

    def preview(self, wish: Wish, focus: tuple[int, int]) -> tuple[Window, Pixels] | None:
        """The part at the focus, coded alone: all but the same pixels, long before the whole is coded.

        None where the whole is soon there, or what it will be coded as is not known yet.
        """
        asked = CodecWish(wish.target)
        if self._codings.is_analysed or not is_learned_at_once(self._codings, asked):
            return None
        window, coder = windows_from(self.picture, focus)[0], self.model.coder
        part = Picture(np.ascontiguousarray(self.picture.pixels[window.inside(_whole(self.picture))]))
        quality = self._codings.adapt_quality(wish.value)
        data = Codings(part, coder).learned(asked.target.asked(wish.value)).file_at(quality)
        return window, pipeline.decode([data], coder)[0].pixels

    @contextmanager
    def _in_turn(self, check: Check) -> Iterator[None]:
        """One question at a time; `check` is called while it waits, and at each step of its work."""
        while not self._turn.acquire(timeout=WAIT):
            check()
        try:
            self._check = check
            yield
        finally:
            self._check = _go_on
            self._turn.release()

    def _step(self) -> None:
        self._check()


class ClassicContender:
    """A codec of others, with the settings of `isthmus evaluate`.

    Args:
        picture: opaque, without metadata.
        codec: its two directions.
    """

    def __init__(self, picture: Picture, codec: Codec) -> None:
        self.codec, self.picture = codec, picture
        self._plain = picture.pixels[:, :, 0] if picture.channels == 1 else picture.pixels

    def file_for(self, wish: Wish, check: Check, report: Callable[[float], None]) -> Made:
        """See `Contender.file_for`; a quality that the codec has not is the nearest that it has."""

        @cache
        def made(quality: float) -> Made:
            check()
            start = time.perf_counter()
            data = self.codec.encode(self._plain, quality)
            return Made(data, quality, seconds=time.perf_counter() - start)

        scale = self.codec.scale
        if wish.kind == QUALITY:
            return made(min(max(wish.value, scale[0]), scale[-1]))

        def decoded(quality: float) -> Pixels:
            data = made(quality).data
            check()
            return self._decoded(data)

        return made(
            matching_quality(scale, self.picture.pixels, wish, lambda quality: len(made(quality).data), decoded, report)
        )

    def pieces(self, data: bytes, focus: tuple[int, int]) -> Iterator[tuple[Window, Pixels]]:
        """See `Contender.pieces`: all at once."""
        del focus
        yield _whole(self.picture), self._decoded(data)

    def _decoded(self, data: bytes) -> Pixels:
        return like_original(self.codec.decode(data), self._plain).reshape(self.picture.pixels.shape)


def windows_from(picture: Picture, focus: tuple[int, int]) -> list[Window]:
    """The parts of a picture, from (row, column) outwards; one of all where it is small."""
    whole = _whole(picture)
    if picture.height * picture.width <= AT_ONCE:
        return [whole]

    def distance(window: Window) -> float:
        return abs(window.top + window.height / 2 - focus[0]) + abs(window.left + window.width / 2 - focus[1])

    return sorted(cut(whole, *PIECE), key=distance)


def _size_without_metadata(data: bytes) -> int:
    """Bytes of the file of the same picture without profile, EXIF, XMP and resolution."""
    image = read_image(data)
    alpha = {kind: section for kind, section in image.sections.items() if kind == ALPHA}
    return len(data) if len(alpha) == len(image.sections) else len(write_image(replace(image, sections=alpha)))


def _on_white(picture: Picture) -> Pixels:
    return picture.pixels if picture.alpha is None else over_white(picture.pixels, picture.alpha)


def _whole(picture: Picture) -> Window:
    return Window(0, 0, picture.height, picture.width)


def _go_on() -> None:
    """What is checked where nobody waits: nothing."""
