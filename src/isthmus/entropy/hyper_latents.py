"""Hyper-latents by table, in three parts like the latents of the first group: most of them in a neighbour context.

First the positions whose row and column are even; then those whose are odd, in a context that their diagonal neighbours
choose; then the others, in one that their direct neighbours choose. A channel has one context for the first part and
`NEIGHBOUR_CONTEXTS` for each other; thresholds on the neighbours' mean say which. Contexts whose distributions differ
in little but their centre share a table, each with an offset of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.fixed_point import Int32
from isthmus.entropy.range_coder import RangeDecoder, RangeEncoder
from isthmus.entropy.table_coder import TableCoder
from isthmus.entropy.tables import FrequencyTable
from isthmus.errors import FormatError
from isthmus.values import QUALITIES

HYPER_LIMIT = 31
"""Hyper-latents are within ±HYPER_LIMIT."""
HYPER_GROUPS = 10
"""Qualities in ten groups share tables."""
NEIGHBOUR_CONTEXTS = 5
"""Contexts of a channel in the second part, and in the third."""
CONTEXTS = 1 + 2 * NEIGHBOUR_CONTEXTS
"""Contexts of a channel."""
NEIGHBOURS = ((), ((-1, -1), (-1, 1), (1, -1), (1, 1)), ((-1, 0), (0, -1), (0, 1), (1, 0)))
"""(row, column) of what a position of each part looks at."""
MEAN_UNITS = 12
"""Means of up to four neighbours are whole multiples of 1/12."""

Places = NDArray[np.int64]
"""Positions of a grid, row by row."""


def group_of(quality: int) -> int:
    """Which tables a quality uses."""
    return min(HYPER_GROUPS - 1, (quality - 1) * HYPER_GROUPS // (QUALITIES - 1))


def part_places(rows: int, columns: int) -> list[Places]:
    """The positions of each part, rising."""
    odd_row, odd_column = (index % 2 == 1 for index in np.indices((rows, columns)))
    return [np.flatnonzero(mask) for mask in (~odd_row & ~odd_column, odd_row & odd_column, odd_row ^ odd_column)]


def at(grid: NDArray[Any], places: Places) -> NDArray[Any]:
    """(channels, rows, columns) -> (channels, places)."""
    return grid.reshape(len(grid), -1).take(places, 1)


def neighbour_means(hyper: NDArray[np.integer[Any]], part: int) -> Int32:
    """(channels, rows, columns) -> the mean of what a part looks at, within the grid, in 12ths."""
    counts = _neighbour_sums(np.ones((1, *hyper.shape[1:]), np.int32), part)
    means: Int32 = _neighbour_sums(hyper, part) * (MEAN_UNITS // np.maximum(counts, 1))  # 1 to 4 divide 12
    return means


def _neighbour_sums(hyper: NDArray[np.integer[Any]], part: int) -> Int32:
    channels, rows, columns = hyper.shape
    padded = np.zeros((channels, rows + 2, columns + 2), np.int32)
    padded[:, 1:-1, 1:-1] = hyper
    sums = np.zeros(hyper.shape, np.int32)
    for row, column in NEIGHBOURS[part]:
        sums += padded[:, 1 + row : 1 + row + rows, 1 + column : 1 + column + columns]
    return sums


def contexts_of(
    hyper: NDArray[np.integer[Any]], part: int, places: Places, thresholds: NDArray[np.int16]
) -> NDArray[np.int64]:
    """(channels, places) the context of each hyper-latent, 0..CONTEXTS - 1.

    Args:
        hyper: (channels, rows, columns), the parts before this one known.
        part: 0 to 2.
        places: of the part.
        thresholds: (channels, 2, NEIGHBOUR_CONTEXTS - 1), see `HyperCoder`.
    """
    if part == 0:
        return np.zeros((len(hyper), len(places)), np.int64)
    means = at(neighbour_means(hyper, part), places)
    contexts = np.full(means.shape, 1 + (part - 1) * NEIGHBOUR_CONTEXTS, np.int64)
    for threshold in thresholds[:, part - 1].T:
        contexts += means >= threshold[:, None]
    return contexts


class HyperCoder:
    """Codes the hyper-latents of one group of qualities.

    Args:
        tables: any number.
        thresholds: (channels, 2, NEIGHBOUR_CONTEXTS - 1) int16, rising, in 12ths: a neighbours' mean that reaches n
            thresholds of the second part or the third is in the part's context n.
        table_index: (channels, CONTEXTS) uint8: the table of each context.
        offsets: (channels, CONTEXTS) int8: subtracted from a hyper-latent before it is coded.
    """

    def __init__(
        self,
        tables: Sequence[FrequencyTable],
        thresholds: NDArray[np.int16],
        table_index: NDArray[np.uint8],
        offsets: NDArray[np.int8],
    ) -> None:
        self._coder = TableCoder(tables, 2 * HYPER_LIMIT)
        self._thresholds = thresholds
        self._channels, self._tables = len(thresholds), len(tables)
        self._table_index, self._offsets = table_index.ravel(), offsets.ravel().astype(np.int32)

    def encode(self, encoder: RangeEncoder, hyper: Int32) -> None:
        """(channels, rows, columns) within ±HYPER_LIMIT."""
        for part, places in enumerate(part_places(*hyper.shape[1:])):
            order, counts, offsets = self._by_table(contexts_of(hyper, part, places, self._thresholds))
            self._coder.encode(encoder, (at(hyper, places).ravel() - offsets).take(order), counts)

    def decode(self, decoder: RangeDecoder, rows: int, columns: int) -> Int32:
        """`encode` backwards.

        Raises:
            FormatError: a hyper-latent beyond the limit.
        """
        hyper = np.zeros((self._channels, rows, columns), np.int32)
        for part, places in enumerate(part_places(rows, columns)):
            order, counts, offsets = self._by_table(contexts_of(hyper, part, places, self._thresholds))
            values = np.empty(len(order), np.int32)
            values[order] = self._coder.decode(decoder, counts)
            hyper.reshape(self._channels, -1)[:, places] = _checked(values + offsets).reshape(self._channels, -1)
        return hyper

    def _by_table(self, contexts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], Int32]:
        """(order of a part's hyper-latents by table, stable; how many each table has; their offsets, not sorted)."""
        own = (contexts + np.arange(self._channels)[:, None] * CONTEXTS).ravel()
        tables = self._table_index.take(own)
        return np.argsort(tables, kind="stable"), np.bincount(tables, minlength=self._tables), self._offsets.take(own)


def _checked(hyper: Int32) -> Int32:
    """Within the limit.

    Raises:
        FormatError: they are not.
    """
    if hyper.size and np.abs(hyper).max() > HYPER_LIMIT:
        raise FormatError("the payload holds a hyper-latent beyond the format's range")
    return hyper
