"""What a user asks for: a quality, a size, a PSNR or a SSIMULACRA2; which codings may be used; and the search."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from isthmus.codec.quantiser import check_quality
from isthmus.container.asked import Asked
from isthmus.errors import UsageError
from isthmus.values import QUALITIES

SEARCH_STEPS = 32
"""Qualities between two whole ones that a search tries."""
AUTO, LEARNED, EXACT, GRAPHICS = "auto", "learned", "exact", "graphics"
CODINGS = (AUTO, LEARNED, EXACT, GRAPHICS)
"""The best for each picture; always the model; always lossless (WebP); always AVIF."""


@dataclass(frozen=True)
class Target:
    """One of six wishes; none of them is the model's default quality.

    Attributes:
        quality: 1 to 100, a real number.
        file_bytes: the best quality whose file has at most this many bytes.
        bits_per_pixel: the same, in bits of the file per pixel.
        psnr: the lowest quality that reaches this many dB.
        ssimulacra2: the lowest quality that reaches this score.
        lossless: every pixel as it is.

    Raises:
        UsageError: two wishes, or one that is no positive finite number.
    """

    quality: float | None = None
    file_bytes: int | None = None
    bits_per_pixel: float | None = None
    psnr: float | None = None
    ssimulacra2: float | None = None
    lossless: bool = False

    def __post_init__(self) -> None:
        wishes = [self.quality, self.file_bytes, self.bits_per_pixel, self.psnr, self.ssimulacra2]
        if self.lossless + sum(wish is not None for wish in wishes) > 1:
            raise UsageError(
                "quality, lossless and the targets (bytes, bpp, PSNR, SSIMULACRA2) exclude each other: give one"
            )
        if self.quality is not None:
            check_quality(self.quality)
        for wish in wishes[1:]:
            if wish is not None and not 0 < wish < math.inf:
                raise UsageError(f"a target is a finite number above zero, but {wish} is not")
        if self.ssimulacra2 is not None and self.ssimulacra2 > 100:
            raise UsageError(f"SSIMULACRA2 is 100 at most, where every pixel is equal: {self.ssimulacra2:g} is not")

    @property
    def is_search(self) -> bool:
        """Whether the quality has to be searched for, picture by picture."""
        wishes = (self.file_bytes, self.bits_per_pixel, self.psnr, self.ssimulacra2)
        return any(wish is not None for wish in wishes)

    def asked(self, default_quality: float) -> Asked:
        """As it stands in a file."""
        if self.lossless:
            return Asked("lossless", 0.0)
        wishes = {"bytes": self.file_bytes, "bpp": self.bits_per_pixel, "psnr": self.psnr,
                  "ssimulacra2": self.ssimulacra2}  # fmt: skip
        for kind, amount in wishes.items():
            if amount is not None:
                return Asked(kind, float(amount))
        return Asked("quality", float(self.quality or default_quality))

    def limit_in_bytes(self, pixels: int) -> int | None:
        """The most bytes that a file of a picture of so many pixels may have; None where there is no such wish."""
        if self.bits_per_pixel is not None:
            return int(self.bits_per_pixel * pixels / 8)
        return self.file_bytes


@dataclass(frozen=True)
class Wish:
    """What a user wants of the files.

    Attributes:
        target: a quality, a size or a measure.
        coding: one of CODINGS.
        exact: keep the colours of pixels that are fully transparent, where a picture is coded exactly.

    Raises:
        UsageError: no such coding, or one that cannot be lossless.
    """

    target: Target = Target()
    coding: str = AUTO
    exact: bool = False

    def __post_init__(self) -> None:
        if self.coding not in CODINGS:
            raise UsageError(f"a coding is one of {', '.join(CODINGS)}, not {self.coding!r}")
        if self.target.lossless and self.coding in (LEARNED, GRAPHICS):
            raise UsageError(f"the coding {self.coding} is not lossless: leave out one of both")


def lowest_quality(
    is_reached: Callable[[float], bool], *, first: int = 1, last: int = QUALITIES, steps: int = SEARCH_STEPS
) -> float | None:
    """The lowest quality that reaches something that higher ones reach as well, by bisection.

    Args:
        is_reached: of a quality `first` to `last`.
        first: the lowest quality.
        last: the highest one.
        steps: qualities between two whole ones.

    Returns:
        A whole number of steps; None where not even the highest quality reaches it.

    Example:
        >>> lowest_quality(lambda quality: quality**2 >= 3600)
        60.0
    """
    low, high = steps * first - 1, steps * last + 1  # low does not reach it; high does, or is out of range
    while high - low > 1:
        middle = (low + high) // 2
        if is_reached(middle / steps):
            high = middle
        else:
            low = middle
    return high / steps if high <= steps * last else None
