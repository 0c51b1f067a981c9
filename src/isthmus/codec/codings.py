"""One picture in each coding that it may have; what was computed for one wish is kept for the next.

picture -> the model's latents, once -> payloads of each quality that is tried -> files, scores
        -> lossless WebP, AVIF      -> the same
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from isthmus.codec import format_coder, pipeline
from isthmus.codec.coder import Coder, TileLatents
from isthmus.codec.first_look import SMALL, TINY, is_even, looks_like_photograph
from isthmus.codec.sections import to_sections
from isthmus.codec.targets import GRAPHICS, LEARNED, SEARCH_STEPS, lowest_quality
from isthmus.container.asked import Asked
from isthmus.container.image_file import ImageFile, write_image
from isthmus.container.image_header import ALPHA, FORMATS
from isthmus.imaging import foreign
from isthmus.imaging.fitting import BLACK, WHITE, over_white
from isthmus.metrics.distortion import psnr
from isthmus.metrics.ssimulacra2 import SMALLEST_SIDE, ssimulacra2
from isthmus.values import QUALITIES, Picture

PSNR, SSIMULACRA2 = "psnr", "ssimulacra2"
EVEN_SSIMULACRA2 = "ssimulacra2 of even pictures"
"""The score where no value is off by more than EVEN_ERROR; else none at all."""
EVEN_ERROR = 3
"""In grey levels."""
KEPT = 32
"""Payloads that stay in memory: more than one search tries."""

Payload = tuple[bytes, ...]
"""Of each tile."""


@dataclass(frozen=True)
class Trial:
    """One lossy coding of one picture at any of its qualities.

    Attributes:
        coding: LEARNED or GRAPHICS.
        first: its lowest quality.
        last: its highest one.
        steps: qualities between two whole ones.
        file_at: the .isth bytes at a quality.
        score_at: what they reach in PSNR, SSIMULACRA2 or EVEN_SSIMULACRA2.
    """

    coding: str
    first: int
    last: int
    steps: int
    file_at: Callable[[float], bytes]
    score_at: Callable[[float, str], float]

    def lowest_reaching(self, wanted: float, measure: str, *, below: float) -> float | None:
        """The lowest quality that reaches a score in fewer bytes than `below`; None where there is none."""
        if self.coding == GRAPHICS and len(self.file_at(self.first)) >= below:
            return None  # at once: with little pictures that is the rule, as AVIF has hundreds of bytes of its own

        def is_enough(quality: float) -> bool:
            return len(self.file_at(quality)) >= below or self.score_at(quality, measure) >= wanted

        quality = lowest_quality(is_enough, first=self.first, last=self.last, steps=self.steps)
        if quality is None or len(self.file_at(quality)) >= below:
            return None
        return quality if self.score_at(quality, measure) >= wanted else None

    def highest_within(self, limit: int) -> float | None:
        """The highest quality whose file has at most `limit` bytes; None where there is none."""
        too_large = lowest_quality(
            lambda quality: len(self.file_at(quality)) > limit, first=self.first, last=self.last, steps=self.steps
        )
        if too_large is None:
            return self.last
        return None if too_large == self.first else too_large - 1 / self.steps


class Codings:
    """What the codings make of one picture; each is computed when it is first asked for. Not for two threads at once.

    Args:
        picture: that the model takes, or any where only the exact coding is asked for.
        coder: of the model.
        in_pack: it is one of many that share one quality of the latents, which is not adapted to it, and it is looked
            at even where it is small, but for the tiniest.
        at_step: called before each part of the work; what it raises ends the work, and what was computed stays.
    """

    def __init__(
        self, picture: Picture, coder: Coder, *, in_pack: bool = False, at_step: Callable[[], None] = lambda: None
    ) -> None:
        self.picture, self.coder, self.in_pack, self._at_step = picture, coder, in_pack, at_step
        self._payloads: dict[tuple[str, float], Payload] = {}
        self._scores: dict[tuple[str, float, str], float] = {}
        self._exact: dict[bool, Payload] = {}

    @property
    def memory(self) -> int:
        """Bytes that are kept beside the picture."""
        latents = sum(latents.nbytes for _, latents in self.latents) if self.is_analysed else 0
        payloads = (*self._payloads.values(), *self._exact.values())
        return latents + sum(len(tile) for payload in payloads for tile in payload)

    @property
    def is_analysed(self) -> bool:
        """Whether the model's next file needs no analysis."""
        return "latents" in self.__dict__

    @cached_property
    def is_photograph(self) -> bool:
        """Whether it looks like one."""
        if self.picture.alpha is not None:
            return False
        return looks_like_photograph(self.picture.pixels, small=TINY if self.in_pack else SMALL)

    @cached_property
    def is_even(self) -> bool:
        """Whether it has nothing but flat colours and ramps."""
        return self.picture.alpha is None and is_even(self.picture.pixels)

    @cached_property
    def adapt_quality(self) -> Callable[[float], float]:
        """See `Coder.quality_scale`."""
        return float if self.in_pack else self.coder.quality_scale(self._coded)

    @cached_property
    def latents(self) -> list[TileLatents]:
        """Of each tile, by the model."""
        found = []
        for number, latents in next(iter(self.coder.analyse([self._coded]))):
            self._at_step()
            found.append((number, np.array(latents)))  # not a part of its piece, which it would keep alive
        return found

    def learned(self, asked: Asked) -> Trial:
        """The model's coding, in files that say what was asked for."""

        def file_at(quality: float) -> bytes:
            return pipeline.to_file(self.picture, self._payload(LEARNED, quality), self.coder, quality, asked)

        return Trial(LEARNED, 1, QUALITIES, SEARCH_STEPS, file_at, partial(self._score, LEARNED, file_at))

    def graphics(self, asked: Asked) -> Trial:
        """AVIF's."""
        sections = to_sections(replace(self.picture, alpha=None) if self._has_alpha_in_avif else self.picture)

        def file_at(quality: float) -> bytes:
            return self._file("avif", max(1, int(quality)), self._payload(GRAPHICS, quality), sections, asked)

        return Trial(GRAPHICS, 0, foreign.AVIF_QUALITIES, 1, file_at, partial(self._score, GRAPHICS, file_at))

    def exact(self, asked: Asked, *, keep_hidden: bool) -> bytes:
        """The lossless file; the colours of pixels that are fully transparent are kept where that is asked for."""
        if keep_hidden not in self._exact:
            self._at_step()
            self._exact[keep_hidden] = format_coder.encode_exactly(
                self._pixels, self.picture.alpha, keep_hidden=keep_hidden
            )
        sections = to_sections(replace(self.picture, alpha=None))
        return self._file("webp", QUALITIES, self._exact[keep_hidden], sections, asked)

    def _payload(self, coding: str, quality: float) -> Payload:
        key = (coding, quality)
        if key not in self._payloads:
            self._at_step()
            if coding == LEARNED:
                made = self.coder.encode(self.latents, quality, is_shown=True)
            else:
                alpha = self.picture.alpha if self._has_alpha_in_avif else None
                made = format_coder.encode_as_avif(self._pixels, alpha, int(quality))
            while len(self._payloads) >= KEPT:
                del self._payloads[next(iter(self._payloads))]
            self._payloads[key] = made
        return self._payloads[key]

    def _score(self, coding: str, file_at: Callable[[float], bytes], quality: float, measure: str) -> float:
        key = (coding, quality, measure)
        if key not in self._scores:
            data = file_at(quality)
            self._at_step()
            self._scores[key] = score(self.picture, pipeline.decode([data], self.coder)[0], measure)
        return self._scores[key]

    @property
    def _coded(self) -> Picture:
        return pipeline.as_coded(self.picture, self.coder).picture

    @property
    def _has_alpha_in_avif(self) -> bool:
        """Whether AVIF codes alpha too, at its quality; else it is exact, in a section: of grey, and in packs."""
        return self.picture.alpha is not None and self._pixels.shape[2] == 3 and not self.in_pack

    @cached_property
    def _pixels(self) -> NDArray[np.uint8]:
        """As the formats take them: one channel where three are equal."""
        pixels = self.picture.pixels
        is_grey = pixels.shape[2] == 3 and pipeline.is_neutral(pixels)
        return np.ascontiguousarray(pixels[:, :, :1]) if is_grey else pixels

    def _file(self, name: str, quality: int, tiles: Payload, sections: dict[int, bytes], asked: Asked) -> bytes:
        picture, channels = self.picture, self._pixels.shape[2]
        return write_image(
            ImageFile(
                model_id=FORMATS[name],
                width=picture.width,
                height=picture.height,
                channels=channels,
                quality=quality,
                tiles=tiles,
                tile_size=format_coder.tile_size(picture.height, picture.width),
                sections=sections,
                neutral=channels < picture.channels,
                alpha_inside=picture.alpha is not None and ALPHA not in sections,
                asked=None if asked == Asked("quality", quality) else asked,
            )
        )


def score(picture: Picture, shown: Picture, measure: str) -> float:
    """How near a decoded picture is to its original; where they have alpha, on white or on black, whichever is worse.

    Pictures too small for SSIMULACRA2 are repeated at their edges.
    """
    if picture.alpha is None:
        return _score(picture.pixels, shown.pixels, measure)
    papers = ([_on(paper, one) for one in (picture, shown)] for paper in (WHITE, BLACK))
    return min(_score(first, second, measure) for first, second in papers)


def _on(paper: int, picture: Picture) -> NDArray[np.uint8]:
    return picture.pixels if picture.alpha is None else over_white(picture.pixels, picture.alpha, paper=paper)


def _score(first: NDArray[np.uint8], second: NDArray[np.uint8], measure: str) -> float:
    if measure == PSNR:
        return psnr(first, second)
    if measure == EVEN_SSIMULACRA2 and np.abs(first.astype(np.int16) - second).max() > EVEN_ERROR:
        return -math.inf
    missing = [max(0, SMALLEST_SIDE - side) for side in first.shape[:2]]
    if any(missing):
        around = ((0, missing[0]), (0, missing[1]), (0, 0))
        first, second = np.pad(first, around, mode="edge"), np.pad(second, around, mode="edge")
    return ssimulacra2(first, second)
