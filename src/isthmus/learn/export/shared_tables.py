"""Distributions that are nearly alike but for where their middle is share one: fewer tables, longer runs of each.

k-means with cross-entropy as the distance: what a symbol of one distribution costs with the table of another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDS = 30
LEAST = 1e-7
"""No symbol of a shared distribution is rarer."""


@dataclass(frozen=True)
class Shared:
    """Which distribution stands for each one.

    Attributes:
        masses: (shared, 4 * limit + 1) of the symbols -2 limit..2 limit.
        chosen: (distributions,) one of them each.
        middles: (distributions,) whole numbers: value = symbol + middle.
    """

    masses: NDArray[np.float64]
    chosen: NDArray[np.int64]
    middles: NDArray[np.int64]


def share(masses: NDArray[np.float64], weights: NDArray[np.float64], count: int) -> Shared:
    """At most `count` distributions for many.

    Args:
        masses: (distributions, 2 * limit + 1) of the values -limit..limit, each with sum 1.
        weights: (distributions,) how often each is used.
        count: of the shared ones.
    """
    count = min(count, len(masses))
    limit = masses.shape[1] // 2
    values = np.arange(-limit, limit + 1)
    middles = np.rint(masses @ values).astype(np.int64)
    centred = _shifted(masses, middles)
    # what is alike is about as wide: they start in order of their entropy, each with as much to say
    entropy = -(centred * np.log2(np.maximum(centred, LEAST))).sum(1)
    order = np.argsort(entropy, kind="stable")
    rank = np.cumsum(weights[order] + weights.mean())
    chosen = np.empty(len(masses), np.int64)
    chosen[order] = np.minimum(rank / rank[-1] * count, count - 1).astype(np.int64)
    for _ in range(ROUNDS):
        shared = _means(centred, weights, chosen, count)
        bits = -np.log2(shared).T
        costs = np.stack([_shifted(masses, middles + step) @ bits for step in (0, -1, 1)])
        # the first: a middle moves only where that pays, so never beyond the limit, where nothing more is shifted
        best = costs.min(2).argmin(0)
        moved = middles + np.array([0, -1, 1])[best]
        nearest = costs[best, np.arange(len(masses))].argmin(1)
        is_done = np.array_equal(nearest, chosen) and np.array_equal(moved, middles)
        chosen, middles = nearest, moved
        centred = _shifted(masses, middles)
        if is_done:
            break
    return Shared(_means(centred, weights, chosen, count), chosen, middles)


def _shifted(masses: NDArray[np.float64], middles: NDArray[np.int64]) -> NDArray[np.float64]:
    """(distributions, 2 * width - 1): each with its middle moved to the middle."""
    width = masses.shape[1]
    limit = width // 2
    shifted = np.zeros((len(masses), 2 * width - 1))
    columns = np.arange(width) + limit - np.clip(middles, -limit, limit)[:, None]
    np.put_along_axis(shifted, columns, masses, 1)
    return shifted


def _means(
    centred: NDArray[np.float64], weights: NDArray[np.float64], chosen: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    sums = np.zeros((count, centred.shape[1]))
    np.add.at(sums, chosen, centred * (weights + LEAST)[:, None])
    means: NDArray[np.float64] = np.maximum(sums / np.maximum(sums.sum(1, keepdims=True), LEAST), LEAST)
    means /= means.sum(1, keepdims=True)
    return means
