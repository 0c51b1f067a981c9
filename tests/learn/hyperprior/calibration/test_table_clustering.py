"""Distributions that share one: what is alike is together."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.entropy.fixed_point import SCALES
from isthmus.entropy.scale_tables import COUNTS_SHAPE, LARGEST_COUNTED
from isthmus.entropy.tables import TOTAL
from isthmus.learn.hyperprior.calibration.latent_tables import latent_tables
from isthmus.learn.hyperprior.calibration.table_clustering import cluster


def normals(scales, offsets, limit=31):
    """(distributions, 2 * limit + 1) around their offsets."""
    values = np.arange(-limit, limit + 1)
    masses = np.exp(-0.5 * ((values - np.asarray(offsets)[:, None]) / np.asarray(scales)[:, None]) ** 2)
    return masses / masses.sum(1, keepdims=True)


def entropy(masses):
    """Bits a value."""
    return -(masses * np.log2(np.maximum(masses, 1e-30))).sum(1)


def bits(masses, shared):
    """What each distribution's values cost with the one that it shares."""
    return -(masses * np.log2(np.maximum(shared.masses[shared.chosen], 1e-30))).sum(1)


def test_what_is_alike_shares_and_nothing_is_lost():
    """Three widths, twenty of each in any order, are three distributions."""
    scales = np.random.default_rng(0).permutation(np.tile([0.5, 1.5, 4.0], 20))
    masses = normals(scales, np.zeros(60))
    shared = cluster(masses, np.ones(60), 3)
    assert shared.masses.shape == (3, 63)
    assert all(len(set(shared.chosen[scales == scale])) == 1 for scale in (0.5, 1.5, 4.0))
    np.testing.assert_allclose(bits(masses, shared), entropy(masses), atol=1e-9)


def test_more_of_them_cost_less_and_weights_count():
    """Hundreds in a few; those that are used most keep most of what they were."""
    random = np.random.default_rng(1)
    masses = normals(random.uniform(0.3, 5, 300), np.zeros(300))
    losses = [
        float((bits(masses, cluster(masses, np.ones(300), count)) - entropy(masses)).mean()) for count in (4, 16, 64)
    ]
    assert losses[0] > losses[1] > losses[2] > 0
    assert losses[2] < 0.001
    weights = np.ones(300)
    weights[:30] = 1000
    weighed = bits(masses, cluster(masses, weights, 16)) - entropy(masses)
    assert weighed[:30].mean() < weighed[30:].mean()


def test_the_cheapest_pair_goes_first():
    """As trying every pair of every round would choose."""
    random = np.random.default_rng(2)
    masses, weights = random.dirichlet(np.ones(5), 12), random.uniform(1, 9, 12)
    sets = [[number] for number in range(12)]
    while len(sets) > 4:
        pairs = [(one, other) for one in range(len(sets)) for other in range(one)]
        one, other = min(pairs, key=lambda pair: _loss(masses, weights, sets[pair[0]], sets[pair[1]]))
        sets[other] += sets.pop(one)
    shared = cluster(masses, weights, 4)
    together = [sorted(np.flatnonzero(shared.chosen == number)) for number in range(4)]
    assert sorted(together) == sorted(sorted(some) for some in sets)


def _loss(masses, weights, one, other):
    """Bits that two sets' distributions take more as one."""

    def cost(some):
        mean = np.average(masses[some], axis=0, weights=weights[some])
        return weights[some].sum() * entropy(mean[None])[0]

    return cost(one + other) - cost(one) - cost(other)


def test_fewer_than_are_allowed():
    """Each has its own."""
    masses = normals([1.0, 2.0], [0, 31])
    shared = cluster(masses, np.ones(2), 128)
    assert np.array_equal(shared.masses[shared.chosen], masses)


def test_tables_of_levels_follow_what_was_counted():
    """Where much was seen, its frequencies; the widest and the smallest levels have one table each."""
    counts = np.zeros(COUNTS_SHAPE, np.int64)
    normal, one_each = latent_tables(None)
    assert one_each.tolist() == list(range(SCALES))
    assert len(normal) == SCALES
    counts[20, LARGEST_COUNTED : LARGEST_COUNTED + 2] = 750_000, 250_000
    tables, chosen = latent_tables(counts)
    assert chosen.shape == (SCALES,)
    assert len(tables) == chosen.max() + 1 < SCALES
    fitted = tables[chosen[20]]
    zero, one, other = (fitted.frequencies[symbol - fitted.lowest] / TOTAL for symbol in (0, 1, -1))
    assert (zero, one, other) == pytest.approx((0.75, 0.125, 0.125), abs=0.02)
    for level in (3, 63):
        assert np.array_equal(tables[chosen[level]].frequencies, normal[level].frequencies)
