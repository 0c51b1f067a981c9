"""Distributions that are nearly alike share one: fewer tables, longer runs of each.

Pair by pair, those whose common table costs the fewest bits more than their own (the agglomerative information
bottleneck of Slonim and Tishby 1999, NIPS 12).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Clusters:
    """Which distribution stands for each one.

    Attributes:
        masses: (shared, symbols), each with sum 1.
        chosen: (distributions,) one of them each.
    """

    masses: NDArray[np.float64]
    chosen: NDArray[np.int64]


def cluster(masses: NDArray[np.float64], weights: NDArray[np.float64], count: int) -> Clusters:
    """At most `count` distributions for many.

    Args:
        masses: (distributions, symbols), each with sum 1.
        weights: (distributions,) how often each is used, more than nothing.
        count: of the shared ones.
    """
    pairs = _Pairs(masses, weights)
    for _ in range(len(masses) - count):
        pairs.merge_cheapest()
    kept, chosen = np.unique(pairs.chosen, return_inverse=True)
    return Clusters(pairs.masses[kept], chosen)


class _Pairs:
    """What each pair of distributions would cost as one; row by row the cheapest is known."""

    def __init__(self, masses: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        count = len(masses)
        self.masses, self._weights = masses.copy(), weights.astype(np.float64)
        self._bits = self._weights * _entropy(self.masses)
        self.chosen = np.arange(count)
        self._costs = np.full((count, count), np.inf)
        for row in range(count - 1):
            self._costs[row, row + 1 :] = self._cost_with(row, np.arange(row + 1, count))
        self._nearest, self._cheapest = self._costs.argmin(1), self._costs.min(1)

    def merge_cheapest(self) -> None:
        """Two become one, under the number of the first."""
        one = int(self._cheapest.argmin())
        other = int(self._nearest[one])
        self.masses[one] = self._joint(one, np.array([other]))[0]
        self._weights[one] += self._weights[other]
        self._bits[one] = self._weights[one] * _entropy(self.masses[one])
        self.chosen[self.chosen == other] = one
        self._costs[other], self._costs[:, other] = np.inf, np.inf
        others = np.setdiff1d(self.chosen, one)
        costs = self._cost_with(one, others)
        before, behind = others < one, others > one
        self._costs[others[before], one], self._costs[one, others[behind]] = costs[before], costs[behind]
        stale = (self._nearest == one) | (self._nearest == other)
        stale[[one, other]] = True
        self._nearest[stale], self._cheapest[stale] = self._costs[stale].argmin(1), self._costs[stale].min(1)
        is_nearer = self._costs[:, one] < self._cheapest
        self._nearest[is_nearer], self._cheapest[is_nearer] = one, self._costs[is_nearer, one]

    def _joint(self, one: int, others: NDArray[np.int64]) -> NDArray[np.float64]:
        own, theirs = self._weights[one], self._weights[others, None]
        joint: NDArray[np.float64] = (self.masses[one] * own + self.masses[others] * theirs) / (own + theirs)
        return joint

    def _cost_with(self, one: int, others: NDArray[np.int64]) -> NDArray[np.float64]:
        """Bits that one distribution for both takes more than two."""
        weights = self._weights[one] + self._weights[others]
        costs: NDArray[np.float64] = weights * _entropy(self._joint(one, others)) - self._bits[one] - self._bits[others]
        return costs


def _entropy(masses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bits a symbol, of the last axis."""
    entropy: NDArray[np.float64] = -(masses * np.log2(np.maximum(masses, 1e-30))).sum(-1)
    return entropy
