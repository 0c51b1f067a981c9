"""BD-rate: figures known by construction, and no figure where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("bjontegaard")
from isthmus.metrics.bd_rate import BdRate, Curve, bd_rate

ANCHOR = Curve((0.2, 0.4, 0.8, 1.6, 3.2), (28.0, 31.0, 34.5, 37.0, 41.0))


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.0, 2.0])
def test_a_curve_of_scaled_rates_differs_by_the_scale(factor):
    """Half the bits at every PSNR is -50 %."""
    scaled = Curve(tuple(factor * rate for rate in ANCHOR.rates), ANCHOR.levels)
    found = bd_rate(ANCHOR, scaled)
    assert found.percent == pytest.approx(100 * (factor - 1), abs=1e-6)
    assert found.level_range == (28.0, 41.0)
    assert found.reason is None


def test_only_the_common_range_counts():
    """Curves that differ outside the range alone have the figure of what they share."""
    levels = np.linspace(25, 45, 9)
    straight = Curve(tuple(10 ** (levels / 20 - 2)), tuple(levels))
    cut = Curve(tuple(0.8 * 10 ** (levels[3:8] / 20 - 2)), tuple(levels[3:8]))
    found = bd_rate(straight, cut)
    assert found.percent == pytest.approx(-20, abs=1e-6)
    assert found.level_range == (levels[3], levels[7])


def test_no_overlap_is_said():
    """Not extrapolated."""
    above = Curve(ANCHOR.rates, tuple(level + 20 for level in ANCHOR.levels))
    assert bd_rate(ANCHOR, above) == BdRate(None, None, "the curves have no level in common")


def test_too_few_points_are_said():
    """Lossless points, whose PSNR is infinite, do not count."""
    few = Curve((0.2, 0.4, 0.8, 1.6, 3.2), (28.0, 31.0, 34.5, math.inf, math.inf))
    found = bd_rate(ANCHOR, few)
    assert found.percent is None
    assert "the codec has 3 usable points" in str(found.reason)
    assert "the anchor has 3" in str(bd_rate(few, ANCHOR).reason)


def test_points_that_another_beats_do_not_bend_the_curve():
    """A quality that costs more for less is left out."""
    with_dip = Curve((*ANCHOR.rates, 1.0), (*ANCHOR.levels, 30.0))
    assert bd_rate(ANCHOR, with_dip).percent == pytest.approx(0, abs=1e-9)
