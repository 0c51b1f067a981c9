"""The entropy model of the photo codec: hyper-latents by table, latents in four passes by scale level.

A payload is one range coder's bytes: the hyper-latents; then, pass by pass, the symbols of that pass sorted by table
(stable). The table of a symbol follows from its scale level, with some models also from how far its mean is from zero;
those nearly alike have the same. One flag in front of each pass says whether the smallest levels are left out:
photographs are better without them, drawings that the model did not expect are not.
Behind the hyper-latents, and behind the symbols of each pass, stand the values of their escapes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.hyper_latents import HyperCoder, group_of
from isthmus.entropy.range_coder import RangeDecoder, RangeEncoder
from isthmus.entropy.rdo_quantisation import DEAREST_SYMBOL, STEP_ERROR_BITS, bits_of, thresholds_of, to_symbols
from isthmus.entropy.reference_networks import (
    DECODED_LIMIT,
    LATENT_LIMIT,
    MEAN_BITS,
    PASSES,
    SCALE_LEVELS,
    Integers,
    PriorNetworks,
    Reals,
    Whole,
    gather,
    scatter,
    signed_squash,
)  # fmt: skip
from isthmus.entropy.scale_tables import mean_class
from isthmus.entropy.table_coder import TableCoder
from isthmus.entropy.tables import FrequencyTable
from isthmus.errors import FormatError

MAX_SYMBOL = 4 * LATENT_LIMIT
SKIPPED_LEVELS = 8
"""A pass codes all levels, or leaves out those below this one: then their symbols are zero. On photographs their bits
are worth more than what they would mend."""


@dataclass(frozen=True)
class HyperpriorTables:
    """All frequencies that the coder sees."""

    levels: list[FrequencyTable]
    """Of latents."""
    shared: NDArray[np.uint8]
    """(classes * SCALE_LEVELS,) which of them each class of the mean and scale level has. There may be one class."""
    hyper: Callable[[int], HyperCoder]
    """What codes the hyper-latents of a group of qualities."""
    squash: NDArray[np.int16]
    """Of `exact.squash_table`."""
    groups: NDArray[np.uint8] | None = None
    """How many latents of each table are coded at once; None: one."""

    @cached_property
    def has_classes(self) -> bool:
        """Whether symbols are coded by the class of their mean as well."""
        return len(self.shared) > SCALE_LEVELS

    @cached_property
    def read(self) -> NDArray[np.float32]:
        """Of `exact.signed_squash`."""
        return signed_squash(self.squash)

    @cached_property
    def level_coder(self) -> TableCoder:
        """Codes symbols by class and scale level."""
        return TableCoder(self.levels, MAX_SYMBOL, self.groups)

    def kinds(self, levels: Whole, means: Whole, places: NDArray[np.int64]) -> NDArray[np.uint8]:
        """(places,) where in `shared` the latents at some places belong."""
        kinds = levels.take(places).astype(np.uint8, copy=False)
        if self.has_classes:
            kinds += SCALE_LEVELS * mean_class(means.take(places))
        return kinds

    @cached_property
    def bits(self) -> NDArray[np.float64]:
        """(classes * SCALE_LEVELS, 2, DEAREST_SYMBOL + 1): bits of symbols 0, 1, 2, ... and of 0, -1, -2, ..."""
        return bits_of(self.levels)[self.shared]

    @cached_property
    def thresholds(self) -> NDArray[np.float32]:
        """(classes * SCALE_LEVELS, 2, DEAREST_SYMBOL): see `thrift.thresholds_of`."""
        return thresholds_of(self.bits)


@dataclass(frozen=True)
class Hyperprior:
    """Symbols of one tile to a payload and back.

    Attributes:
        tables: of the model.
        networks: of the model.
        channels: of the latents.
        strong: how many of them the first three passes code.
    """

    tables: HyperpriorTables
    networks: PriorNetworks
    channels: int
    strong: int

    def encode(
        self, steps: NDArray[np.float32], hyper: Integers, quality: int, thresholds: NDArray[np.float32]
    ) -> bytes:
        """The payload of one tile.

        Args:
            steps: (channels, rows, columns) latents in quantisation steps, within ±LATENT_LIMIT; sides multiples of 4.
            hyper: (hyper channels, rows/4, columns/4), within ±HYPER_LIMIT.
            quality: 1 to 100.
            thresholds: (classes * SCALE_LEVELS, 2, symbols), see `to_symbols`.
        """
        encoder = RangeEncoder()
        self.tables.hyper(group_of(quality)).encode(encoder, hyper)
        passes = self.networks.begin(hyper, quality)
        known = _Known(steps.shape, self.strong, self.tables.read)
        for number in range(len(PASSES)):
            levels, means = (part.ravel() for part in passes.estimate(number, known.read, known.strong))
            values = gather(number, steps[known.channels(number)]).ravel()
            offsets = values - means.astype(np.float32) * np.float32(2.0**-MEAN_BITS)
            near = np.flatnonzero(np.abs(offsets) >= np.float32(0.5))  # all others are zero, and they are most
            is_turned = (means.take(near) < 0) & self.tables.has_classes
            symbols = to_symbols(offsets.take(near), self.tables.kinds(levels, means, near), is_turned, thresholds)
            is_some = symbols != 0
            places, symbols = near[is_some], symbols[is_some]
            some_levels = levels.take(places)
            is_thorough = self._pays_to_code_all(offsets.take(places), symbols, some_levels, levels)
            encoder.encode_flag(is_thorough)
            if not is_thorough:
                is_coded = some_levels >= SKIPPED_LEVELS
                places, symbols = places[is_coded], symbols[is_coded]
            some_means = means.take(places)
            coded = np.zeros(levels.size, np.int32)
            coded[places] = self._turn(symbols, some_means)
            candidates, order, counts = self._by_table(levels, means, is_thorough=is_thorough)
            self.tables.level_coder.encode(encoder, coded.take(candidates).take(order), counts)
            if number < len(PASSES) - 1:  # nothing is to be estimated from the last one
                known.put(number, means, places, symbols, some_means)
        return encoder.finish()

    def _pays_to_code_all(self, offset: NDArray[np.float32], symbol: Integers, level: Whole, levels: Whole) -> bool:
        """Whether the symbols of the smallest levels mend twice what their bits are worth: no photograph by chance.

        Args:
            offset: (symbols,) distances from the means, in quantisation steps, of what is not rounded to zero.
            symbol: (symbols,) what it is rounded to.
            level: (symbols,) its level.
            levels: (count,) of all latents of the pass.
        """
        is_small = level < SKIPPED_LEVELS
        offset, symbol, level = offset[is_small], symbol[is_small], level[is_small]
        bits = self.tables.bits[:SKIPPED_LEVELS, 0]
        worth = STEP_ERROR_BITS * float((symbol * (2 * offset - symbol)).sum())
        cost = (bits[level, np.minimum(np.abs(symbol), DEAREST_SYMBOL)] - bits[level, 0]).sum()
        if worth <= 2 * cost:  # the bits of zeros, slower to count, come on top
            return False
        counts = np.bincount(levels, minlength=SKIPPED_LEVELS)[:SKIPPED_LEVELS]
        return bool(worth > 2 * (cost + counts @ bits[:, 0]))

    def decode(self, payload: bytes, grid: tuple[int, int], quality: int) -> Reals:
        """The latents of a payload, (channels, rows, columns) whole numbers of 64ths of a step.

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

    def _decode(self, decoder: RangeDecoder, grid: tuple[int, int], quality: int) -> Reals:
        rows, columns = grid
        hyper = self.tables.hyper(group_of(quality)).decode(decoder, rows // 4, columns // 4)
        passes = self.networks.begin(hyper, quality)
        known = _Known((self.channels, rows, columns), self.strong, self.tables.read)
        for number in range(len(PASSES)):
            levels, means = (part.ravel() for part in passes.estimate(number, known.read, known.strong))
            candidates, order, counts = self._by_table(levels, means, is_thorough=decoder.decode_flag())
            coded = self.tables.level_coder.decode(decoder, counts)
            some = np.flatnonzero(coded != 0)  # most are zero: only of these it is asked where they are
            places = candidates.take(order.take(some))
            some_means = means.take(places)
            known.put(number, means, places, self._turn(coded.take(some), some_means), some_means)
        return known.decoded

    def _by_table(
        self, levels: Whole, means: Whole, *, is_thorough: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """(where symbols are coded, rising; their order by table, stable; how many each table has)."""
        places = np.arange(levels.size) if is_thorough else np.flatnonzero(levels >= SKIPPED_LEVELS)
        tables = self.tables.shared.take(self.tables.kinds(levels, means, places))
        order = np.argsort(tables, kind="stable")
        starts = np.searchsorted(tables.take(order), np.arange(len(self.tables.levels) + 1))  # faster than to count
        return places, order, np.diff(starts)

    def _turn(self, symbols: Integers, means: Whole) -> Integers:
        """With classes of means, symbols are coded so that positive ones point away from zero."""
        return np.where(means < 0, -symbols, symbols) if self.tables.has_classes else symbols


class _Known:
    """The latents that are known so far, in the two forms that networks read."""

    def __init__(self, shape: tuple[int, ...], strong: int, table: NDArray[np.float32]) -> None:
        self._strong, self._table = strong, table
        self.decoded: Reals = np.empty(shape, np.float32)
        self.strong = self.decoded[:strong]
        self.strong[:] = 0
        self.read = np.zeros((strong, *shape[1:]), np.float32)

    def channels(self, number: int) -> slice:
        """The channels that a pass codes."""
        return slice(0, self._strong) if number < len(PASSES) - 1 else slice(self._strong, None)

    def put(self, number: int, means: Whole, places: NDArray[np.int64], symbols: Integers, some_means: Whole) -> None:
        """A pass becomes known: its means; and at some places symbols on top of theirs, `some_means`."""
        channels, is_last = self.decoded[self.channels(number)], number == len(PASSES) - 1
        # the last are in the grid's order
        values: NDArray[Any] = channels.reshape(-1) if is_last else np.empty(means.size, np.int32)
        values[:] = means
        sums = (symbols << MEAN_BITS) + some_means
        # an encoder never reaches the limit; damaged data may
        values[places] = np.clip(sums, -DECODED_LIMIT, DECODED_LIMIT, out=sums)
        if not is_last:
            scatter(number, channels, values)
            # a strange model's means may be beyond the table: they read something, and raise nothing
            scatter(number, self.read, self._table.take(values, mode="wrap"))
