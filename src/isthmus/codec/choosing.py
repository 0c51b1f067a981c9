"""Which coding suits each picture: the model, lossless WebP or AVIF; and the quality of it that meets a wish.

pictures -> those that look like photographs -> the model at once
         -> others -> a trial of each coding -> the fewest bytes that do what was asked for
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from isthmus.codec import pipeline
from isthmus.codec.coder import Coder
from isthmus.codec.codings import EVEN_SSIMULACRA2, PSNR, SSIMULACRA2, Codings, Trial
from isthmus.codec.targets import AUTO, EXACT, GRAPHICS, LEARNED, Wish
from isthmus.errors import UsageError
from isthmus.imaging import foreign
from isthmus.metrics.ssimulacra2 import SMALLEST_SIDE
from isthmus.values import Picture

GAIN = 0.97
"""AVIF is taken where it needs at most this share of the model's bytes: files of one coding are simpler to have."""
PSNR_AT = (26.0, 0.17)
"""What a quality asks for where the model is of PSNR, at quality 0 and per quality: about what photographs reach."""
EVEN_FROM = 90
"""From this quality on no value of flat colours and ramps may be off by more than a few levels: banding is seen."""
HIGHEST_SCORE = 92.0
"""What quality asks for at most, in SSIMULACRA2: no difference can be seen from 90 on."""
CHECKED_PIXELS = 1 << 16
"""Of pictures that look like photographs and are no larger, which a glance says little of, the score is checked."""
SHORTFALL = 15.0
"""So much less than what was asked for, in SSIMULACRA2, and other codings are tried."""


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
    taken = [picture if wish_is_exact(wish) else pipeline.taken(picture, coder, fit=fit) for picture in pictures]
    together: list[Picture] = []
    alone: dict[int, bytes] = {}
    for number, picture in enumerate(taken):
        codings = Codings(picture, coder)
        if is_always_learned(coder, wish) or (not is_checked(codings) and is_learned_at_once(codings, wish)):
            together.append(picture)
        else:
            alone[number] = encode_best(codings, wish)
    learned = iter(pipeline.encode(together, coder, quality=quality, asked=wish.target.asked(quality)))
    return [alone[number] if number in alone else next(learned) for number in range(len(taken))]


def encode_best(codings: Codings, wish: Wish) -> bytes:
    """`encode_wished` of one picture for which wish after wish is asked: what they share is computed once.

    Raises:
        UsageError: the target is out of reach.
    """
    if not is_learned_at_once(codings, wish):
        return _Choice(codings, wish).best()
    quality = wish.target.quality or codings.coder.file.default_quality
    return codings.learned(wish.target.asked(quality)).file_at(codings.adapt_quality(quality))


def wish_is_exact(wish: Wish) -> bool:
    """Whether no other coding than the exact one will do; it takes any picture, whatever the model takes."""
    return wish.target.lossless or wish.coding == EXACT


def is_learned_at_once(codings: Codings, wish: Wish) -> bool:
    """Whether nothing but the model need be tried, and once."""
    if is_always_learned(codings.coder, wish):
        return True
    return _is_chosen_at_a_quality(wish) and _is_photograph(codings, wish)


def is_always_learned(coder: Coder, wish: Wish) -> bool:
    """Whether that is so of every picture."""
    if wish.target.is_search or wish_is_exact(wish):
        return False
    return wish.coding == LEARNED or (wish.coding == AUTO and not coder.is_general)


def is_checked(codings: Codings) -> bool:
    """Whether the model's file of a picture that looks like a photograph is decoded and scored."""
    width, height = codings.picture.width, codings.picture.height
    return width * height <= CHECKED_PIXELS and min(width, height) >= SMALLEST_SIDE and not codings.in_pack


def _is_photograph(codings: Codings, wish: Wish) -> bool:
    """Whether it looks like one, and where that is checked the model can show it."""
    if not codings.is_photograph or not _is_chosen_at_a_quality(wish) or not is_checked(codings):
        return codings.is_photograph
    return not _falls_short(codings, wish)


def _is_chosen_at_a_quality(wish: Wish) -> bool:
    """Whether any coding may be used, and no search says what it has to reach."""
    return wish.coding == AUTO and not wish.target.is_search and not wish_is_exact(wish)


def _falls_short(codings: Codings, wish: Wish) -> bool:
    """Whether the model's file is far from what the quality asks for."""
    if measure_of(codings.coder) != SSIMULACRA2:
        return False
    quality = wish.target.quality or codings.coder.file.default_quality
    reached = codings.learned(wish.target.asked(quality)).score_at(codings.adapt_quality(quality), SSIMULACRA2)
    return reached < min(quality, HIGHEST_SCORE) - SHORTFALL


class _Choice:
    """The file of one picture that meets a wish."""

    def __init__(self, codings: Codings, wish: Wish) -> None:
        self.codings, self.picture, self.coder, self.wish = codings, codings.picture, codings.coder, wish
        self.asked = wish.target.asked(self.coder.file.default_quality)
        self.is_photograph = _is_photograph(codings, wish)

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
            return self._exact
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

    def _trials(self) -> list[Trial]:
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
        if self._may(EXACT) and len(self._exact) <= limit:
            return self._exact
        if found:
            return max(found, key=lambda one: one[0])[1]
        smallest = [len(trial.file_at(trial.first)) for trial in self._trials()]
        smallest += [len(self._exact)] if self._may(EXACT) else []
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
        adapted = self.codings.adapt_quality(quality)
        learned = self._learned
        measure = measure_of(self.coder)
        least = PSNR_AT[0] + PSNR_AT[1] * quality if measure == PSNR else min(quality, HIGHEST_SCORE)
        if measure == SSIMULACRA2 and quality >= EVEN_FROM and self.wish.coding == AUTO and self.codings.is_even:
            measure = EVEN_SSIMULACRA2
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
        exact = self._exact if self._may(EXACT) else None
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
    def _lowest(trial: Trial, wanted: float, measure: str, *, below: float) -> bytes | None:
        quality = trial.lowest_reaching(wanted, measure, below=below)
        return None if quality is None else trial.file_at(quality)

    @property
    def _learned(self) -> Trial:
        return self.codings.learned(self.asked)

    @property
    def _avif(self) -> Trial:
        return self.codings.graphics(self.asked)

    @property
    def _exact(self) -> bytes:
        return self.codings.exact(self.asked, keep_hidden=self.wish.exact)


def measure_of(coder: Coder) -> str:
    """What a quality of the model means: SSIMULACRA2 where its file has a map of qualities to it, else PSNR."""
    return SSIMULACRA2 if "quality_map" in coder.file.arrays else PSNR
