"""What a user asks for: a quality, a size or a PSNR; and the search that turns the last two into a quality."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from isthmus.codec.coder import PLAIN_THRIFT
from isthmus.codec.quantiser import check_quality
from isthmus.errors import UsageError
from isthmus.values import QUALITIES


@dataclass(frozen=True)
class Target:
    """One of four wishes; none of them is the model's default quality.

    Attributes:
        quality: 1 to 100.
        file_bytes: the best quality whose file has at most this many bytes.
        bits_per_pixel: the same, in bits of the file per pixel.
        psnr: the lowest quality that reaches this many dB.
    """

    quality: int | None = None
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
            if wish is not None and not wish > 0:
                raise UsageError(f"a target is above zero, but {wish} is not")

    @property
    def is_search(self) -> bool:
        """Whether the quality has to be searched for, picture by picture."""
        return self.quality is None and (self.file_bytes, self.bits_per_pixel, self.psnr) != (None, None, None)


def highest_quality(size_at: Callable[[int], int], limit: int) -> int:
    """The best quality whose file has at most `limit` bytes, by bisection.

    Raises:
        UsageError: even the smallest file is larger.
    """
    if size_at(1) > limit:
        raise UsageError(f"at most {limit} bytes were asked for, but the smallest file has {size_at(1)}")
    low, high = 1, QUALITIES + 1  # low fits; high does not, or is out of range
    while high - low > 1:
        middle = (low + high) // 2
        if size_at(middle) <= limit:
            low = middle
        else:
            high = middle
    return low


def lowest_quality(psnr_at: Callable[[int], float], wanted: float) -> int:
    """The lowest quality that reaches `wanted` dB, by bisection.

    Raises:
        UsageError: even the highest quality does not.
    """
    if psnr_at(QUALITIES) < wanted:
        raise UsageError(f"{wanted:g} dB were asked for, but the model reaches {psnr_at(QUALITIES):.2f} dB at best")
    low, high = 0, QUALITIES  # low does not reach it, or is out of range; high does
    while high - low > 1:
        middle = (low + high) // 2
        if psnr_at(middle) >= wanted:
            high = middle
        else:
            low = middle
    return high


def least_thrift(size_at: Callable[[float], int], limit: int, thrifts: Sequence[float]) -> float | None:
    """The least of rising thrifts whose file has at most `limit` bytes; None where even the greatest is not enough."""
    low, high = -1, len(thrifts)  # low does not fit, or is out of range; high fits, or is out of range
    while high - low > 1:
        middle = (low + high) // 2
        if size_at(thrifts[middle]) <= limit:
            high = middle
        else:
            low = middle
    return thrifts[high] if high < len(thrifts) else None


def most_thrift(psnr_at: Callable[[float], float], wanted: float, thrifts: Sequence[float]) -> float:
    """The greatest of rising thrifts that still reaches `wanted` dB; plain rounding where none does."""
    low, high = -1, len(thrifts)  # low reaches it, or is out of range; high does not, or is out of range
    while high - low > 1:
        middle = (low + high) // 2
        if psnr_at(thrifts[middle]) >= wanted:
            low = middle
        else:
            high = middle
    return thrifts[low] if low >= 0 else PLAIN_THRIFT
