"""The quality of another codec that meets a wish: bisection over the qualities that it has."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import UsageError
from isthmus.metrics.distortion import psnr
from isthmus.metrics.ssimulacra2 import SMALLEST_SIDE, ssimulacra2
from isthmus.studio.compress.wishes import BYTES, PSNR, SSIMULACRA2, Wish

Pixels = NDArray[np.uint8]
"""(rows, columns, channels)."""
Decoder = Callable[[float], Pixels]
"""What the file of a quality decodes to, in the shape of the original."""


def matching_quality(
    scale: Sequence[float], original: Pixels, wish: Wish, size_of: Callable[[float], int], decoded: Decoder,
    report: Callable[[float], None],
) -> float:  # fmt: skip
    """The quality that a target leads to.

    Args:
        scale: the codec's qualities, from small files to large ones.
        original: (rows, columns, channels).
        wish: of any kind but a quality.
        size_of: bytes of the file of a quality.
        decoded: see `Decoder`.
        report: told the share of the search that is done.

    Raises:
        UsageError: out of the codec's reach, or a picture too small for the measure.
    """
    if wish.kind == SSIMULACRA2:
        if min(original.shape[:2]) < SMALLEST_SIDE:
            raise UsageError(f"SSIMULACRA2 needs {SMALLEST_SIDE} pixels on each side: ask for another target")
        if len(scale) > 100:
            scale = [quality for quality in scale if quality == int(quality)]  # a score costs more than a file
    steps = math.ceil(math.log2(len(scale) + 1))

    def first_of(is_reached: Callable[[float], bool]) -> int:
        low, high, done = -1, len(scale), 0
        while high - low > 1:
            middle = (low + high) // 2
            done += 1
            report(min(1.0, done / steps))
            low, high = (low, middle) if is_reached(scale[middle]) else (middle, high)
        return high

    if wish.kind == BYTES:
        place = first_of(lambda quality: size_of(quality) > wish.value) - 1
        if place < 0:
            smallest = size_of(scale[0])
            raise UsageError(f"at most {wish.value:,.0f} bytes were asked for, but the smallest file has {smallest:,}")
        return scale[place]

    @cache
    def reached(quality: float) -> float:
        return similarity(original, decoded(quality), wish.kind)

    place = first_of(lambda quality: reached(quality) >= wish.value)
    if place == len(scale):
        raise UsageError(f"{wish.value:g} was asked for, but the best file reaches {reached(scale[-1]):.2f}")
    return scale[place]


def similarity(original: Pixels, decoded: Pixels, measure: str) -> float:
    """PSNR in dB, or SSIMULACRA2, of pixels (rows, columns, channels)."""
    first, second = (pixels[:, :, 0] if pixels.shape[2] == 1 else pixels for pixels in (original, decoded))
    return psnr(first, second) if measure == PSNR else ssimulacra2(first, second)
