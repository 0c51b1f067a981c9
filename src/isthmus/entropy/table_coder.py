"""Symbols by frequency tables: runs of one table each, and behind them the values that no table holds.

A coder's time goes by the number of its steps: where a table is short, several symbols are one step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.fixed_point import Int32
from isthmus.entropy.range_coder import Model, RangeDecoder, RangeEncoder, model_of, model_of_groups
from isthmus.entropy.tables import FrequencyTable
from isthmus.errors import FormatError

LARGEST_GROUP = 4
"""Symbols that are coded at once, at most."""
LONGEST_JOINT = 1024
"""Entries that a table of several symbols has, at most."""
LEAST_RUN = 64
"""Shorter runs are coded one by one."""
_ESCAPED = np.iinfo(np.int32).max
_BEYOND = "the payload holds a symbol beyond the format's range"


def symbols_per_step(tables: Sequence[FrequencyTable]) -> NDArray[np.uint8]:
    """(tables,) how many symbols of each table are best coded at once."""
    lengths = np.array([len(table.frequencies) for table in tables])
    sizes = np.arange(1, LARGEST_GROUP + 1)
    fitting: NDArray[np.uint8] = (lengths[:, None] ** sizes <= LONGEST_JOINT).sum(1).astype(np.uint8)
    return np.maximum(fitting, 1)


class TableCoder:
    """Codes runs of symbols, each run with its own table; then the values of those that no table holds.

    Args:
        tables: by their numbers.
        limit: the largest magnitude that a symbol may have.
        groups: (tables,) how many symbols of a run are coded at once; None: one. What is left over, and runs of less
            than LEAST_RUN, are coded one by one.
    """

    def __init__(self, tables: Sequence[FrequencyTable], limit: int, groups: NDArray[np.uint8] | None = None) -> None:
        self._limit = limit
        self._groups = [1] * len(tables) if groups is None else groups.tolist()
        self._lengths = [len(table.frequencies) for table in tables]
        self._lowest = np.array([table.lowest for table in tables], np.int32)
        self._escape = np.array([table.escape for table in tables], np.int32)
        self._is_within = all(-limit <= table.lowest and table.lowest + table.escape <= limit + 1 for table in tables)
        self._models: list[Model] = [model_of(table.frequencies) for table in tables]
        self._symbols = [_symbols(table) for table in tables]
        self._joint_model = cache(lambda number: model_of_groups(tables[number].frequencies, self._groups[number]))
        self._joint_symbols = cache(self._build_joint_symbols)

    def encode(self, encoder: RangeEncoder, symbols: Int32, counts: NDArray[np.integer]) -> None:
        """(count,) symbols, of which counts[i] belong to table i."""
        escape = np.repeat(self._escape, counts)
        indices = symbols - np.repeat(self._lowest, counts)
        outside = (indices < 0) | (indices >= escape)
        coded = np.where(outside, escape, indices)
        start = 0
        for table, joint, single in self._runs(counts):
            if joint:
                size = self._groups[table]
                some = coded[start : start + joint * size].reshape(joint, size)
                weights = self._lengths[table] ** np.arange(size - 1, -1, -1, dtype=np.int32)
                encoder.encode(some @ weights, self._joint_model(table))
                start += some.size
            if single:
                encoder.encode(coded[start : start + single], self._models[table])
                start += single
        for index, limit in zip(indices[outside].tolist(), escape[outside].tolist(), strict=True):
            encoder.encode_flag(index < 0)
            encoder.encode_number(-index if index < 0 else index - limit + 1)

    def decode(self, decoder: RangeDecoder, counts: NDArray[np.integer]) -> Int32:
        """`encode` backwards.

        Raises:
            FormatError: a symbol beyond the limit.
        """
        parts = [np.empty(0, np.int32)]
        for table, joint, single in self._runs(counts):
            if joint:
                numbers = decoder.decode(self._joint_model(table), joint)
                parts.append(self._joint_symbols(table).take(numbers, axis=0).ravel())
            if single:
                parts.append(self._symbols[table].take(decoder.decode(self._models[table], single)))
        symbols: Int32 = np.concatenate(parts)
        if symbols.size and symbols.max() == _ESCAPED:
            self._decode_escaped(decoder, symbols, counts)
        if not self._is_within and symbols.size and np.abs(symbols).max() > self._limit:
            raise FormatError(_BEYOND)
        return symbols

    def _decode_escaped(self, decoder: RangeDecoder, symbols: Int32, counts: NDArray[np.integer]) -> None:
        """Fill in, in place, what no table holds."""
        escaped = np.flatnonzero(symbols == _ESCAPED)
        tables = np.searchsorted(np.cumsum(counts), escaped, side="right")
        for position, lowest, escape in zip(
            escaped, self._lowest[tables].tolist(), self._escape[tables].tolist(), strict=True
        ):
            is_negative = decoder.decode_flag()
            number = decoder.decode_number()
            symbol = lowest - number if is_negative else lowest + escape + number - 1
            if abs(symbol) > self._limit:  # before it is an int32
                raise FormatError(_BEYOND)
            symbols[position] = symbol

    def _runs(self, counts: NDArray[np.integer]) -> Iterator[tuple[int, int, int]]:
        """(table, groups coded at once, symbols coded one by one behind them) of each table that has symbols."""
        for table, count in enumerate(counts.tolist()):
            if count:
                size = self._groups[table]
                joint = count // size if size > 1 and count >= LEAST_RUN else 0
                yield table, joint, count - joint * size

    def _build_joint_symbols(self, table: int) -> Int32:
        """(numbers, symbols at once): what each number of the joint model stands for."""
        length, size = self._lengths[table], self._groups[table]
        places = np.indices((length,) * size).reshape(size, -1).T
        return self._symbols[table].take(places)


def _symbols(table: FrequencyTable) -> Int32:
    """What the places of a table stand for."""
    symbols: Int32 = np.arange(table.lowest, table.lowest + len(table.frequencies), dtype=np.int32)
    symbols[table.escape] = _ESCAPED
    return symbols
