"""Maps show pictures where there are no labels, spread so that few cover another."""

from __future__ import annotations

import numpy as np

from isthmus.learn.code_map import THUMBNAILS, spread_out


def test_each_field_of_the_map_has_one_thumbnail_at_most():
    """Points far out have theirs; a crowd shares a few."""
    random = np.random.default_rng(0)
    points = np.concatenate([random.normal(0, 0.01, (500, 2)), [[5.0, 5.0], [-5.0, 5.0]]]).astype(np.float32)
    chosen = spread_out(points)
    assert {500, 501} <= set(chosen)
    assert len(chosen) <= 2 + 9
    everywhere = random.random((20_000, 2)).astype(np.float32)
    assert len(spread_out(everywhere)) == THUMBNAILS**2
    assert len(spread_out(np.zeros((5, 2), np.float32))) == 1
