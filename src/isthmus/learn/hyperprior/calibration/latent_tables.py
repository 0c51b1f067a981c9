"""Tables of the photo codec's latents, from what was counted of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.entropy.fixed_point import SCALES
from isthmus.entropy.hyperprior import SKIPPED_SCALES
from isthmus.entropy.rdo_quantisation import rdo_thresholds, symbol_bits
from isthmus.entropy.scale_tables import COUNTED_SCALES, COUNTS_SHAPE, counted_part, probabilities_of, table_of
from isthmus.entropy.tables import FrequencyTable
from isthmus.learn.hyperprior.calibration.table_clustering import cluster

CLUSTERED_TABLES = 32
"""Tables of the scale indices that are counted and coded."""
LEAST_SHARE = 5e-4
"""What is used more seldom is clustered as if it were used in this part of all cases: other pictures need it more."""


def encoder_thresholds(counts: Tensor | None, device: torch.device) -> Tensor:
    """The thresholds with which an encoder rounds whose tables are fitted to these counts.

    Training, calibration and the exported model's encoder all use them: there is one rounding.

    Args:
        counts: COUNTS_SHAPE int64; None where nothing was counted yet.
        device: of what is returned.

    Returns:
        (SCALES, symbols) float32, of `entropy.rdo_quantisation.rdo_thresholds`.
    """
    tables, table_index = latent_tables(None if counts is None else counts.cpu().numpy())
    return torch.from_numpy(rdo_thresholds(symbol_bits(tables))[table_index]).to(device)


def latent_tables(counts: NDArray[np.integer[Any]] | None) -> tuple[list[FrequencyTable], NDArray[np.uint8]]:
    """The tables, and which of them each scale index has.

    The smallest scales, which are seldom coded, and the widest, which are not counted, have one each.

    Args:
        counts: COUNTS_SHAPE, how often each symbol was counted; None: one normal table for each scale index.

    Returns:
        The tables, and (SCALES,) uint8 the table of each scale index.
    """
    if counts is None:
        unseen = np.zeros(COUNTS_SHAPE, np.int64)
        tables = [table_of(probabilities_of(seen, scale_index)) for scale_index, seen in enumerate(unseen)]
        return tables, np.arange(SCALES, dtype=np.uint8)
    coded = range(SKIPPED_SCALES, COUNTED_SCALES)
    masses = np.array([counted_part(probabilities_of(counts[index], index)) for index in coded])
    weights = counts[coded].sum(1).astype(np.float64)
    clusters = cluster(masses, np.maximum(weights, LEAST_SHARE * weights.sum()), CLUSTERED_TABLES)
    tables = [table_of(one) for one in clusters.masses]
    chosen = np.empty(SCALES, np.uint8)
    chosen[coded] = clusters.chosen
    for scale_index in sorted(set(range(SCALES)) - set(coded)):
        chosen[scale_index] = len(tables)
        tables.append(table_of(probabilities_of(counts[scale_index], scale_index)))
    return tables, chosen
