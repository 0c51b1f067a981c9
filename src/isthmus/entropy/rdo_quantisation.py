"""Rate-distortion optimised quantisation: a symbol is coded only where it lowers D + lambda R.

The cost of a symbol is that of the table that will code it; the distortion is in quantisation steps. Only the encoder
does this: the decoder needs to know nothing of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.fixed_point import Int32
from isthmus.entropy.range_coder import TABLE_BITS
from isthmus.entropy.tables import FrequencyTable

STEP_ERROR_BITS = 6 / math.log(2)
"""Bits that a squared error of one quantisation step is worth, where steps suit the trade of rate and error."""
ERROR_WEIGHT = 1.75
"""A symbol's error counts so many times: what is known of a latent tells something of others. Tuned on photographs held
aside, where 1.6 to 2 are alike."""
LARGEST_COSTED = 32
"""A larger symbol is taken to cost as much more than the one before as this one."""
MAX_RAISE = 0.95
"""Of a quantisation step: a threshold lies at most this far above the lower symbol's edge, however strong the RDO."""


def symbol_bits(tables: Sequence[FrequencyTable]) -> NDArray[np.float64]:
    """Cost of symbols in bits.

    Returns:
        (tables, LARGEST_COSTED + 1) float64: of symbols 0, 1, 2, ...; tables are symmetric.
    """
    symbols = np.arange(LARGEST_COSTED + 1)
    return np.array([_bits_of(table, symbols) for table in tables])


def _bits_of(table: FrequencyTable, symbols: NDArray[np.int64]) -> NDArray[np.float64]:
    """(count,) bits of symbols, of escaped ones with their values."""
    cost = TABLE_BITS - np.log2(table.frequencies.astype(np.float64))
    places = symbols - table.lowest
    beyond = np.maximum(np.maximum(-places, places - table.escape + 1), 0)  # how far behind the table's edge
    escaped = cost[-1] + 6 + 2 * np.floor(np.log2(np.maximum(beyond, 1)))
    bits: NDArray[np.float64] = np.where(beyond > 0, escaped, cost[np.clip(places, 0, table.escape - 1)])
    return bits


def rdo_thresholds(bits: NDArray[np.float64], strength: float = 1.0) -> NDArray[np.float32]:
    """The distance from which on each symbol is coded: the dead zone and what lies behind it.

    A symbol m costs bits(m) - bits(m - 1) more than the one before, and saves a squared error that grows linearly with
    the distance; both are equal at the threshold.

    Args:
        bits: (tables, symbols + 1) of `symbol_bits`.
        strength: 1 is the optimum for the trade that the model was trained for; more rounds more to zero.

    Returns:
        (tables, symbols) float32: in quantisation steps from the mean, of symbols 1, 2, ...
    """
    dearer = np.maximum(np.diff(bits), 0) / (2 * ERROR_WEIGHT * STEP_ERROR_BITS)
    edges = (np.arange(dearer.shape[-1]) + 0.5).astype(np.float32)
    thresholds = edges + dearer.astype(np.float32) * np.float32(strength)
    limited: NDArray[np.float32] = np.minimum(thresholds, edges + np.float32(MAX_RAISE))
    return limited


def quantise_rdo(offsets: NDArray[np.float32], rows: NDArray[np.integer], thresholds: NDArray[np.float32]) -> Int32:
    """Round each latent to a symbol, or to the one nearer to zero where the distance is below the symbol's threshold.

    Args:
        offsets: (count,) float32 distances of latents from their means in quantisation steps, at least a half.
        rows: (count,) which row of `thresholds` each latent has.
        thresholds: (rows, symbols) float32 of `rdo_thresholds`; larger symbols are as the last.

    Returns:
        (count,) int32.

    Example:
        >>> quantise_rdo(np.float32([0.6, 0.9, -1.6]), np.zeros(3, int), np.float32([[0.75, 1.5]])).tolist()
        [0, 1, -2]
    """
    sizes = np.abs(offsets)
    nearest = (sizes + np.float32(0.5)).astype(np.int32)  # rounded down
    width = thresholds.shape[1]
    column = np.minimum(nearest, width) - 1
    needed = (nearest - 1 - column) + thresholds.ravel().take(rows.astype(np.int32) * width + column)
    nearest -= sizes < needed
    return np.where(offsets < 0, -nearest, nearest)
