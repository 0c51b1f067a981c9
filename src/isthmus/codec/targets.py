"""What a user asks for: a quality, a size or a PSNR; and the search that turns the last two into a quality."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from isthmus.codec.quantiser import check_quality
from isthmus.errors import UsageError
from isthmus.values import QUALITIES

SEARCH_STEPS = 32
"""Qualities between two whole ones that a search tries."""


@dataclass(frozen=True)
class Target:
    """One of four wishes; none of them is the model's default quality.

    Attributes:
        quality: 1 to 100, a real number.
        file_bytes: the best quality whose file has at most this many bytes.
        bits_per_pixel: the same, in bits of the file per pixel.
        psnr: the lowest quality that reaches this many dB.

    Raises:
        UsageError: two wishes, or one that is no positive finite number.
    """

    quality: float | None = None
    file_bytes: int | None = None
    bits_per_pixel: float | None = None
    psnr: float | None = None

    def __post_init__(self) -> None:
        wishes = [self.quality, self.file_bytes, self.bits_per_pixel, self.psnr]
        if sum(wish is not None for wish in wishes) > 1:
            raise UsageError("quality, target bytes, target bpp and target PSNR exclude each other: give one")
        if self.quality is not None:
            check_quality(self.quality)
        for wish in wishes[1:]:
            if wish is not None and not 0 < wish < math.inf:
                raise UsageError(f"a target is a finite number above zero, but {wish} is not")

    @property
    def is_search(self) -> bool:
        """Whether the quality has to be searched for, picture by picture."""
        return self.quality is None and (self.file_bytes, self.bits_per_pixel, self.psnr) != (None, None, None)


def lowest_quality(is_reached: Callable[[float], bool]) -> float | None:
    """The lowest quality that reaches something that higher ones reach as well, by bisection.

    Args:
        is_reached: of a quality 1 to 100.

    Returns:
        A whole number of steps of 1 / SEARCH_STEPS; None where not even the highest quality reaches it.

    Example:
        >>> lowest_quality(lambda quality: quality**2 >= 3600)
        60.0
    """
    low, high = SEARCH_STEPS - 1, SEARCH_STEPS * QUALITIES + 1  # low does not reach it; high does, or is out of range
    while high - low > 1:
        middle = (low + high) // 2
        if is_reached(middle / SEARCH_STEPS):
            high = middle
        else:
            low = middle
    return high / SEARCH_STEPS if high <= SEARCH_STEPS * QUALITIES else None


def highest_quality_within(size_at: Callable[[float], int], limit: int) -> float:
    """The highest quality whose file has at most `limit` bytes.

    Args:
        size_at: bytes of a file of a quality; it rises with the quality.
        limit: in bytes.

    Raises:
        UsageError: even the smallest file is larger.
    """
    too_large = lowest_quality(lambda quality: size_at(quality) > limit)
    if too_large == 1:
        raise UsageError(f"at most {limit} bytes were asked for, but the smallest file has {size_at(1)}")
    return QUALITIES if too_large is None else too_large - 1 / SEARCH_STEPS


def lowest_quality_reaching(psnr_at: Callable[[float], float], wanted: float) -> float:
    """The lowest quality that reaches `wanted` dB.

    Args:
        psnr_at: dB of a quality; it rises with the quality.
        wanted: in dB.

    Raises:
        UsageError: even the highest quality does not.
    """
    quality = lowest_quality(lambda quality: psnr_at(quality) >= wanted)
    if quality is None:
        raise UsageError(f"{wanted:g} dB were asked for, but the model reaches {psnr_at(QUALITIES):.2f} dB at best")
    return quality
