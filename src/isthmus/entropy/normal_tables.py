"""The frozen integer tables of the 64 scale levels: normal distributions cut into whole symbols."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.tables import FrequencyTable, integer_frequencies

SMALLEST_SCALE, LARGEST_SCALE, LEVELS = 0.11, 256.0, 64
TAIL = 2.0**-17
"""A table ends where less than this is left on a side; the rest is the escape's."""


def scale_of(level: int) -> float:
    """Standard deviation of a level, in quantisation steps."""
    return SMALLEST_SCALE * math.exp(level * math.log(LARGEST_SCALE / SMALLEST_SCALE) / (LEVELS - 1))


def normal_tables() -> list[FrequencyTable]:
    """One table for each level, symmetric ranges around zero."""
    return [_normal_table(scale_of(level)) for level in range(LEVELS)]


def pack_tables(tables: list[FrequencyTable]) -> tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.uint16]]:
    """(lowest symbols, sizes, frequencies one behind the other)."""
    return (
        np.array([table.lowest for table in tables], np.int32),
        np.array([len(table.frequencies) for table in tables], np.uint16),
        np.concatenate([table.frequencies for table in tables]),
    )


def unpack_tables(
    lowest: NDArray[np.int32], sizes: NDArray[np.uint16], frequencies: NDArray[np.uint16]
) -> list[FrequencyTable]:
    """What `pack_tables` packed, checked."""
    parts = np.split(frequencies, np.cumsum(sizes, dtype=np.int64)[:-1])
    return [FrequencyTable(int(low), part) for low, part in zip(lowest, parts, strict=True)]


def _normal_table(scale: float) -> FrequencyTable:
    def upper(x: float) -> float:
        return 0.5 * math.erfc(x / (scale * math.sqrt(2)))

    edge = 1
    while upper(edge + 0.5) > TAIL:
        edge += 1
    mass = [
        upper(abs(symbol) - 0.5) - upper(abs(symbol) + 0.5) if symbol else 1 - 2 * upper(0.5)
        for symbol in range(-edge, edge + 1)
    ]
    return FrequencyTable(-edge, integer_frequencies(np.array([*mass, 2 * upper(edge + 0.5)])))
