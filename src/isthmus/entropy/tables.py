"""Integer frequency tables: fitted to symbols once, stored in the model file, never recomputed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.range_coder import TABLE_BITS
from isthmus.errors import FormatError

TOTAL = 1 << TABLE_BITS
MAX_TABLE_SYMBOLS = 4096
COVERED = 0.9995  # share of the training symbols that a table must hold; the rest goes through the escape
SMOOTHING = 0.5  # pseudo-count shared by the table's symbols in proportion to their smoothed histogram


@dataclass(frozen=True)
class FrequencyTable:
    """How often each symbol is expected, out of 2^16.

    Attributes:
        lowest: the symbol of the first entry.
        frequencies: (symbols + 1,) uint16, each >= 1, sum 2^16; the last entry is the escape.
    """

    lowest: int
    frequencies: NDArray[np.uint16]

    def __post_init__(self) -> None:
        if self.frequencies.ndim != 1 or not 2 <= len(self.frequencies) <= MAX_TABLE_SYMBOLS + 1:
            raise FormatError(f"a table has {self.frequencies.size} entries, outside 2 to {MAX_TABLE_SYMBOLS + 1}")
        if int(self.frequencies.min()) < 1 or int(self.frequencies.sum(dtype=np.int64)) != TOTAL:
            raise FormatError(f"a table's frequencies are not all positive with the sum {TOTAL}")

    @property
    def escape(self) -> int:
        """Index of the escape entry."""
        return len(self.frequencies) - 1


def fit_table(symbols: NDArray[np.int32]) -> FrequencyTable:
    """A table for symbols like these: their histogram, smoothed so that the unseen between and beside stays possible.

    Args:
        symbols: any shape, at least one.
    """
    return fit_rounded_table(np.sort(symbols.ravel()), step=1.0)


def fit_rounded_table(values: NDArray[np.generic], *, step: float) -> FrequencyTable:
    """`fit_table` of values that are rounded to whole steps, without rounding each: their histogram by its edges.

    Args:
        values: (count,) numbers, sorted; at least one. One sort serves the steps of all qualities.
        step: above zero.
    """
    tail = (1 - COVERED) / 2
    last = len(values) - 1
    lowest, middle, highest = (
        round(float(values[place]) / step) for place in (int(tail * last), last // 2, math.ceil((1 - tail) * last))
    )
    if highest - lowest + 1 > MAX_TABLE_SYMBOLS:
        lowest, highest = middle - MAX_TABLE_SYMBOLS // 2, middle + MAX_TABLE_SYMBOLS // 2 - 1
    edges = (np.arange(lowest, highest + 2) - 0.5) * step
    counts = np.diff(np.searchsorted(values, edges.astype(np.result_type(values.dtype, np.float32)))).astype(np.float64)
    escapes = len(values) - counts.sum()
    return FrequencyTable(lowest, integer_frequencies(np.append(_smooth(counts), escapes + SMOOTHING)))


def _smooth(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """A histogram as a density: wide where counts are few, as it is where they are many.

    The kernel's width follows from the mean count, so that a table of hundreds of rarely seen symbols becomes a curve
    and a table of five often seen ones keeps every peak.
    """
    mean = counts.sum() / len(counts)
    width = max(0, min(len(counts) // 8, round(40 / max(mean, 1e-9))))
    if width:
        kernel = np.bartlett(2 * width + 3)[1:-1]
        padded = np.pad(counts, width, mode="reflect") if len(counts) > width else np.pad(counts, width)
        smoothed = np.convolve(padded, kernel / kernel.sum(), mode="valid")
        spikes = counts > smoothed + 4 * np.sqrt(smoothed + 1)  # ReLU codes are exactly zero often: keep that peak
        counts = np.where(spikes, counts, smoothed)
    return counts + SMOOTHING / len(counts)


def integer_frequencies(weights: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Whole frequencies >= 1 with sum 2^16, as close to the weights as largest remainders get.

    Args:
        weights: (entries,) >= 0, not all zero; at least two entries.
    """
    free = TOTAL - len(weights)
    exact = weights / weights.sum() * free
    frequencies = np.floor(exact).astype(np.int64)
    missing = free - int(frequencies.sum())
    order = np.argsort(frequencies - exact, kind="stable")
    frequencies[order[:missing]] += 1
    whole: NDArray[np.uint16] = (frequencies + 1).astype(np.uint16)
    return whole


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
    """What `pack_tables` packed, checked.

    Raises:
        FormatError: they do not belong together, or a table is none.
    """
    ends = np.cumsum(sizes, dtype=np.int64)
    if lowest.ndim != 1 or frequencies.ndim != 1 or lowest.shape != sizes.shape or not len(sizes):
        raise FormatError(f"tables have {lowest.shape} first symbols and {sizes.shape} sizes")
    if ends[-1] != len(frequencies):
        raise FormatError(f"tables have {len(frequencies)} frequencies where their sizes add up to {ends[-1]}")
    parts = np.split(frequencies, ends[:-1])
    return [FrequencyTable(int(low), part) for low, part in zip(lowest, parts, strict=True)]
