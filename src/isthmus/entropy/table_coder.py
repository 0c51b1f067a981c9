"""Symbols by frequency tables: runs of one table each, and behind them the values that no table holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.exact import Integers
from isthmus.entropy.range_coder import Model, RangeDecoder, RangeEncoder, model_of
from isthmus.entropy.tables import FrequencyTable
from isthmus.errors import FormatError


class TableCoder:
    """Codes runs of symbols, each run with its own table; then the values of those that no table holds.

    Args:
        tables: by their numbers.
        limit: the largest magnitude that a symbol may have.
    """

    def __init__(self, tables: Sequence[FrequencyTable], limit: int) -> None:
        self._models: list[Model] = [model_of(table.frequencies) for table in tables]
        self._lowest = np.array([table.lowest for table in tables], np.int32)
        self._escape = np.array([table.escape for table in tables], np.int32)
        self._limit = limit

    def encode(self, encoder: RangeEncoder, symbols: Integers, counts: NDArray[np.integer]) -> None:
        """(count,) symbols, of which counts[i] belong to table i."""
        escape = np.repeat(self._escape, counts)
        indices = symbols - np.repeat(self._lowest, counts)
        outside = (indices < 0) | (indices >= escape)
        coded = np.where(outside, escape, indices)
        for table, start, end in _runs(counts):
            encoder.encode(coded[start:end], self._models[table])
        for index, limit in zip(indices[outside].tolist(), escape[outside].tolist(), strict=True):
            encoder.encode_flag(index < 0)
            encoder.encode_number(-index if index < 0 else index - limit + 1)

    def decode(self, decoder: RangeDecoder, counts: NDArray[np.integer]) -> Integers:
        """`encode` backwards.

        Raises:
            FormatError: a symbol beyond the limit.
        """
        indices = np.empty(int(np.sum(counts)), np.int32)
        for table, start, end in _runs(counts):
            indices[start:end] = decoder.decode(self._models[table], end - start)
        escape = np.repeat(self._escape, counts)
        for position in np.flatnonzero(indices == escape):
            is_negative = decoder.decode_flag()
            number = decoder.decode_number()
            if number > 2 * self._limit + 1:  # no symbol within the limit is farther from a table
                raise FormatError("the payload holds a symbol beyond the format's range")
            indices[position] = -number if is_negative else number + escape[position] - 1
        symbols: Integers = indices + np.repeat(self._lowest, counts)
        if symbols.size and np.abs(symbols).max() > self._limit:
            raise FormatError("the payload holds a symbol beyond the format's range")
        return symbols


def _runs(counts: NDArray[np.integer]) -> Iterator[tuple[int, int, int]]:
    """(table, start, end) of each table that has symbols."""
    ends = np.cumsum(counts).tolist()
    for table, (start, end) in enumerate(pairwise([0, *ends])):
        if end > start:
            yield table, start, end
