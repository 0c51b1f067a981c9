"""A look of a millisecond: does a picture look like a photograph, so that no other coding need be tried?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LINES = 64
"""About so many rows are looked at."""
SAMPLES = 4096
"""About so many pixels, whose colours are counted."""
SMALL = 64
"""Pictures with both sides up to this are cheap to try, and many are icons."""
TINY = 16
"""And those up to this have too few pixels to tell anything."""
SLIGHT, STRONG = 2, 48
"""Grey levels between neighbours: hardly seen; an edge."""
PALETTE = 0.02
EQUAL, EQUAL_COLOURS = 0.75, 0.2
GRADED, GRADED_ACTIVITY, GRADED_COLOURS = 0.79, 1.0, 0.3
NOISY = 35.0
"""Mean difference of neighbours in grey levels: no photograph has as much."""
STRAIGHT = 0.94
"""Share of pixels whose colour goes on as it went, within a level: photographs have up to 0.86, ramps nearly 1."""
EVEN = 0.985
"""The same in both directions, of pictures that are nothing but flat colours and ramps with a few edges."""
WHITE_ACTIVITY, WHITE = 8.0, 1.1
"""Where neighbours differ by so much and the next but one by hardly more, they have nothing to do with each other: in
white noise the second is 1 times the first, in photographs 1.18 times or more."""


def looks_like_photograph(pixels: NDArray[np.uint8], *, small: int = SMALL) -> bool:
    """Whether few colours, equal neighbours, clean gradients, straight ramps or noise say nothing else.

    Of 1,074 crops of photographs 2 % do not pass, most of them things on a white ground (docs/decisions/0018).

    Args:
        pixels: (rows, columns, channels) uint8.
        small: pictures with both sides up to this many pixels never pass, so that each is tried; where there are
            thousands of them, TINY.

    Example:
        >>> looks_like_photograph(np.zeros((100, 100, 3), np.uint8))
        False
    """
    rows, columns, channels = pixels.shape
    if max(rows, columns) <= small or min(rows, columns) < 2:
        return False
    some = pixels[:: max(1, rows // LINES)].astype(np.int16)
    steps = np.diff(some, axis=1)
    differences = np.abs(steps)
    largest = _over_channels(differences)
    step = max(1, rows * columns // SAMPLES)
    samples = pixels.reshape(-1, channels)[::step].astype(np.uint32)
    colours = _distinct(samples @ (1 << 8 * np.arange(channels, dtype=np.uint32))) / len(samples)
    shares = colours if channels == 3 else min(1.0, colours * SAMPLES / 256)  # grey has 256 of them at most
    equal, activity = float(np.mean(largest == 0)), float(differences.mean())
    if shares < PALETTE or (equal > EQUAL and shares < EQUAL_COLOURS) or activity > NOISY:
        return False
    if _straight_share(steps) > STRAIGHT or _is_white_noise(some, activity):
        return False
    slight = largest[:, : largest.shape[1] // 8 * 8].reshape(len(some), -1, 8) <= SLIGHT
    flat = float(slight.all(2).mean()) if slight.size else 0.0
    is_graded = flat > GRADED and activity < GRADED_ACTIVITY and shares < GRADED_COLOURS
    return not (is_graded and not np.any(largest > STRONG))


def is_even(pixels: NDArray[np.uint8]) -> bool:
    """Whether there are nothing but flat colours and ramps with a few edges, where a level that is off is seen.

    Args:
        pixels: (rows, columns, channels) uint8.

    Example:
        >>> is_even(np.zeros((100, 100, 3), np.uint8))
        True
    """
    ways = (pixels, pixels.transpose(1, 0, 2))
    some = (way[:: max(1, len(way) // LINES)].astype(np.int16) for way in ways)
    return all(_straight_share(np.diff(lines, axis=1)) > EVEN for lines in some)


def _straight_share(steps: NDArray[np.int16]) -> float:
    """Share of the pixels whose colour goes on as it went but for rounding; of differences along rows."""
    bends = _over_channels(np.abs(np.diff(steps, axis=1)))
    return float(np.mean(bends <= 1)) if bends.size else 1.0


def _is_white_noise(some: NDArray[np.int16], activity: float) -> bool:
    if activity < WHITE_ACTIVITY or some.shape[1] < 3:
        return False
    return float(np.abs(some[:, 2:] - some[:, :-2]).mean()) < WHITE * activity


def _over_channels(values: NDArray[np.int16]) -> NDArray[np.int16]:
    """The maximum over the last axis, in a twentieth of the time of `max`."""
    largest = values[:, :, 0]
    for channel in range(1, values.shape[2]):
        largest = np.maximum(largest, values[:, :, channel])
    return largest


def _distinct(values: NDArray[np.uint32]) -> int:
    """How many of them there are, in a fraction of the time of `np.unique`."""
    in_order = np.sort(values)
    return 1 + int(np.count_nonzero(in_order[1:] != in_order[:-1]))
