"""Tables of the photo codec's latents, from what was counted of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.hyperprior import SKIPPED_LEVELS
from isthmus.entropy.reference_networks import SCALE_LEVELS
from isthmus.entropy.scale_tables import COUNTED_LEVELS, counted_part, probabilities_of, table_of
from isthmus.entropy.tables import FrequencyTable
from isthmus.learn.hyperprior.calibration.table_clustering import share

SHARED_TABLES = 32
"""For the levels that are counted and coded."""
LEAST_SHARE = 5e-4
"""What is used more seldom is shared as if it were used in this part of all cases: other pictures need it more."""


def level_tables(counts: NDArray[np.integer[Any]]) -> tuple[list[FrequencyTable], NDArray[np.uint8]]:
    """The tables, and which of them each level has.

    The smallest levels, which are seldom coded, and the widest, which are not counted, have one each.

    Args:
        counts: COUNTS_SHAPE, how often each symbol was seen; zeros: one normal table for each level.
    """
    if not counts.any():
        one_each = np.arange(SCALE_LEVELS, dtype=np.uint8)
        return [table_of(probabilities_of(seen, level)) for level, seen in enumerate(counts)], one_each
    coded = range(SKIPPED_LEVELS, COUNTED_LEVELS)
    masses = np.array([counted_part(probabilities_of(counts[level], level)) for level in coded])
    weights = counts[coded].sum(1).astype(np.float64)
    shared = share(masses, np.maximum(weights, LEAST_SHARE * weights.sum()), SHARED_TABLES)
    tables = [table_of(one) for one in shared.masses]
    chosen = np.empty(SCALE_LEVELS, np.uint8)
    chosen[coded] = shared.chosen
    for level in sorted(set(range(SCALE_LEVELS)) - set(coded)):
        chosen[level] = len(tables)
        tables.append(table_of(probabilities_of(counts[level], level)))
    return tables, chosen
