"""The entropy model of the hyperprior: hyper-latents by table, latents in four passes by scale index.

A payload is the bytes of one range coder: the hyper-latents; then, pass by pass, the symbols of that pass sorted by
table (stable). The table of a symbol follows from its scale index; scale indices whose distributions are nearly alike
share one. A flag in front of each pass says whether the smallest scales are coded at all: on photographs they cost more
bits than they save distortion, on drawings that the model did not expect they do not.
Behind the hyper-latents, and behind the symbols of each pass, stand the values of their escapes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.fixed_point import (
    DECODED_LIMIT,
    LATENT_LIMIT,
    MEAN_BITS,
    AnyInt,
    Float32,
    Int32,
    signed_companding,
)  # fmt: skip
from isthmus.entropy.hyper_latents import HyperCoder, group_of
from isthmus.entropy.passes import PASSES, Pass
from isthmus.entropy.range_coder import RangeDecoder, RangeEncoder
from isthmus.entropy.rdo_quantisation import (
    LARGEST_COSTED,
    STEP_ERROR_BITS,
    quantise_rdo,
    rdo_thresholds,
    symbol_bits,
)
from isthmus.entropy.reference_networks import PriorNetworks
from isthmus.entropy.table_coder import TableCoder
from isthmus.entropy.tables import FrequencyTable
from isthmus.errors import FormatError

MAX_SYMBOL = 4 * LATENT_LIMIT
HYPER_POSITIONS = 4
"""Latent positions of a hyper-latent in each direction."""
SKIPPED_SCALES = 8
"""A pass codes all scales, or skips the indices below this one: then their symbols are zero. On photographs their bits
are worth more than the distortion that they save."""
SKIPPING_FACTOR = 2
"""The smallest scales are coded where that lowers D + lambda R by this factor: no photograph does by chance."""


@dataclass(frozen=True)
class HyperpriorTables:
    """All frequencies that the coder sees.

    Attributes:
        latent: tables of latents.
        table_index: (SCALES,) uint8: which of them each scale index has.
        symbols_per_step: (tables,) uint8: how many symbols of each table are coded in one step of the range coder.
        hyper: the coder of the hyper-latents of a group of qualities.
        companding: (DECODED_LIMIT + 1,) int16 of `fixed_point.companding_table`.
    """

    latent: list[FrequencyTable]
    table_index: NDArray[np.uint8]
    symbols_per_step: NDArray[np.uint8]
    hyper: Callable[[int], HyperCoder]
    companding: NDArray[np.int16]

    @cached_property
    def signed_companding(self) -> Float32:
        """See `fixed_point.signed_companding`."""
        return signed_companding(self.companding)

    @cached_property
    def latent_coder(self) -> TableCoder:
        """Codes symbols by table."""
        return TableCoder(self.latent, MAX_SYMBOL, self.symbols_per_step)

    @cached_property
    def bits(self) -> NDArray[np.float64]:
        """(SCALES, LARGEST_COSTED + 1) cost of symbols 0, 1, 2, ... at each scale index, in bits."""
        return symbol_bits(self.latent)[self.table_index]

    def thresholds(self, rdo_strength: float) -> NDArray[np.float32]:
        """(SCALES, LARGEST_COSTED) of `rdo_quantisation.rdo_thresholds`."""
        return rdo_thresholds(self.bits, rdo_strength)


@dataclass(frozen=True)
class Hyperprior:
    """Latents of one tile to a payload and back.

    Attributes:
        tables: of the model.
        networks: of the model.
        channels: of the latents.
        first_group: how many of them the first three passes code.
    """

    tables: HyperpriorTables
    networks: PriorNetworks
    channels: int
    first_group: int

    def encode(self, steps: Float32, hyper: Int32, quality: int, thresholds: NDArray[np.float32]) -> bytes:
        """The payload of one tile.

        Args:
            steps: (channels, rows, columns) latents in quantisation steps, within ±LATENT_LIMIT.
            hyper: (hyper channels, rows/4, columns/4), rounded up, within ±HYPER_LIMIT.
            quality: of the file, 1 to 100.
            thresholds: (SCALES, symbols) of `HyperpriorTables.thresholds`.
        """
        return self._encode(steps, hyper, quality, thresholds, is_shown=False)[0]

    def encode_and_decode(
        self, steps: Float32, hyper: Int32, quality: int, thresholds: NDArray[np.float32]
    ) -> tuple[bytes, Float32]:
        """`encode`, and what `decode` makes of the payload, in a fraction of its time."""
        payload, context = self._encode(steps, hyper, quality, thresholds, is_shown=True)
        return payload, _cropped(context.decoded, steps.shape[1], steps.shape[2])

    def _encode(
        self, steps: Float32, hyper: Int32, quality: int, thresholds: NDArray[np.float32], *, is_shown: bool
    ) -> tuple[bytes, CausalContext]:
        encoder = RangeEncoder()
        self.tables.hyper(group_of(quality)).encode(encoder, hyper)
        passes = self.networks.begin(hyper, quality)
        inside = _inside(steps.shape[1], steps.shape[2])
        steps = with_whole_hyper_latents(steps)
        context = CausalContext(steps.shape, self.first_group, self.tables.signed_companding)
        for one in PASSES:
            scales, means = (part.ravel() for part in passes.estimate(one, context.companded, context.first_group))
            values = one.gather(steps[one.channels(self.first_group)]).ravel()
            is_inside = _of_pass(inside, one, scales.size)
            if is_inside is not None:
                means = means * is_inside
            offsets = values - means.astype(np.float32) * np.float32(2.0**-MEAN_BITS)
            near = np.flatnonzero(np.abs(offsets) >= np.float32(0.5))  # all others are zero, and they are most
            symbols = quantise_rdo(offsets.take(near), scales.take(near), thresholds)
            is_some = symbols != 0
            places, symbols = near[is_some], symbols[is_some]
            some_scales = scales.take(places)
            all_scales = scales if is_inside is None else scales[is_inside]
            codes_all_scales = self._pays_to_code_all(offsets.take(places), symbols, some_scales, all_scales)
            encoder.encode_flag(codes_all_scales)
            if not codes_all_scales:
                is_coded = some_scales >= SKIPPED_SCALES
                places, symbols = places[is_coded], symbols[is_coded]
            coded = np.zeros(scales.size, np.int32)
            coded[places] = symbols
            candidates, order, counts = self._by_table(scales, is_inside, codes_all_scales=codes_all_scales)
            self.tables.latent_coder.encode(encoder, coded.take(candidates).take(order), counts)
            if one.is_first_group or is_shown:  # nothing is estimated from the second one
                context.put(one, means, places, symbols)
        return encoder.finish(), context

    def _pays_to_code_all(
        self, offsets: NDArray[np.float32], symbols: Int32, scales: AnyInt, all_scales: AnyInt
    ) -> bool:
        """Whether coding the smallest scales lowers D + lambda R by SKIPPING_FACTOR over skipping them.

        Args:
            offsets: (symbols,) distances from the means, in quantisation steps, of what is not rounded to zero.
            symbols: (symbols,) what it is rounded to.
            scales: (symbols,) its scale index.
            all_scales: (count,) of all latents of the pass.
        """
        is_small = scales < SKIPPED_SCALES
        offsets, symbols, scales = offsets[is_small], symbols[is_small], scales[is_small]
        bits = self.tables.bits[:SKIPPED_SCALES]
        saved = STEP_ERROR_BITS * float((symbols * (2 * offsets - symbols)).sum())
        cost = (bits[scales, np.minimum(np.abs(symbols), LARGEST_COSTED)] - bits[scales, 0]).sum()
        if saved <= SKIPPING_FACTOR * cost:  # the bits of zeros, slower to count, come on top
            return False
        counts = np.bincount(all_scales, minlength=SKIPPED_SCALES)[:SKIPPED_SCALES]
        return bool(saved > SKIPPING_FACTOR * (cost + counts @ bits[:, 0]))

    def decode(self, payload: bytes, grid: tuple[int, int], quality: int) -> Float32:
        """The latents of a payload, (channels, rows, columns) whole numbers of 64ths of a quantisation step.

        Args:
            payload: of one tile.
            grid: rows and columns of the latents.
            quality: of the file, 1 to 100.

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

    def _decode(self, decoder: RangeDecoder, grid: tuple[int, int], quality: int) -> Float32:
        rows, columns = grid
        whole = tuple(-(-side // HYPER_POSITIONS) for side in grid)
        hyper = self.tables.hyper(group_of(quality)).decode(decoder, *whole)
        passes = self.networks.begin(hyper, quality)
        inside = _inside(rows, columns)
        shape = (self.channels, *(side * HYPER_POSITIONS for side in whole))
        context = CausalContext(shape, self.first_group, self.tables.signed_companding)
        for one in PASSES:
            scales, means = (part.ravel() for part in passes.estimate(one, context.companded, context.first_group))
            is_inside = _of_pass(inside, one, scales.size)
            if is_inside is not None:
                means = means * is_inside
            candidates, order, counts = self._by_table(scales, is_inside, codes_all_scales=decoder.decode_flag())
            coded = self.tables.latent_coder.decode(decoder, counts)
            some = np.flatnonzero(coded != 0)  # most are zero: only of these it is asked where they are
            context.put(one, means, candidates.take(order.take(some)), coded.take(some))
        return _cropped(context.decoded, rows, columns)

    def _by_table(
        self, scales: AnyInt, is_inside: NDArray[np.bool_] | None, *, codes_all_scales: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """(where symbols are coded, rising; their order by table, stable; how many each table has)."""
        if is_inside is not None:
            places = np.flatnonzero(is_inside if codes_all_scales else is_inside & (scales >= SKIPPED_SCALES))
        else:
            places = np.arange(scales.size) if codes_all_scales else np.flatnonzero(scales >= SKIPPED_SCALES)
        tables = self.tables.table_index.take(scales.take(places))
        order = np.argsort(tables, kind="stable")
        starts = np.searchsorted(tables.take(order), np.arange(len(self.tables.latent) + 1))  # faster than to count
        return places, order, np.diff(starts)


def with_whole_hyper_latents(steps: Float32) -> Float32:
    """(channels, rows, columns), with zeros behind up to multiples of HYPER_POSITIONS."""
    beyond = [(0, -side % HYPER_POSITIONS) for side in steps.shape[1:]]
    return np.pad(steps, ((0, 0), *beyond)) if any(map(any, beyond)) else steps


def _cropped(decoded: Float32, rows: int, columns: int) -> Float32:
    """Of whole hyper-latents, the positions of the grid."""
    is_whole = decoded.shape[1:] == (rows, columns)
    return decoded if is_whole else np.ascontiguousarray(decoded[:, :rows, :columns])


def _inside(rows: int, columns: int) -> NDArray[np.bool_] | None:
    """(1, rows, columns) of whole hyper-latents: the positions of the grid; None where these are all."""
    padded = with_whole_hyper_latents(np.ones((1, rows, columns), np.float32))
    return None if padded.shape == (1, rows, columns) else padded > 0


def _of_pass(inside: NDArray[np.bool_] | None, one: Pass, count: int) -> NDArray[np.bool_] | None:
    """(count,) of what a pass codes, channel by channel: whether it lies inside. Beyond, latents are zero."""
    if inside is None:
        return None
    places = one.gather(inside).ravel()
    return np.tile(places, count // places.size)


class CausalContext:
    """The latents that are decoded so far, in the two forms that the networks read.

    Attributes:
        decoded: (channels, rows, columns) in 64ths of a quantisation step.
        first_group: the part of it that the networks read; zero where nothing is decoded yet.
        companded: the same after log companding.
    """

    def __init__(self, shape: tuple[int, ...], first_group: int, companding: Float32) -> None:
        self._companding = companding
        self.decoded: Float32 = np.empty(shape, np.float32)
        self.first_group = self.decoded[:first_group]
        self.first_group[:] = 0
        self.companded = np.zeros((first_group, *shape[1:]), np.float32)

    def put(self, one: Pass, means: AnyInt, places: NDArray[np.int64], symbols: Int32) -> None:
        """Add what a pass decodes: its means (count,), and at some places a symbol on top of the mean."""
        channels = self.decoded[one.channels(len(self.first_group))]
        # the second group's values are in the grid's order
        values: NDArray[Any] = np.empty(means.size, np.int32) if one.is_first_group else channels.reshape(-1)
        values[:] = means
        sums = (symbols << MEAN_BITS) + means.take(places)
        # an encoder never reaches the limit; damaged data may
        values[places] = np.clip(sums, -DECODED_LIMIT, DECODED_LIMIT, out=sums)
        if one.is_first_group:
            one.scatter(channels, values)
            # a strange model's means may be beyond the table: they read something, and raise nothing
            one.scatter(self.companded, self._companding.take(values, mode="wrap"))
