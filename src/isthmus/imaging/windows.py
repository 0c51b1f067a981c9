"""Rectangles of a picture: tiles, pieces, and the regions that users ask for."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import UsageError


@dataclass(frozen=True)
class Window:
    """A rectangle, in pixels or in latent positions.

    Attributes:
        top: first row.
        left: first column.
        height: rows, 1 or more.
        width: columns, 1 or more.
    """

    top: int
    left: int
    height: int
    width: int

    @property
    def bottom(self) -> int:
        """The row behind the last."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """The column behind the last."""
        return self.left + self.width

    def grown(self, margin: int, within: Window) -> Window:
        """Larger by `margin` on each side, as far as `within` goes."""
        return between(
            max(self.top - margin, within.top),
            max(self.left - margin, within.left),
            min(self.bottom + margin, within.bottom),
            min(self.right + margin, within.right),
        )

    def overlap(self, other: Window) -> Window | None:
        """What both cover; None where that is nothing."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom, right = min(self.bottom, other.bottom), min(self.right, other.right)
        return between(top, left, bottom, right) if bottom > top and right > left else None

    def divided(self, side: int) -> Window:
        """The smallest window of blocks of `side` that covers this one, counted in blocks."""
        return between(self.top // side, self.left // side, -(-self.bottom // side), -(-self.right // side))

    def times(self, side: int) -> Window:
        """The opposite of `divided`: blocks to what they cover."""
        return Window(self.top * side, self.left * side, self.height * side, self.width * side)

    def inside(self, outer: Window) -> tuple[slice, slice]:
        """Rows and columns of this window in an array of `outer`."""
        return (
            slice(self.top - outer.top, self.bottom - outer.top),
            slice(self.left - outer.left, self.right - outer.left),
        )

    def __str__(self) -> str:
        """As a user writes it: X,Y,W,H."""
        return f"{self.left},{self.top},{self.width},{self.height}"


def between(top: int, left: int, bottom: int, right: int) -> Window:
    """The window from a first row and column up to, not including, a last."""
    return Window(top, left, bottom - top, right - left)


def cut(whole: Window, height: int, width: int) -> Iterator[Window]:
    """Parts of at most `height` by `width`, row by row."""
    for top in range(whole.top, whole.bottom, height):
        for left in range(whole.left, whole.right, width):
            yield between(top, left, min(top + height, whole.bottom), min(left + width, whole.right))


def parse_region(text: str) -> Window:
    """Text as users write it, X,Y,W,H, to a window.

    Raises:
        UsageError: not four whole numbers, or no pixels.
    """
    try:
        left, top, width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"a region is X,Y,W,H in pixels, such as 0,0,256,256, not {text!r}") from error
    return as_region((left, top, width, height))


def as_region(numbers: Sequence[int]) -> Window:
    """(x, y, width, height), as Python's callers write it, to a window.

    Raises:
        UsageError: not four whole numbers, or no pixels.
    """
    try:
        left, top, width, height = (operator.index(number) for number in numbers)
    except (TypeError, ValueError) as error:
        raise UsageError(f"a region is (x, y, width, height) in pixels, not {numbers!r}") from error
    if min(left, top) < 0 or min(width, height) < 1:
        raise UsageError(
            f"a region starts at 0,0 or later and has at least one pixel, not {left},{top},{width},{height}"
        )
    return Window(top, left, height, width)


def pixels_in(pixels: NDArray[np.uint8], window: Window, *, block: int) -> NDArray[np.uint8]:
    """(rows, columns, channels) of a window that may reach beyond the last row and column.

    There these are repeated up to the end of their block. Blocks behind that have the mean of the block before them:
    nobody sees them, and nothing costs fewer bits.

    Args:
        pixels: (rows, columns, channels) uint8.
        window: of whole blocks, with at least one pixel of the picture.
        block: pixels a side of what a code stands for.
    """
    part = pixels[window.top : window.bottom, window.left : window.right]
    missing = window.height - part.shape[0], window.width - part.shape[1]
    if not any(missing):
        return part
    filled = np.pad(part, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
    rows, columns = (-(-length // block) * block for length in part.shape[:2])
    if rows < window.height:
        filled[rows:] = _means(filled[rows - block : rows], block)
    if columns < window.width:
        across = filled[:, columns - block : columns].transpose(1, 0, 2)
        filled[:, columns:] = _means(across, block)[:, None]
    return filled


def _means(strip: NDArray[np.uint8], block: int) -> NDArray[np.uint8]:
    """(block, length, channels) -> (length, channels): the mean of each block, for each of its columns."""
    means = strip.reshape(block, -1, block, strip.shape[2]).mean((0, 2))
    whole: NDArray[np.uint8] = np.rint(means).astype(np.uint8)
    return whole.repeat(block, axis=0)
