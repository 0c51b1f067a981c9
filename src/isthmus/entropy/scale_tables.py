"""Distributions of the 64 scale levels: normal ones, bent to the symbols that were counted.

Symbols are rounded thriftily, so that zero is more frequent, and real tails are heavier, than a normal distribution has
it.

Models may have tables for classes of the mean as well, and then symbols are coded with their sign turned so that
positive ones point away from zero. Ours had them while what missed a mean lay mostly farther out; training has mended
that (docs/decisions/0005).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.reference_networks import SCALE_LEVELS
from isthmus.entropy.tables import FrequencyTable, integer_frequencies

SMALLEST_SCALE, LARGEST_SCALE = 0.11, 256.0
SCALE_STEP = math.log(LARGEST_SCALE / SMALLEST_SCALE) / (SCALE_LEVELS - 1)
"""Level i stands for a standard deviation of SMALLEST_SCALE * exp(SCALE_STEP * i) quantisation steps."""
TAIL = 2.0**-15
"""A table ends where less than this is left on both sides together; the rest is the escape's."""
LARGEST_COUNTED = 255
"""Symbols are counted from -LARGEST_COUNTED to LARGEST_COUNTED."""
COUNTED_LEVELS = 48
"""Levels from here on are so wide that many of their symbols would not be counted: they stay normal."""
CLASS_EDGES = (4, 16, 64)
"""Least magnitudes of the means of classes 1 to 3, in 64ths of a quantisation step."""
CLASSES = len(CLASS_EDGES) + 1
COUNTS_SHAPE = (SCALE_LEVELS, 2 * LARGEST_COUNTED + 1)
PRIOR_COUNT = 500
"""A normal table stands for this many counted symbols: what was hardly seen is expected as it was."""


def scale_of(level: int) -> float:
    """Standard deviation of a level, in quantisation steps."""
    return SMALLEST_SCALE * math.exp(SCALE_STEP * level)


def mean_class(means: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """The class of each mean, given in 64ths of a quantisation step."""
    size = np.abs(means)
    classes = np.zeros(size.shape, np.uint8)
    for edge in CLASS_EDGES:
        classes += (size >= edge).view(np.uint8)
    return classes


def level_bits(counts: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """(SCALE_LEVELS, 2 * LARGEST_COUNTED + 1) bits of each symbol at each level, for training."""
    rows = []
    for level, seen in enumerate(counts):
        rows.append(-np.log2(np.maximum(counted_part(probabilities_of(seen, level)), 2.0**-24)))
    return np.asarray(rows, np.float32)


def probabilities_of(seen: NDArray[np.integer[Any]], level: int) -> NDArray[np.float64]:
    """Of symbols -n..n at a level, n as large as it takes, both signs alike.

    Args:
        seen: (2 * LARGEST_COUNTED + 1,) how often each was.
        level: which.
    """
    seen = seen + seen[::-1]
    edge = max(LARGEST_COUNTED, math.ceil(6 * scale_of(level)))
    normal = _normal_masses(scale_of(level), edge)
    if level >= COUNTED_LEVELS:
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
