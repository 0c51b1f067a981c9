"""Pictures in rows and columns, pixel by pixel: nothing is resampled behind the user's back, every label has its room.

A figure of 72 dots an inch, so that a pixel, a point and a unit of the layout are the same in PNG, SVG and PDF.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isthmus.evaluate.figure_file import figure_bytes

MAX_SIDE = 512
"""Pixels of a picture's longer side in a figure; larger ones are reduced, unless a size is asked for."""
SMALL_SIDE = 112
"""Smaller pictures are enlarged to this or more, in whole multiples."""
MAX_WIDTH = 1600
"""Pixels of a figure's width that are filled by themselves."""
_GAP, _MARGIN = 8, 12
_FONT, _SMALL_FONT, _LINE = 11, 10, 13
_POINTS_PER_INCH = 72


@dataclass(frozen=True)
class Row:
    """One row of a grid.

    Attributes:
        label: what stands before it.
        cells: (rows, columns, 3) uint8 each, drawn as they are.
        captions: what stands below each cell; lines are parted by line feeds. None for none.
    """

    label: str
    cells: tuple[NDArray[np.uint8], ...]
    captions: tuple[str, ...] | None = None


def draw_grid(
    rows: Sequence[Row], *, form: str, title: str = "", headings: Sequence[str] = (), columns: int = 0
) -> bytes:
    """The rows as a figure.

    Args:
        rows: each of the same number of cells.
        form: "png", "svg" or "pdf".
        title: above all.
        headings: above each column; none, or one for each.
        columns: so many side by side, the next ones below as a further band; 0 puts all side by side.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = len(rows[0].cells)
    across = columns or count
    widths = _column_widths(rows, headings, across)
    indent = max(_text_width(row.label, _FONT) for row in rows)
    indent += _GAP if indent else 0
    width = 2 * _MARGIN + max(indent + sum(widths) + _GAP * (len(widths) - 1), _text_width(title, _FONT))
    bands = [range(start, min(start + across, count)) for start in range(0, count, across)]
    top = _LINE + _GAP if title else 0
    height = 2 * _MARGIN + top + sum(_band_height(rows, band, headings) + _GAP for band in bands) - 2 * _GAP
    figure = Figure(figsize=(width / _POINTS_PER_INCH, height / _POINTS_PER_INCH), dpi=_POINTS_PER_INCH)
    FigureCanvasAgg(figure)
    paper = _Paper(figure, width, height)
    paper.write(title, _MARGIN, _MARGIN, size=_FONT)
    y = _MARGIN + top
    for band in bands:
        _draw_band(paper, rows, band, headings, widths, indent, y)
        y += _band_height(rows, band, headings) + _GAP
    return figure_bytes(figure, form, dots_per_inch=_POINTS_PER_INCH)


def as_cell(pixels: NDArray[np.uint8], size: int | None = None) -> NDArray[np.uint8]:
    """A picture (rows, columns, 1 or 3) as a cell: RGB, enlarged in whole multiples or reduced.

    Args:
        pixels: uint8.
        size: pixels of the longer side; None keeps those of a picture, from `SMALL_SIDE` to `MAX_SIDE`.
    """
    longer = max(pixels.shape[:2])
    wanted = size or min(max(longer, SMALL_SIDE), MAX_SIDE)
    colour = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    if wanted >= longer:
        return enlarged(colour, max(1, wanted // longer if size else math.ceil(wanted / longer)))
    rows, columns = (max(1, round(side * wanted / longer)) for side in pixels.shape[:2])
    return np.asarray(Image.fromarray(colour).resize((columns, rows), Image.Resampling.LANCZOS))


def enlarged(cell: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    """Every pixel as a square of `times` by `times`."""
    return cell.repeat(times, axis=0).repeat(times, axis=1)


def columns_for(cells: Sequence[NDArray[np.uint8]]) -> int:
    """How many columns of such cells fill a figure."""
    widest = max((cell.shape[1] for cell in cells), default=SMALL_SIDE)
    return max(1, MAX_WIDTH // (widest + _GAP))


class _Paper:
    """The figure, in pixels from its upper left corner."""

    def __init__(self, figure: Any, width: int, height: int) -> None:
        self._figure, self._width, self._height = figure, width, height

    def write(self, text: str, x: float, y: float, *, size: int, align: str = "left", middle: bool = False) -> None:
        if text:
            place = (x / self._width, 1 - y / self._height)
            self._figure.text(*place, text, fontsize=size, ha=align, va="center" if middle else "top", linespacing=1.15)

    def place(self, cell: NDArray[np.uint8], x: int, y: int) -> None:
        self._figure.figimage(cell, x, self._height - y - cell.shape[0], origin="upper")


def _draw_band(
    paper: _Paper, rows: Sequence[Row], band: range, headings: Sequence[str], widths: list[int], indent: int, y: int
) -> None:
    starts = [_MARGIN + indent + sum(widths[:place]) + _GAP * place for place in range(len(band))]
    if headings:
        for start, width, column in zip(starts, widths, band, strict=False):
            paper.write(headings[column], start + width / 2, y, size=_FONT, align="center")
        y += _LINE + _GAP // 2
    for row in rows:
        inner = max(row.cells[column].shape[0] for column in band)
        paper.write(row.label, _MARGIN + indent - _GAP, y + inner / 2, size=_FONT, align="right", middle=True)
        for start, width, column in zip(starts, widths, band, strict=False):
            cell = row.cells[column]
            paper.place(cell, start + (width - cell.shape[1]) // 2, y + (inner - cell.shape[0]) // 2)
            if row.captions:
                paper.write(row.captions[column], start + width / 2, y + inner + 3, size=_SMALL_FONT, align="center")
        y += _row_height(row, band) + _GAP


def _column_widths(rows: Sequence[Row], headings: Sequence[str], across: int) -> list[int]:
    """Of each column of a band: its widest cell, caption or heading in any band."""
    count = len(rows[0].cells)
    needed = [_text_width(heading, _FONT) for heading in headings] or [0] * count
    for row in rows:
        for column, cell in enumerate(row.cells):
            needed[column] = max(needed[column], cell.shape[1], _text_width(_caption(row, column), _SMALL_FONT))
    return [max(needed[place::across]) for place in range(min(across, count))]


def _band_height(rows: Sequence[Row], band: range, headings: Sequence[str]) -> int:
    return sum(_row_height(row, band) + _GAP for row in rows) + (_LINE + _GAP // 2 if headings else 0)


def _row_height(row: Row, band: range) -> int:
    lines = max(_caption(row, column).count("\n") + 1 for column in band) if row.captions else 0
    return max(int(row.cells[column].shape[0]) for column in band) + (4 + _LINE * lines if lines else 0)


def _caption(row: Row, column: int) -> str:
    return row.captions[column] if row.captions else ""


def _text_width(text: str, size: int) -> int:
    """Pixels that the longest line of a text takes."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    renderer: Any = RendererAgg(1, 1, _POINTS_PER_INCH)  # type: ignore[no-untyped-call]
    font = FontProperties(size=size)
    widths = [renderer.get_text_width_height_descent(line, font, ismath=False)[0] for line in text.splitlines()]
    return math.ceil(float(max(widths, default=0.0)))
