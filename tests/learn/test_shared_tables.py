"""Distributions that share one: what is alike is together, wherever its middle is."""

from __future__ import annotations

import numpy as np

from isthmus.learn.export.shared_tables import share


def normals(scales, middles, limit=31):
    """(distributions, 2 * limit + 1) around their middles."""
    values = np.arange(-limit, limit + 1)
    masses = np.exp(-0.5 * ((values - np.asarray(middles)[:, None]) / np.asarray(scales)[:, None]) ** 2)
    return masses / masses.sum(1, keepdims=True)


def bits(masses, shared):
    """What each distribution's values cost with the one that it shares."""
    limit = masses.shape[1] // 2
    columns = np.arange(-limit, limit + 1) - shared.middles[:, None] + 2 * limit
    return -(masses * np.log2(np.take_along_axis(shared.masses[shared.chosen], columns, 1))).sum(1)


def test_only_width_makes_a_difference():
    """Three widths at many places are three distributions, and nothing is lost."""
    scales, middles = np.tile([0.5, 1.5, 4.0], 20), np.repeat(np.arange(-10, 10), 3)
    masses = normals(scales, middles)
    shared = share(masses, np.ones(60), 3)
    assert shared.masses.shape == (3, 125)
    assert all(len(set(shared.chosen[scales == scale])) == 1 for scale in (0.5, 1.5, 4.0))
    assert np.array_equal(shared.middles, middles)
    entropy = -(masses * np.log2(np.maximum(masses, 1e-30))).sum(1)
    np.testing.assert_allclose(bits(masses, shared), entropy, atol=0.01)


def test_more_of_them_cost_less_and_weights_count():
    """Hundreds in a few; those that are used most keep most of what they were."""
    random = np.random.default_rng(1)
    masses = normals(random.uniform(0.3, 5, 300), random.integers(-12, 12, 300))
    entropy = -(masses * np.log2(np.maximum(masses, 1e-30))).sum(1)
    losses = [float((bits(masses, share(masses, np.ones(300), count)) - entropy).mean()) for count in (4, 16, 64)]
    assert losses[0] > losses[1] > losses[2] > 0
    assert losses[2] < 0.01
    weights = np.ones(300)
    weights[:30] = 1000
    weighed = bits(masses, share(masses, weights, 16)) - entropy
    assert weighed[:30].mean() < weighed[30:].mean()


def test_fewer_than_are_allowed():
    """Each has its own."""
    masses = normals([1.0, 2.0], [0, 31])
    shared = share(masses, np.ones(2), 128)
    assert len(shared.masses) == 2
