"""A code as a picture: its numbers as squares, or the maps of its channels side by side, parted by white lines."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from isthmus.evaluate.picture_grid import MAX_SIDE, enlarged

_WHITE = 255
_LEAST_LINE, _PIXELS_PER_LINE = 1, 24  # a line between maps is a pixel wide, and one more for so many of a map


def draw_codes(codes: NDArray[np.float32], *, size: int) -> list[NDArray[np.uint8]]:
    """Codes in viridis, all on one scale, so that they can be compared.

    Args:
        codes: (count, channels, rows, columns) float32. Where a picture has several positions, each channel has its
            own scale over all pictures: a channel of brightness would else hide the others.
        size: pixels that a drawing's longer side has at most; those of many maps have more, up to `MAX_SIDE`.

    Returns:
        For each code (rows, columns, 3) uint8.
    """
    from matplotlib import colormaps

    axes = (0, 2, 3) if codes.shape[2] * codes.shape[3] > 1 else (0, 1, 2, 3)
    ends = (1, 99) if axes == (0, 2, 3) else (0, 100)  # a few values far out would hide what a map shows
    lowest, highest = np.percentile(codes, ends, axis=axes, keepdims=True)
    shares = np.clip((codes - lowest) / np.maximum(highest - lowest, 1e-12), 0, 1)
    coloured = np.rint(colormaps["viridis"](shares)[..., :3] * 255).astype(np.uint8)  # (..., rows, columns, 3)
    return [_arranged(code, size) for code in coloured]


def _arranged(maps: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Maps (channels, rows, columns, 3) in a grid, their pixels as large as there is room for."""
    channels, rows, columns = maps.shape[:3]
    is_one_position = rows * columns == 1
    across = _squarest(channels) if is_one_position else math.ceil(math.sqrt(channels))
    down = math.ceil(channels / across)
    longer = max(across * columns, down * rows)
    times = max(1, size // longer)
    step = max(1, math.ceil(longer / MAX_SIDE))  # maps larger than a figure: every second pixel and so on
    maps = maps[:, ::step, ::step].repeat(times, axis=1).repeat(times, axis=2)
    high, wide = maps.shape[1:3]
    line = 0 if is_one_position else max(_LEAST_LINE, min(high, wide) // _PIXELS_PER_LINE)
    drawing = np.full((down * (high + line) - line, across * (wide + line) - line, 3), _WHITE, np.uint8)
    for index, one in enumerate(maps):
        top, left = (index // across) * (high + line), (index % across) * (wide + line)
        drawing[top : top + high, left : left + wide] = one
    return drawing


def draw_heat(values: NDArray[np.float32], *, size: tuple[int, int]) -> NDArray[np.uint8]:
    """One map (rows, columns) in viridis, each value a square, about `size` (rows, columns) pixels large."""
    from matplotlib import colormaps

    shares = values / max(float(values.max()), 1e-12)
    coloured = np.rint(colormaps["viridis"](shares)[..., :3] * 255).astype(np.uint8)
    times = max(1, min(size[0] // values.shape[0], size[1] // values.shape[1]))
    return enlarged(coloured, times)


def _squarest(count: int) -> int:
    """Width of the squarest full rectangle of `count` cells, at least as wide as high; else the root, rounded up."""
    for width in range(math.ceil(math.sqrt(count)), count + 1):
        if count % width == 0:
            return width if width <= 4 * (count // width) else math.ceil(math.sqrt(count))
    return count
