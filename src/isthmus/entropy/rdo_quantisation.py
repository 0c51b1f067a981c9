"""Thrifty rounding: a symbol is taken only where what it mends is worth more than its bits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.range_coder import TABLE_BITS
from isthmus.entropy.reference_networks import Integers
from isthmus.entropy.tables import FrequencyTable

STEP_ERROR_BITS = 6 / math.log(2)
"""Bits that a squared error of one quantisation step is worth, where steps suit the trade of rate and error."""
ERROR_WEIGHT = 1.75
"""A symbol's error counts so many times: what is known of a latent tells something of others. Tuned on photographs held
aside, where 1.6 to 2 are alike."""
DEAREST_SYMBOL = 32
"""Larger symbols are taken to cost as much more than the one before as this one."""


def bits_of(tables: Sequence[FrequencyTable]) -> NDArray[np.float64]:
    """(tables, 2, DEAREST_SYMBOL + 1): bits of symbols 0, 1, 2, ... and of 0, -1, -2, ..."""
    symbols = np.arange(DEAREST_SYMBOL + 1)
    return np.array([[_bits_of(table, symbols), _bits_of(table, -symbols)] for table in tables])


def _bits_of(table: FrequencyTable, symbols: NDArray[np.int64]) -> NDArray[np.float64]:
    """(count,) bits of symbols, of escaped ones with their values."""
    cost = TABLE_BITS - np.log2(table.frequencies.astype(np.float64))
    places = symbols - table.lowest
    beyond = np.maximum(np.maximum(-places, places - table.escape + 1), 0)  # how far behind the table's edge
    escaped = cost[-1] + 6 + 2 * np.floor(np.log2(np.maximum(beyond, 1)))
    bits: NDArray[np.float64] = np.where(beyond > 0, escaped, cost[np.clip(places, 0, table.escape - 1)])
    return bits


def thresholds_of(bits: NDArray[np.float64]) -> NDArray[np.float32]:
    """From what distance on a symbol pays.

    Args:
        bits: of `bits_of`, for any tables.

    Returns:
        (tables, 2, DEAREST_SYMBOL): in quantisation steps from the mean, of symbols 1, 2, ... and of -1, -2, ...
    """
    dearer = np.maximum(np.diff(bits), 0) / (2 * ERROR_WEIGHT * STEP_ERROR_BITS)
    edges = np.arange(dearer.shape[-1]) + 0.5
    thresholds: NDArray[np.float32] = (edges + dearer).astype(np.float32)
    return thresholds


def to_symbols(
    offsets: NDArray[np.float32],
    kinds: NDArray[np.uint8],
    is_turned: NDArray[np.bool_],
    thresholds: NDArray[np.float32],
) -> Integers:
    """Round thriftily: a symbol is taken only where it is at least as far as pays; the next nearer one elsewhere.

    Args:
        offsets: (count,) distances of latents from their means in quantisation steps, at least a half.
        kinds: (count,) of `HyperpriorTables.kinds`.
        is_turned: (count,) whether the symbol is coded with the other sign.
        thresholds: (classes * SCALE_LEVELS, 2, symbols) float32, at least a half: as `HyperpriorTables.thresholds`.
            Larger symbols are as the last.

    Returns:
        (count,) symbols, not turned.
    """
    is_negative = offsets < 0
    sizes = np.abs(offsets)
    nearest = (sizes + np.float32(0.5)).astype(np.int32)  # rounded down
    width = thresholds.shape[2]
    column = np.minimum(nearest, width) - 1
    row = 2 * kinds.astype(np.int32) + (is_negative ^ is_turned)
    needed = (nearest - 1 - column) + thresholds.ravel().take(row * width + column)
    nearest -= sizes < needed
    return np.where(is_negative, -nearest, nearest)
