"""Hyper-latents by table: positions like the white fields of a chessboard first, the others by what stands around them.

A channel has one table for the white fields and `AROUND` for the black ones, by the mean of the white neighbours; from
which mean on each of them is used is said by its edges. Models without edges have one table for all positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.exact import Integers
from isthmus.entropy.range_coder import RangeDecoder, RangeEncoder
from isthmus.entropy.table_coder import TableCoder
from isthmus.entropy.tables import FrequencyTable

HYPER_LIMIT = 31
"""Hyper-latents are within ±HYPER_LIMIT."""
HYPER_GROUPS = 10
"""Qualities in ten groups share tables."""
QUALITIES = 100
AROUND = 5
"""Tables of a channel's black fields."""
MEAN_UNITS = 12
"""Means of two, three or four neighbours are whole multiples of 1/12."""

Fields = NDArray[np.bool_]


def group_of(quality: int) -> int:
    """Which tables a quality uses."""
    return min(HYPER_GROUPS - 1, (quality - 1) * HYPER_GROUPS // (QUALITIES - 1))


def black_fields(rows: int, columns: int) -> Fields:
    """(rows, columns): where row and column add up to an odd number."""
    fields: Fields = np.add.outer(np.arange(rows), np.arange(columns)) % 2 == 1
    return fields


def neighbour_means(hyper: NDArray[np.integer[Any]]) -> Integers:
    """(channels, rows, columns) -> the mean of the direct neighbours within the grid, in 12ths, rounded down."""
    padded = np.pad(hyper.astype(np.int32), ((0, 0), (1, 1), (1, 1)))
    inside = np.pad(np.ones(hyper.shape[1:], np.int32), 1)
    sums, counts = (
        x[..., :-2, 1:-1] + x[..., 2:, 1:-1] + x[..., 1:-1, :-2] + x[..., 1:-1, 2:] for x in (padded, inside)
    )
    means: Integers = sums * MEAN_UNITS // np.maximum(counts, 1)
    return means


class HyperCoder:
    """Codes the hyper-latents of one group of qualities.

    Args:
        tables: one for each channel; or, with edges, 1 + AROUND for each.
        edges: (channels, AROUND - 1): from edges[c, i] on neighbour means use table i + 2 of channel c. Or None.
    """

    def __init__(self, tables: Sequence[FrequencyTable], edges: NDArray[np.int16] | None) -> None:
        self._coder = TableCoder(tables, HYPER_LIMIT)
        self._edges = edges
        self._channels = len(tables) if edges is None else len(edges)
        self._tables = len(tables)

    def encode(self, encoder: RangeEncoder, hyper: Integers) -> None:
        """(channels, rows, columns) within ±HYPER_LIMIT."""
        if self._edges is None:
            self._coder.encode(encoder, hyper.ravel(), np.full(self._channels, hyper[0].size))
            return
        black = black_fields(*hyper.shape[1:])
        self._coder.encode(encoder, hyper[:, ~black].ravel(), self._white_counts(black))
        order, counts = self._black_order(hyper, black, self._edges)
        self._coder.encode(encoder, hyper[:, black].ravel()[order], counts)

    def decode(self, decoder: RangeDecoder, rows: int, columns: int) -> Integers:
        """`encode` backwards.

        Raises:
            FormatError: a hyper-latent beyond the limit.
        """
        if self._edges is None:
            values = self._coder.decode(decoder, np.full(self._channels, rows * columns))
            return values.reshape(self._channels, rows, columns)
        black = black_fields(rows, columns)
        hyper = np.zeros((self._channels, rows, columns), np.int32)
        white = self._coder.decode(decoder, self._white_counts(black))
        hyper[:, ~black] = white.reshape(self._channels, -1)
        order, counts = self._black_order(hyper, black, self._edges)
        values = np.empty(len(order), np.int32)
        values[order] = self._coder.decode(decoder, counts)
        hyper[:, black] = values.reshape(self._channels, -1)
        return hyper

    def _white_counts(self, black: Fields) -> NDArray[np.int64]:
        counts = np.zeros(self._tables, np.int64)
        counts[:: 1 + AROUND] = np.count_nonzero(~black)
        return counts

    def _black_order(
        self, hyper: Integers, black: Fields, edges: NDArray[np.int16]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(black fields of all channels, sorted by table, stable; how many each table has)."""
        around = (neighbour_means(hyper)[:, black][:, :, None] >= edges[:, None, :]).sum(2)
        table = (np.arange(self._channels)[:, None] * (1 + AROUND) + 1 + around).ravel()
        return np.argsort(table, kind="stable"), np.bincount(table, minlength=self._tables)
