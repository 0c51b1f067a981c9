"""Tables of the photo codec's hyper-latents, from what was counted of them and what training expected."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus.entropy.hyper_latents import CONTEXTS, HYPER_GROUPS, HYPER_LIMIT, NEIGHBOUR_CONTEXTS
from isthmus.entropy.tables import FrequencyTable, integer_frequencies
from isthmus.learn.hyperprior.calibration.calibration import SymbolStatistics
from isthmus.learn.hyperprior.calibration.table_clustering import cluster
from isthmus.learn.hyperprior.networks.codec import group_centre_knots
from isthmus.learn.hyperprior.networks.entropy_model import HyperDensity

CLUSTERED_TABLES = 48
"""Of a group of qualities, for the contexts of all channels."""
TABLE_TAIL = 2.0**-15
"""Hyper-latents rarer than this on a side go through the escape."""
PRIOR_COUNT = 30
"""What a hyper-latent was expected to be stands for this many counted ones."""


@torch.no_grad()
def hyper_tables(
    density: HyperDensity, symbols: SymbolStatistics | None
) -> tuple[list[FrequencyTable], dict[str, NDArray[Any]]]:
    """Tables, group by group, and the arrays of docs/format.md that say which context has which of them.

    Args:
        density: what training assumed.
        symbols: None: each channel has one table, in all contexts.
    """
    channels = density.channels
    values = torch.arange(-HYPER_LIMIT, HYPER_LIMIT + 1, dtype=torch.float32).expand(1, channels, 1, -1)
    counted = None if symbols is None else symbols.hyper_counts.cpu().numpy()
    tables: list[FrequencyTable] = []
    chosen, offsets = [], []
    for group in range(HYPER_GROUPS):
        masses = density(values, group_centre_knots(torch.tensor([group])))[0, :, 0].double().numpy()
        masses /= masses.sum(1, keepdims=True)
        table_index = np.arange(channels)[:, None].repeat(CONTEXTS, 1)
        centres = np.zeros((channels, CONTEXTS), np.int64)
        if counted is not None:
            whole = _mixed(counted[group].sum(1), masses)
            in_context = _mixed(counted[group], whole[:, None]).reshape(channels * CONTEXTS, -1)
            centres = np.rint(in_context @ np.arange(-HYPER_LIMIT, HYPER_LIMIT + 1)).astype(np.int64)
            weights = np.maximum(counted[group].sum(2).ravel(), 1.0)
            clusters = cluster(_centred(in_context, centres), weights, CLUSTERED_TABLES)
            table_index, masses = clusters.chosen.reshape(channels, CONTEXTS), clusters.masses
        chosen.append(table_index)
        offsets.append(centres.reshape(channels, CONTEXTS))
        tables += [_table(mass) for mass in masses]
    unseen = np.zeros((HYPER_GROUPS, channels, 2, NEIGHBOUR_CONTEXTS - 1), np.int16)
    return tables, {
        "hyper_thresholds": unseen if symbols is None else symbols.hyper_thresholds.cpu().numpy(),
        "hyper_table_index": np.stack(chosen).astype(np.uint8),
        "hyper_offsets": np.stack(offsets).astype(np.int8),
    }


def _mixed(counts: NDArray[np.int64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities: those that were counted, with a little of those that were expected before."""
    mixed: NDArray[np.float64] = (counts + PRIOR_COUNT * expected) / (counts.sum(-1, keepdims=True) + PRIOR_COUNT)
    return mixed


def _centred(masses: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """(distributions, 2 * width - 1): each with its middle moved to the middle."""
    count, width = masses.shape
    centred = np.zeros((count, 2 * width - 1))
    np.put_along_axis(centred, np.arange(width) + width // 2 - offsets[:, None], masses, 1)
    return centred


def _table(mass: NDArray[np.float64]) -> FrequencyTable:
    limit = len(mass) // 2
    inside = np.flatnonzero((np.cumsum(mass) > TABLE_TAIL) & (np.cumsum(mass[::-1])[::-1] > TABLE_TAIL))
    low, high = (int(inside[0]), int(inside[-1])) if len(inside) else (limit, limit)
    escape = max(mass.sum() - mass[low : high + 1].sum(), 1e-6)
    return FrequencyTable(low - limit, integer_frequencies(np.append(mass[low : high + 1], escape)))
