"""The entropy model of the photo codec: hyper-latents by table, latents in four passes by scale level.

A payload is one range coder's bytes: the hyper-latents channel by channel; then, pass by pass, the symbols of the
positions of that pass sorted by scale level (stable), each level with its table. Symbols of the smallest level are zero
and not coded. Behind the symbols of one table stand the values of its escapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.exact import (
    LATENT_LIMIT,
    MEAN_BITS,
    SCALE_LEVELS,
    Integers,
    Positions,
    PriorNetworks,
    PriorPasses,
    squash,
)  # fmt: skip
from isthmus.entropy.range_coder import Model, RangeDecoder, RangeEncoder, model_of
from isthmus.entropy.tables import FrequencyTable
from isthmus.errors import FormatError

HYPER_LIMIT = 31
HYPER_GROUPS = 10
MAX_SYMBOL = 4 * LATENT_LIMIT
SKIPPED_LEVELS = 1
"""Levels below this are not coded."""


@dataclass(frozen=True)
class Encoded:
    """One picture's payload, and the latents as its decoder will know them."""

    payload: bytes
    decoded: Integers
    """(channels, rows, columns), in 64ths of a quantisation step."""


@dataclass(frozen=True)
class HyperpriorTables:
    """All frequencies that the coder sees."""

    levels: list[FrequencyTable]
    """64 tables of latents, by scale level."""
    hyper: list[list[FrequencyTable]]
    """Tables of hyper-latents: group of qualities, channel."""
    squash: NDArray[np.int16]
    """Of `exact.squash`."""

    @cached_property
    def level_models(self) -> list[_CodedTable]:
        """The coder's models of `levels`."""
        return [_CodedTable(table) for table in self.levels]

    @cached_property
    def hyper_models(self) -> list[list[_CodedTable]]:
        """The coder's models of `hyper`."""
        return [[_CodedTable(table) for table in row] for row in self.hyper]


@dataclass(frozen=True)
class Hyperprior:
    """Symbols of one tile to a payload and back.

    Attributes:
        tables: of the model.
        networks: of the model.
        channels: of the latents.
        strong: how many of them passes 1 and 2 code.
        hyper_channels: of the hyper-latents.
    """

    tables: HyperpriorTables
    networks: PriorNetworks
    channels: int
    strong: int
    hyper_channels: int

    def encode(
        self, steps: NDArray[np.float32], hyper: Integers, quality: int, thresholds: NDArray[np.float32]
    ) -> Encoded:
        """Code one tile.

        Args:
            steps: (channels, rows, columns) latents in quantisation steps, within ±LATENT_LIMIT; sides multiples of 4.
            hyper: (hyper channels, rows/4, columns/4), within ±HYPER_LIMIT.
            quality: 1 to 100.
            thresholds: (SCALE_LEVELS, symbols), see `to_symbols`.
        """
        encoder = RangeEncoder()
        for table, channel in zip(self.tables.hyper_models[group_of(quality)], hyper, strict=True):
            table.encode(encoder, channel.ravel())
        passes = _Passes(self.networks.begin(hyper, quality), self.strong, steps.shape, self.tables.squash)
        grid_size = steps.shape[1] * steps.shape[2]
        for number in range(4):
            channels, positions = passes.where(number)
            levels, means = passes.estimate(number)
            values = np.take(steps[channels].reshape(-1, grid_size), positions, axis=1).ravel()
            symbols = to_symbols(values, levels, means, thresholds)
            order, ends = _by_level(levels)
            sorted_symbols = symbols[order]
            for level in range(SKIPPED_LEVELS, SCALE_LEVELS):
                part = sorted_symbols[ends[level - 1] : ends[level]]
                if part.size:
                    self.tables.level_models[level].encode(encoder, part)
            passes.put(number, symbols, means)
        return Encoded(encoder.finish(), passes.decoded)

    def decode(self, payload: bytes, grid: tuple[int, int], quality: int) -> Integers:
        """The latents of a payload, (channels, rows, columns) in 64ths of a quantisation step.

        Args:
            payload: of one tile.
            grid: rows and columns of the latents, multiples of 4.
            quality: 1 to 100.

        Raises:
            FormatError: the payload is not one of this many symbols.
        """
        decoder = RangeDecoder(payload)
        try:
            return self._decode(decoder, grid, quality)
        except (AssertionError, ValueError) as error:  # constriction's words for invalid data
            if isinstance(error, FormatError):
                raise
            raise FormatError(f"the payload cannot be decoded: {error}") from error

    def _decode(self, decoder: RangeDecoder, grid: tuple[int, int], quality: int) -> Integers:
        rows, columns = grid
        hyper = np.empty((self.hyper_channels, rows // 4, columns // 4), np.int32)
        for table, channel in zip(self.tables.hyper_models[group_of(quality)], hyper, strict=True):
            channel[:] = table.decode(decoder, channel.size).reshape(channel.shape)
        if np.abs(hyper).max() > HYPER_LIMIT:
            raise FormatError("the payload holds a hyper-latent beyond the format's range")
        passes = _Passes(
            self.networks.begin(hyper, quality), self.strong, (self.channels, rows, columns), self.tables.squash
        )
        for number in range(4):
            levels, means = passes.estimate(number)
            order, ends = _by_level(levels)
            symbols = np.zeros(levels.size, np.int32)
            for level in range(SKIPPED_LEVELS, SCALE_LEVELS):
                start, end = ends[level - 1], ends[level]
                if end > start:
                    symbols[order[start:end]] = self.tables.level_models[level].decode(decoder, int(end - start))
            if symbols.size and np.abs(symbols).max() > MAX_SYMBOL:
                raise FormatError("the payload holds a symbol beyond the format's range")
            passes.put(number, symbols, means)
        return passes.decoded


def to_symbols(
    steps: NDArray[np.float32], levels: Integers, means: Integers, thresholds: NDArray[np.float32]
) -> Integers:
    """Round thriftily: a symbol m is taken only from thresholds[level, m - 1] on, larger ones as the table's last.

    Args:
        steps: (count,) latents in quantisation steps.
        levels: (count,) scale levels.
        means: (count,) in 64ths of a step.
        thresholds: (SCALE_LEVELS, symbols) float32; level by level the distance from the mean at which a symbol pays.
    """
    offset = steps - means.astype(np.float32) * np.float32(2.0**-MEAN_BITS)
    size = np.abs(offset)
    nearest = np.floor(size + np.float32(0.5)).astype(np.int32)
    column = np.clip(nearest - 1, 0, thresholds.shape[1] - 1)
    needed = (nearest - 1 - column) + thresholds[levels, column]
    nearest -= size < needed
    symbols: Integers = np.where(levels < SKIPPED_LEVELS, 0, np.sign(offset).astype(np.int32) * np.maximum(nearest, 0))
    return symbols


def group_of(quality: int) -> int:
    """Which tables of hyper-latents a quality uses."""
    return min(HYPER_GROUPS - 1, (quality - 1) * HYPER_GROUPS // 99)


class _Passes:
    """The order of the passes: which positions and channels, and what is known before each."""

    def __init__(self, networks: PriorPasses, strong: int, shape: tuple[int, ...], table: NDArray[np.int16]) -> None:
        self._networks, self._strong, self._table = networks, strong, table
        self.decoded: Integers = np.zeros(shape, np.int32)
        self._read = np.zeros(shape, np.float32)
        rows, columns = shape[1:]
        is_even = (np.arange(rows)[:, None] + np.arange(columns)) % 2 == 0
        self._positions = (np.flatnonzero(is_even), np.flatnonzero(~is_even))

    def where(self, number: int) -> tuple[slice, Positions]:
        """Channels and positions of pass 0..3."""
        channels = slice(0, self._strong) if number < 2 else slice(self._strong, None)
        return channels, self._positions[number % 2]

    def estimate(self, number: int) -> tuple[Integers, Integers]:
        """(levels, means) of a pass' symbols, (count,) each."""
        networks, strong = self._networks, self._strong
        _, positions = self.where(number)
        if number == 0:
            levels, means = networks.first(positions)
        elif number == 1:
            levels, means = networks.second(positions, self._read[:strong], self.decoded[:strong])
        elif number == 2:
            levels, means = networks.third(positions, self._read[:strong])
        else:
            levels, means = networks.fourth(positions, self._read[strong:])
        return levels.ravel(), means.ravel()

    def put(self, number: int, symbols: Integers, means: Integers) -> None:
        """Symbols of a pass become known."""
        channels, _ = self.where(number)
        limit = (LATENT_LIMIT + 1) << MEAN_BITS  # an encoder never reaches it; damaged data may
        values = np.clip((symbols << MEAN_BITS) + means, -limit, limit)
        _put_half(self.decoded[channels], values, number % 2)
        if number < 3:
            _put_half(self._read[channels], squash(values, self._table), number % 2)


def _put_half(grid: NDArray[Any], values: NDArray[Any], parity: int) -> None:
    """Values by channel, then position, into (channels, rows, columns) where row + column is even (0) or odd (1)."""
    channels, rows, columns = grid.shape
    halves = values.reshape(channels, rows, columns // 2)
    grid[:, 0::2, parity::2] = halves[:, 0::2]
    grid[:, 1::2, 1 - parity :: 2] = halves[:, 1::2]


class _CodedTable:
    """A table with the coder's model of it."""

    def __init__(self, table: FrequencyTable) -> None:
        self._lowest, self._escape = table.lowest, table.escape
        self._model: Model = model_of(table.frequencies)

    def encode(self, encoder: RangeEncoder, symbols: Integers) -> None:
        indices = symbols - np.int32(self._lowest)
        outside = (indices < 0) | (indices >= self._escape)
        if not outside.any():
            encoder.encode(indices, self._model)
            return
        encoder.encode(np.where(outside, np.int32(self._escape), indices), self._model)
        for index in indices[outside].tolist():
            encoder.encode_sign(is_negative=index < 0)
            encoder.encode_number(-index if index < 0 else index - self._escape + 1)

    def decode(self, decoder: RangeDecoder, count: int) -> Integers:
        indices = np.asarray(decoder.decode(self._model, count), np.int32)
        for position in np.flatnonzero(indices == self._escape):
            is_negative = decoder.decode_sign()
            number = decoder.decode_number()
            if number > MAX_SYMBOL:
                raise FormatError("the payload holds a symbol beyond the format's range")
            indices[position] = -number if is_negative else number + self._escape - 1
        symbols: Integers = indices + np.int32(self._lowest)
        return symbols


def _by_level(levels: Integers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(coded symbols, sorted by level, stable; where each level ends among them)."""
    coded = np.flatnonzero(levels >= SKIPPED_LEVELS)
    coded_levels = levels[coded].astype(np.uint8)
    order = coded[np.argsort(coded_levels, kind="stable")]
    return order, np.cumsum(np.bincount(coded_levels, minlength=SCALE_LEVELS))
