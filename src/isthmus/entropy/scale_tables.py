"""Probability tables of the 64 scale indices: zero-mean normal distributions, refined by the symbols that were counted.

RDO quantisation makes zero more frequent, and photographs make tails heavier, than a normal distribution has them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.fixed_point import SCALES
from isthmus.entropy.tables import FrequencyTable, integer_frequencies

SMALLEST_SCALE, LARGEST_SCALE = 0.11, 256.0
SCALE_STEP = math.log(LARGEST_SCALE / SMALLEST_SCALE) / (SCALES - 1)
"""Scale index i stands for a standard deviation of SMALLEST_SCALE * exp(SCALE_STEP * i) quantisation steps."""
TAIL = 2.0**-15
"""A table ends where less than this is left on both sides together; the rest is the escape's."""
LARGEST_COUNTED = 255
"""Symbols are counted from -LARGEST_COUNTED to LARGEST_COUNTED."""
COUNTED_SCALES = 48
"""Scale indices from here on are so wide that many of their symbols would not be counted: they stay normal."""
COUNTS_SHAPE = (SCALES, 2 * LARGEST_COUNTED + 1)
"""Of symbol counts: scale index, then symbol."""
PRIOR_COUNT = 500
"""A normal table stands for this many counted symbols: what was hardly seen is expected as it was."""


def scale_of(scale_index: int) -> float:
    """Standard deviation of a scale index, in quantisation steps."""
    return SMALLEST_SCALE * math.exp(SCALE_STEP * scale_index)


def scale_bits(counts: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """(SCALES, 2 * LARGEST_COUNTED + 1) float32: bits of each symbol at each scale index, for training."""
    rows = []
    for scale_index, seen in enumerate(counts):
        rows.append(-np.log2(np.maximum(counted_part(probabilities_of(seen, scale_index)), 2.0**-24)))
    return np.asarray(rows, np.float32)


def probabilities_of(seen: NDArray[np.integer[Any]], scale_index: int) -> NDArray[np.float64]:
    """Probabilities of the symbols -n..n at a scale index, n as large as it takes, both signs alike.

    Args:
        seen: (2 * LARGEST_COUNTED + 1,) how often each symbol was counted.
        scale_index: 0..SCALES - 1.
    """
    seen = seen + seen[::-1]
    edge = max(LARGEST_COUNTED, math.ceil(6 * scale_of(scale_index)))
    normal = _normal_masses(scale_of(scale_index), edge)
    if scale_index >= COUNTED_SCALES:
        return normal
    mixed: NDArray[np.float64] = (seen + PRIOR_COUNT * normal) / (seen.sum() + PRIOR_COUNT)
    return mixed


def counted_part(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2 * LARGEST_COUNTED + 1,) those of the symbols that are counted."""
    beyond = len(probabilities) // 2 - LARGEST_COUNTED
    return probabilities[beyond : len(probabilities) - beyond]


def _normal_masses(scale: float, edge: int) -> NDArray[np.float64]:
    """Of symbols -edge..edge, their sum 1."""
    upper = np.array([0.5 * math.erfc((symbol - 0.5) / (scale * math.sqrt(2))) for symbol in range(1, edge + 2)])
    side = upper[:-1] - upper[1:]
    masses = np.concatenate([side[::-1], [1 - 2 * upper[0]], side])
    whole: NDArray[np.float64] = masses / masses.sum()
    return whole


def table_of(probabilities: NDArray[np.float64]) -> FrequencyTable:
    """Symmetric around zero: from where both tails together are rarer than TAIL on, symbols are escapes."""
    middle = len(probabilities) // 2
    tails = np.cumsum(probabilities[:middle] + probabilities[:middle:-1])[::-1]  # beyond 0, beyond 1, ...
    edge = max(1, int(np.count_nonzero(tails > TAIL)))
    inside = probabilities[middle - edge : middle + edge + 1]
    escape = max(1 - inside.sum(), TAIL / 4)
    return FrequencyTable(-edge, integer_frequencies(np.append(inside, escape)))
