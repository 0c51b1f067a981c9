"""Which coding suits each picture: the model, lossless WebP or AVIF; and the quality of it that meets a wish.

pictures -> those that look like photographs -> the model at once
         -> others -> a trial of each coding -> the fewest bytes that do what was asked for
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from isthmus.codec import format_coder, pipeline
from isthmus.codec.coder import Coder
from isthmus.codec.first_look import looks_like_photograph
from isthmus.codec.sections import to_sections
from isthmus.codec.targets import AUTO, EXACT, GRAPHICS, LEARNED, SEARCH_STEPS, Wish, lowest_quality
from isthmus.container.asked import Asked
from isthmus.container.image_file import ALPHA, FORMATS, ImageFile, write_image
from isthmus.errors import UsageError
from isthmus.imaging import foreign
from isthmus.imaging.fitting import over_white
from isthmus.metrics.distortion import psnr
from isthmus.metrics.ssimulacra2 import SMALLEST_SIDE, ssimulacra2
from isthmus.values import QUALITIES, Picture

GAIN = 0.97
"""AVIF is taken where it needs at most this share of the model's bytes: files of one coding are simpler to have."""
PSNR_AT = (26.0, 0.17)
"""What a quality asks for where the model is of PSNR, at quality 0 and per quality: about what photographs reach."""
HIGHEST_SCORE = 92.0
"""What quality asks for at most, in SSIMULACRA2: no difference can be seen from 90 on."""
PSNR, SSIMULACRA2 = "psnr", "ssimulacra2"


def encode_wished(pictures: Sequence[Picture], coder: Coder, wish: Wish, *, fit: bool = False) -> list[bytes]:
    """Pictures to .isth bytes, each in the coding that suits it.

    Args:
        pictures: of any sizes and modes.
        coder: of the model.
        wish: what is asked for.
        fit: convert and resize pictures to what the model takes.

    Raises:
        ModelMismatchError: a picture that the model does not take, and `fit` is false; none is encoded.
        UsageError: the target is out of reach.
    """
    quality = wish.target.quality or coder.file.default_quality
    asked = wish.target.asked(coder.file.default_quality)
    taken = [picture if wish_is_exact(wish) else pipeline.taken(picture, coder, fit=fit) for picture in pictures]
    is_plain = not wish.target.is_search and not wish_is_exact(wish)
    at_once = [is_plain and _is_learned_at_once(picture, coder, wish) for picture in taken]
    chosen = [picture for picture, is_quick in zip(taken, at_once, strict=True) if is_quick]
    learned = iter(pipeline.encode(chosen, coder, quality=quality, asked=asked))
    return [
        next(learned) if is_quick else _Choice(picture, coder, wish).best()
        for picture, is_quick in zip(taken, at_once, strict=True)
    ]


def wish_is_exact(wish: Wish) -> bool:
    """Whether no other coding than the exact one will do; it takes any picture, whatever the model takes."""
    return wish.target.lossless or wish.coding == EXACT


def _is_learned_at_once(picture: Picture, coder: Coder, wish: Wish) -> bool:
    """Whether nothing but the model need be tried."""
    if wish.coding != AUTO:
        return wish.coding == LEARNED
    return not coder.is_general or (picture.alpha is None and looks_like_photograph(picture.pixels))


@dataclass(frozen=True)
class _Trial:
    """One lossy coding of one picture at any of its qualities."""

    coding: str
    first: int
    last: int
    steps: int
    file_at: Callable[[float], bytes]
    score_at: Callable[[float, str], float]

    def lowest_reaching(self, wanted: float, measure: str, *, below: float) -> float | None:
        """The lowest quality that reaches a score in fewer bytes than `below`; None where there is none."""

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


class _Choice:
    """What the codings make of one picture; each is computed when it is first asked for."""

    def __init__(self, picture: Picture, coder: Coder, wish: Wish) -> None:
        self.picture, self.coder, self.wish = picture, coder, wish
        self.asked = wish.target.asked(coder.file.default_quality)
        self.is_photograph = picture.alpha is None and looks_like_photograph(picture.pixels)

    def best(self) -> bytes:
        """The file that does what was asked for.

        Raises:
            UsageError: none of the codings that may be used does.
        """
        target = self.wish.target
        limit = target.limit_in_bytes(self.picture.width * self.picture.height)
        if limit is not None:
            return self._within(limit)
        if wish_is_exact(self.wish):
            return self.exact
        if target.psnr is not None:
            return self._reaching(target.psnr, PSNR, "dB")
        if target.ssimulacra2 is not None:
            if min(self.picture.width, self.picture.height) < SMALLEST_SIDE:
                raise UsageError(f"SSIMULACRA2 needs pictures of {SMALLEST_SIDE} pixels a side: name another target")
            return self._reaching(target.ssimulacra2, SSIMULACRA2, "in SSIMULACRA2")
        return self._at_quality(target.quality or self.coder.file.default_quality)

    def _may(self, coding: str) -> bool:
        if self.wish.coding == AUTO:
            return coding == LEARNED or self.coder.is_general
        return self.wish.coding == coding

    def _trials(self) -> list[_Trial]:
        """The lossy codings that may be used, the model first."""
        trials = [self._learned] if self._may(LEARNED) else []
        if self._may(GRAPHICS) and (foreign.has_avif() or self.wish.coding == GRAPHICS):
            trials.append(self._avif)
        return trials

    def _within(self, limit: int) -> bytes:
        """The best file of at most so many bytes."""
        found: list[tuple[float, bytes]] = []
        for trial in self._trials():
            quality = trial.highest_within(limit)
            if quality is not None:
                is_enough = trial.coding == LEARNED and self.is_photograph and quality < trial.last
                if is_enough:
                    return trial.file_at(quality)
                found.append((trial.score_at(quality, SSIMULACRA2), trial.file_at(quality)))
        if self._may(EXACT) and len(self.exact) <= limit:
            return self.exact
        if found:
            return max(found, key=lambda one: one[0])[1]
        smallest = [len(trial.file_at(trial.first)) for trial in self._trials()]
        smallest += [len(self.exact)] if self._may(EXACT) else []
        raise UsageError(f"at most {limit} bytes were asked for, but the smallest file has {min(smallest)}")

    def _reaching(self, wanted: float, measure: str, unit: str) -> bytes:
        """The smallest file that reaches a score."""
        best = self._smallest(wanted, measure)
        if best is not None:
            return best
        reached = max(trial.score_at(trial.last, measure) for trial in self._trials())
        raise UsageError(
            f"{wanted:g} {unit} were asked for, but the coding {self.wish.coding} reaches {reached:.2f} at best"
        )

    def _at_quality(self, quality: float) -> bytes:
        """What the model makes of the quality says what the others have to reach, but it is no excuse for less."""
        adapted = self.coder.adapt_quality(self.picture, quality)
        learned = self._learned
        measure = measure_of(self.coder)
        least = PSNR_AT[0] + PSNR_AT[1] * quality if measure == PSNR else min(quality, HIGHEST_SCORE)
        reached = learned.score_at(adapted, measure)
        best = self._smallest(max(reached, least), measure, at_hand=adapted if reached >= least else None)
        if best is None:  # only one that cannot reach it may be used
            trial = self._avif
            return trial.file_at(trial.last)
        return best

    def _smallest(self, wanted: float, measure: str, *, at_hand: float | None = None) -> bytes | None:
        """The smallest file that reaches a score, with some preference for the model's and for the exact one.

        The model is searched last, and not where even its bytes are too many: each of its trials is a decoding.
        """
        best = self._learned.file_at(at_hand) if at_hand is not None and self._may(LEARNED) else None
        if best is None and self.is_photograph and self._may(LEARNED):
            best = self._lowest(self._learned, wanted, measure, below=math.inf)
        if best is not None and self.is_photograph:
            return best
        exact = self.exact if self._may(EXACT) else None
        most = math.inf if exact is None else len(exact)
        for trial in self._trials():
            if trial.coding == GRAPHICS:
                below = most if best is None else min(most, GAIN * len(best))
                best = self._lowest(trial, wanted, measure, below=below) or best
        if at_hand is None and self._may(LEARNED) and not self.is_photograph:
            below = most if best is None else min(most, len(best) / GAIN)
            best = self._lowest(self._learned, wanted, measure, below=below) or best
        return exact if exact is not None and (best is None or len(exact) <= len(best)) else best

    @staticmethod
    def _lowest(trial: _Trial, wanted: float, measure: str, *, below: float) -> bytes | None:
        quality = trial.lowest_reaching(wanted, measure, below=below)
        return None if quality is None else trial.file_at(quality)

    @cached_property
    def _learned(self) -> _Trial:
        coded = pipeline.as_coded(self.picture, self.coder).picture
        tiles = list(next(iter(self.coder.analyse([coded]))))

        def file_at(quality: float) -> bytes:
            return pipeline.encode_latents(self.picture, tiles, self.coder, quality, self.asked)

        return self._trial(LEARNED, 1, QUALITIES, SEARCH_STEPS, file_at)

    @cached_property
    def _avif(self) -> _Trial:
        def file_at(quality: float) -> bytes:
            tiles = format_coder.encode_as_avif(self._pixels(), int(quality))
            return self._file("avif", max(1, int(quality)), tiles, to_sections(self.picture))

        return self._trial(GRAPHICS, 0, foreign.AVIF_QUALITIES, 1, file_at)

    def _trial(self, coding: str, first: int, last: int, steps: int, file_at: Callable[[float], bytes]) -> _Trial:
        cached = cache(file_at)

        @cache
        def score_at(quality: float, measure: str) -> float:
            decoded = pipeline.decode([cached(quality)], self.coder)[0].pixels
            return score(self.picture, decoded, measure)

        return _Trial(coding, first, last, steps, cached, score_at)

    @cached_property
    def exact(self) -> bytes:
        """The lossless file."""
        picture = self.picture
        tiles = format_coder.encode_exactly(self._pixels(), picture.alpha, keep_hidden=self.wish.exact)
        return self._file("webp", QUALITIES, tiles, to_sections(replace(picture, alpha=None)))

    def _pixels(self) -> NDArray[np.uint8]:
        """As the formats take them: one channel where three are equal."""
        pixels = self.picture.pixels
        is_grey = pixels.shape[2] == 3 and pipeline.is_neutral(pixels)
        return np.ascontiguousarray(pixels[:, :, :1]) if is_grey else pixels

    def _file(self, name: str, quality: int, tiles: tuple[bytes, ...], sections: dict[int, bytes]) -> bytes:
        picture, channels = self.picture, self._pixels().shape[2]
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
                asked=None if self.asked == Asked("quality", quality) else self.asked,
            )
        )


def measure_of(coder: Coder) -> str:
    """What a quality of the model means: SSIMULACRA2 where its file has a map of qualities to it, else PSNR."""
    return SSIMULACRA2 if "quality_map" in coder.file.arrays else PSNR


def score(picture: Picture, decoded: NDArray[np.uint8], measure: str) -> float:
    """How near decoded pixels (rows, columns, channels) are to a picture, as they look on white where it has alpha.

    Pictures too small for SSIMULACRA2 are repeated at their edges.
    """
    first, second = picture.pixels, decoded
    if picture.alpha is not None:
        first, second = over_white(first, picture.alpha), over_white(second, picture.alpha)
    if measure == PSNR:
        return psnr(first, second)
    missing = [max(0, SMALLEST_SIDE - side) for side in first.shape[:2]]
    if any(missing):
        around = ((0, missing[0]), (0, missing[1]), (0, 0))
        first, second = np.pad(first, around, mode="edge"), np.pad(second, around, mode="edge")
    return ssimulacra2(first, second)
