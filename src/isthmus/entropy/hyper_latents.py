"""Hyper-latents by table, in three parts like the strong latents: most of them by what stands around them.

First the positions whose row and column are even, then those whose are odd, by the mean of their diagonal neighbours,
then the others, by the mean of their direct ones. A channel has one table for the first part and `AROUND` for each
other; from which mean on each of them is used is said by its edges. Tables that differ in little but their middle are
one, and a run of it holds what several channels use it for. Models without edges have one table for all positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.range_coder import RangeDecoder, RangeEncoder
from isthmus.entropy.reference_networks import Integers
from isthmus.entropy.table_coder import TableCoder
from isthmus.entropy.tables import FrequencyTable
from isthmus.errors import FormatError
from isthmus.values import QUALITIES

HYPER_LIMIT = 31
"""Hyper-latents are within ±HYPER_LIMIT."""
HYPER_GROUPS = 10
"""Qualities in ten groups share tables."""
AROUND = 5
"""Tables of a channel in the second part, and in the third."""
CONTEXTS = 1 + 2 * AROUND
"""Tables of a channel."""
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


def neighbour_means(hyper: NDArray[np.integer[Any]], part: int) -> Integers:
    """(channels, rows, columns) -> the mean of what a part looks at, within the grid, in 12ths."""
    counts = _neighbour_sums(np.ones((1, *hyper.shape[1:]), np.int32), part)
    means: Integers = _neighbour_sums(hyper, part) * (MEAN_UNITS // np.maximum(counts, 1))  # 1 to 4 divide 12
    return means


def _neighbour_sums(hyper: NDArray[np.integer[Any]], part: int) -> Integers:
    channels, rows, columns = hyper.shape
    padded = np.zeros((channels, rows + 2, columns + 2), np.int32)
    padded[:, 1:-1, 1:-1] = hyper
    sums = np.zeros(hyper.shape, np.int32)
    for row, column in NEIGHBOURS[part]:
        sums += padded[:, 1 + row : 1 + row + rows, 1 + column : 1 + column + columns]
    return sums


def contexts_of(
    hyper: NDArray[np.integer[Any]], part: int, places: Places, edges: NDArray[np.int16]
) -> NDArray[np.int64]:
    """(channels, places) which of a channel's tables each hyper-latent uses.

    Args:
        hyper: (channels, rows, columns), the parts before this one known.
        part: 0 to 2.
        places: of the part.
        edges: (channels, 2, AROUND - 1), see `HyperCoder`.
    """
    if part == 0:
        return np.zeros((len(hyper), len(places)), np.int64)
    means = at(neighbour_means(hyper, part), places)
    contexts = np.full(means.shape, 1 + (part - 1) * AROUND, np.int64)
    for edge in edges[:, part - 1].T:
        contexts += means >= edge[:, None]
    return contexts


class HyperCoder:
    """Codes the hyper-latents of one group of qualities.

    Args:
        tables: one for each channel; or, with edges, CONTEXTS for each, or any number with `shared`.
        edges: (channels, 2, AROUND - 1), rising, in 12ths: a mean that reaches n edges of the second part or the third
            has the part's table n. Or None.
        shared: (channels, CONTEXTS) which table each context has. None: one of its own.
        middles: (channels, CONTEXTS) what is taken from a hyper-latent before it is coded. None: nothing.
    """

    def __init__(
        self,
        tables: Sequence[FrequencyTable],
        edges: NDArray[np.int16] | None,
        shared: NDArray[np.uint8] | None = None,
        middles: NDArray[np.int8] | None = None,
    ) -> None:
        self._coder = TableCoder(tables, 2 * HYPER_LIMIT)
        self._edges = edges
        self._channels = len(tables) if edges is None else len(edges)
        self._tables = len(tables)
        contexts = self._channels * CONTEXTS
        self._shared = np.arange(contexts, dtype=np.uint16) if shared is None else shared.ravel()
        self._middles = np.zeros(contexts, np.int32) if middles is None else middles.ravel().astype(np.int32)

    def encode(self, encoder: RangeEncoder, hyper: Integers) -> None:
        """(channels, rows, columns) within ±HYPER_LIMIT."""
        if self._edges is None:
            self._coder.encode(encoder, hyper.ravel(), np.full(self._channels, hyper[0].size))
            return
        for part, places in enumerate(part_places(*hyper.shape[1:])):
            order, counts, middles = self._by_table(contexts_of(hyper, part, places, self._edges))
            self._coder.encode(encoder, (at(hyper, places).ravel() - middles).take(order), counts)

    def decode(self, decoder: RangeDecoder, rows: int, columns: int) -> Integers:
        """`encode` backwards.

        Raises:
            FormatError: a hyper-latent beyond the limit.
        """
        hyper = np.zeros((self._channels, rows, columns), np.int32)
        if self._edges is None:
            hyper[:] = self._coder.decode(decoder, np.full(self._channels, rows * columns)).reshape(hyper.shape)
            return _checked(hyper)
        for part, places in enumerate(part_places(rows, columns)):
            order, counts, middles = self._by_table(contexts_of(hyper, part, places, self._edges))
            values = np.empty(len(order), np.int32)
            values[order] = self._coder.decode(decoder, counts)
            hyper.reshape(self._channels, -1)[:, places] = _checked(values + middles).reshape(self._channels, -1)
        return hyper

    def _by_table(self, contexts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], Integers]:
        """(hyper-latents of a part, sorted by table, stable; how many each table has; their middles, not sorted)."""
        own = (contexts + np.arange(self._channels)[:, None] * CONTEXTS).ravel()
        tables = self._shared.take(own)
        return np.argsort(tables, kind="stable"), np.bincount(tables, minlength=self._tables), self._middles.take(own)


def _checked(hyper: Integers) -> Integers:
    """Within the limit.

    Raises:
        FormatError: they are not.
    """
    if hyper.size and np.abs(hyper).max() > HYPER_LIMIT:
        raise FormatError("the payload holds a hyper-latent beyond the format's range")
    return hyper
