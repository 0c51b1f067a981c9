"""The entropy model of plain autoencoders: one table for each quality and latent channel, static, so exact for free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy import batched_range_coder
from isthmus.entropy.range_coder import Model, RangeDecoder, RangeEncoder, model_of
from isthmus.entropy.tables import FrequencyTable
from isthmus.errors import FormatError
from isthmus.values import QUALITIES

MAX_SYMBOL = 1 << 24
BATCHED_ROWS = 64
"""Pictures of one position from which coding a symbol of each per step is faster than one picture after another."""


class FactorisedPrior:
    """One table per quality and channel, packed one behind the other.

    Args:
        lowest: (100, channels) int32, the symbol of each table's first entry.
        sizes: (100, channels) uint16, entries of each table, the escape included.
        frequencies: (sum of sizes,) uint16.

    Raises:
        FormatError: the shapes do not belong together, or a table is not one.
    """

    def __init__(self, lowest: NDArray[np.int32], sizes: NDArray[np.uint16], frequencies: NDArray[np.uint16]) -> None:
        if lowest.ndim != 2 or lowest.shape[0] != QUALITIES or sizes.shape != lowest.shape:
            raise FormatError(f"the tables are for {lowest.shape}, not for ({QUALITIES}, channels)")
        if lowest.dtype != np.int32 or sizes.dtype != np.uint16 or frequencies.dtype != np.uint16:
            raise FormatError("the tables are not of the types that the format says")
        if frequencies.shape != (int(sizes.sum(dtype=np.int64)),):
            raise FormatError("the tables' sizes do not add up to their entries")
        self._lowest, self._sizes, self._frequencies = lowest, sizes, frequencies
        self._coder_models = lru_cache(maxsize=4)(self._build_coder_models)
        self._bounds = lru_cache(maxsize=4)(self._build_bounds)

    @classmethod
    def from_tables(cls, tables: list[list[FrequencyTable]]) -> FactorisedPrior:
        """Pack tables[quality - 1][channel]."""
        return cls(
            lowest=np.array([[table.lowest for table in row] for row in tables], np.int32),
            sizes=np.array([[len(table.frequencies) for table in row] for row in tables], np.uint16),
            frequencies=np.concatenate([table.frequencies for row in tables for table in row]),
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> FactorisedPrior:
        """Out of a model file; every table is checked when its quality is first used."""
        return cls(arrays["table_lowest"], arrays["table_sizes"], arrays["table_frequencies"])

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """As a model file stores it."""
        return {"table_lowest": self._lowest, "table_sizes": self._sizes, "table_frequencies": self._frequencies}

    def tables(self, quality: int) -> list[FrequencyTable]:
        """The tables of one quality, one for each channel."""
        ends = np.cumsum(self._sizes.ravel(), dtype=np.int64).reshape(self._sizes.shape)[quality - 1]
        starts = ends - self._sizes[quality - 1]
        return [
            FrequencyTable(int(lowest), self._frequencies[start:end])
            for lowest, start, end in zip(self._lowest[quality - 1], starts, ends, strict=True)
        ]

    def encode(self, symbols: NDArray[np.int32], quality: int) -> bytes:
        """Code one picture's symbols.

        Args:
            symbols: (channels, rows, columns) int32, within ±2^24.
            quality: 1 to 100.

        Returns:
            The payload; empty where every symbol was the expected one.
        """
        encoder = RangeEncoder()
        encode = encoder.encode
        if symbols.shape[1] * symbols.shape[2] == 1:
            for symbol, (model, lowest, escape) in zip(
                symbols.ravel().tolist(), self._coder_models(quality), strict=True
            ):
                index = symbol - lowest
                if 0 <= index < escape:
                    encode(index, model)
                else:
                    encode(escape, model)
                    _encode_escaped(encoder, index, escape)
            return encoder.finish()
        for channel, (model, lowest, escape) in zip(symbols, self._coder_models(quality), strict=True):
            indices = channel.ravel() - np.int32(lowest)
            outside = (indices < 0) | (indices >= escape)
            encode(np.where(outside, np.int32(escape), indices), model)
            for index in indices[outside].tolist():
                _encode_escaped(encoder, index, escape)
        return encoder.finish()

    def decode(self, payload: bytes, grid: tuple[int, int], quality: int) -> NDArray[np.int32]:
        """Symbols (channels, rows, columns) of a payload.

        Raises:
            FormatError: the payload is not one of this many symbols.
        """
        decoder = RangeDecoder(payload)
        decode = decoder.decode
        models = self._coder_models(quality)
        count = grid[0] * grid[1]
        try:
            if count == 1:
                column = []
                for model, lowest, escape in models:
                    index = decode(model)
                    column.append((index if index != escape else _decode_escaped(decoder, escape)) + lowest)
                symbols = np.array(column, np.int64)
            else:
                symbols = np.empty((len(models), count), np.int64)
                for channel, (model, lowest, escape) in enumerate(models):
                    indices = decode(model, count).astype(np.int64)
                    for position in np.flatnonzero(indices == escape):
                        indices[position] = _decode_escaped(decoder, escape)
                    symbols[channel] = indices + lowest
        except (AssertionError, ValueError) as error:  # constriction's words for invalid data
            raise FormatError(f"the payload cannot be decoded: {error}") from error
        if symbols.size and int(np.abs(symbols).max()) > MAX_SYMBOL:
            raise FormatError("the payload holds a symbol beyond the format's range")
        return symbols.astype(np.int32).reshape(len(models), *grid)

    def encode_batch(self, symbols: NDArray[np.int32], quality: int) -> list[bytes]:
        """`encode` of many pictures (count, channels, rows, columns), to the same bytes."""
        if not self._is_batched(len(symbols), symbols.shape[2] * symbols.shape[3]):
            return [self.encode(one, quality) for one in symbols]
        lowest, escapes, bounds = self._bounds(quality)
        indices = symbols[:, :, 0, 0] - lowest
        outside = np.any((indices < 0) | (indices >= escapes), axis=1)
        payloads = batched_range_coder.encode(np.where(outside[:, None], 0, indices), bounds)
        for row in np.flatnonzero(outside).tolist():
            payloads[row] = self.encode(symbols[row], quality)
        return payloads

    def decode_batch(self, payloads: Sequence[bytes], grid: tuple[int, int], quality: int) -> NDArray[np.int32]:
        """`decode` of many payloads: (count, channels, rows, columns).

        Raises:
            FormatError: a payload is not one of this many symbols.
        """
        if not self._is_batched(len(payloads), grid[0] * grid[1]):
            symbols = np.empty((len(payloads), self._lowest.shape[1], *grid), np.int32)
            for one, payload in zip(symbols, payloads, strict=True):
                one[:] = self.decode(payload, grid, quality)
            return symbols
        lowest, escapes, bounds = self._bounds(quality)
        indices, is_whole = batched_range_coder.decode(payloads, bounds)
        symbols = (indices + lowest)[:, :, None, None]
        for row in np.flatnonzero(np.any(indices == escapes, axis=1) | ~is_whole).tolist():
            symbols[row] = self.decode(payloads[row], grid, quality)
        return symbols

    def _is_batched(self, count: int, positions: int) -> bool:
        return count >= BATCHED_ROWS and positions == 1

    def _build_bounds(
        self, quality: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], list[batched_range_coder.Bounds]]:
        """Lowest symbols (channels,), escapes (channels,), and what `batched_range_coder` needs of each table."""
        tables = self.tables(quality)
        lowest = np.array([table.lowest for table in tables], np.int32)
        escapes = np.array([table.escape for table in tables], np.int32)
        return lowest, escapes, [batched_range_coder.bounds_of(table.frequencies) for table in tables]

    def _build_coder_models(self, quality: int) -> list[tuple[Model, int, int]]:
        """(coder's model, lowest symbol, escape index) of each channel."""
        return [(model_of(table.frequencies), table.lowest, table.escape) for table in self.tables(quality)]


def _encode_escaped(encoder: RangeEncoder, index: int, escape: int) -> None:
    """A symbol outside its table: the side, then how far beyond the edge."""
    encoder.encode_flag(index < 0)
    encoder.encode_number(-index if index < 0 else index - escape + 1)


def _decode_escaped(decoder: RangeDecoder, escape: int) -> int:
    """The index that `_encode_escaped` wrote."""
    is_negative = decoder.decode_flag()
    number = decoder.decode_number()
    return -number if is_negative else number + escape - 1
