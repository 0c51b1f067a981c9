"""`range_coder` for many short payloads at once: a symbol of each per step, NumPy in place of a call per symbol.

A twin: the payloads are byte for byte those of `RangeEncoder`, and a property test holds them to that. All rows use the
same tables in the same order, one symbol of each; what needs an escape is left to the twin that is to be read.

The arithmetic is constriction's: a 64-bit interval (lower, width), 24-bit probabilities, 32-bit words that leave the
interval when its width falls below 2^32. Our frequencies have 16 bits, so every bound is a multiple of 2^8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.range_coder import CODER_BITS, TABLE_BITS

_WORD_BITS = np.uint64(32)
_PRECISION = np.uint64(CODER_BITS)
_EXTRA_BITS = np.uint64(CODER_BITS - TABLE_BITS)
_FEWEST = np.uint64(1 << 32)
_WORD_MASK = np.uint64((1 << 32) - 1)
_WIDEST = np.uint64((1 << 64) - 1)
_STATE_BYTES = 8
_WORD_BYTES = 4
_LAST = (1 << TABLE_BITS) - 1

Words = NDArray[np.uint64]


@dataclass(frozen=True)
class Bounds:
    """A table as this file needs it.

    Attributes:
        starts: (entries,) uint64, in units of 2^-24: where each entry's share of the interval starts.
        shares: (entries,) uint64, in the same units: how wide it is.
        entry_of: (2^16,) uint16: the entry at each 2^-16 of the interval.
    """

    starts: Words
    shares: Words
    entry_of: NDArray[np.uint16]


def bounds_of(frequencies: NDArray[np.integer]) -> Bounds:
    """Of a table of integers >= 1 with sum 2^16."""
    shares = np.asarray(frequencies, np.uint64)
    entry_of = np.repeat(np.arange(len(shares), dtype=np.uint16), shares.astype(np.int64))
    return Bounds((np.cumsum(shares) - shares) << _EXTRA_BITS, shares << _EXTRA_BITS, entry_of)


def encode(indices: NDArray[np.integer], tables: Sequence[Bounds]) -> list[bytes]:
    """The payload of each row.

    Args:
        indices: (rows, symbols), each an entry of its column's table.
        tables: of each column.
    """
    rows = len(indices)
    lower, width = np.zeros(rows, np.uint64), np.full(rows, _WIDEST)
    words = np.zeros((rows, len(tables) + 2), np.uint64)  # what left the interval; above 2^32 - 1 until carried
    used = np.zeros(rows, np.int64)
    for column, table in zip(indices.T, tables, strict=True):
        unit = width >> _PRECISION
        moved = lower + unit * table.starts[column]
        width = unit * table.shares[column]
        carried = np.flatnonzero(moved < lower)
        words[carried, used[carried] - 1] += np.uint64(1)
        lower = moved
        full = np.flatnonzero(width < _FEWEST)
        words[full, used[full]] = lower[full] >> _WORD_BITS
        used[full] += 1
        lower[full] <<= _WORD_BITS
        width[full] <<= _WORD_BITS
    point = _shortest(lower, width)
    carried = np.flatnonzero(point < lower)
    words[carried, used[carried] - 1] += np.uint64(1)
    places = np.arange(rows)
    words[places, used] = point >> _WORD_BITS
    words[places, used + 1] = point & _WORD_MASK
    for column in range(words.shape[1] - 1, 0, -1):  # carries, from the right
        words[:, column - 1] += words[:, column] >> _WORD_BITS
    data, length = (words & _WORD_MASK).astype(">u4").tobytes(), words.shape[1] * _WORD_BYTES
    return [data[start : start + length].rstrip(b"\0") for start in range(0, len(data), length)]


def decode(payloads: Sequence[bytes], tables: Sequence[Bounds]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """What `encode` was given.

    Returns:
        (rows, symbols) int32 entries, and (rows,) whether each row is the payload of some symbols; where not, its
        entries mean nothing.
    """
    length = (len(tables) + 2) * _WORD_BYTES  # a symbol takes at most one word
    rows = len(payloads)
    data = b"".join([payload[:length].ljust(length, b"\0") for payload in payloads])
    words = np.frombuffer(data, ">u4").reshape(rows, -1).astype(np.uint64)
    offset = words[:, 0] << _WORD_BITS | words[:, 1]  # of the coded point from the interval's lower end
    width = np.full(rows, _WIDEST)
    used = np.full(rows, 2, np.int64)
    is_whole = np.ones(rows, np.bool_)
    indices = np.empty((len(tables), rows), np.int32)
    for column, table in zip(indices, tables, strict=True):
        unit = width >> _PRECISION
        share = offset // unit
        is_whole &= share >> _PRECISION == 0
        entry = table.entry_of[np.minimum(share >> _EXTRA_BITS, np.uint64(_LAST))]
        column[:] = entry
        offset -= unit * table.starts[entry]
        width = unit * table.shares[entry]
        full = np.flatnonzero(width < _FEWEST)
        offset[full] = offset[full] << _WORD_BITS | words[full, used[full]]
        used[full] += 1
        width[full] <<= _WORD_BITS
    return indices.T, is_whole


def _shortest(lower: Words, width: Words) -> Words:
    """The number in [lower, lower + width) with most zero bytes at its end, modulo 2^64; see `RangeEncoder.finish`."""
    point = lower.copy()
    is_open = np.ones(len(lower), np.bool_)
    for length in range(_STATE_BYTES):
        mask = np.uint64((1 << 8 * (_STATE_BYTES - length)) - 1)
        distance = (np.uint64(0) - lower) & mask
        found = is_open & (distance < width)
        point[found] = (lower + distance)[found]
        is_open &= ~found
    return point
