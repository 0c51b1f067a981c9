"""Bjøntegaard delta rate: how many more bytes one codec takes than another for the same measure of quality."""

from __future__ import annotations

import math
from dataclasses import dataclass

FEWEST_POINTS = 4


@dataclass(frozen=True)
class Curve:
    """Points of one codec.

    Attributes:
        rates: bits per pixel, or any unit that both curves share; above zero.
        levels: PSNR in dB, SSIMULACRA2, or whatever both curves share; higher is better; of the same length.
    """

    rates: tuple[float, ...]
    levels: tuple[float, ...]


@dataclass(frozen=True)
class BdRate:
    """The outcome of a comparison.

    Attributes:
        percent: mean difference of the rate over the common range of levels; negative is smaller files. None where
            there is no honest figure.
        level_range: (lowest, highest) level that both curves cover; None where they have none in common.
        reason: why there is no figure; None where there is.
    """

    percent: float | None
    level_range: tuple[float, float] | None
    reason: str | None


def bd_rate(anchor: Curve, test: Curve) -> BdRate:
    """The rate of `test` against `anchor`, over the range of levels that both cover; nothing is extrapolated.

    Points that are not finite are left out, and so are points that another of the same curve beats (as high a level
    or higher for fewer bits), since the method takes the rate as a function of the level.

    Source:
        Bjøntegaard: Calculation of average PSNR differences between RD-curves, VCEG-M33 (2001), with piecewise cubic
        Hermite interpolation of log10(rate) over the level, as the `bjontegaard` package computes it.
    """
    from bjontegaard import bd_rate as bjontegaard_rate

    one, other = _frontier(anchor), _frontier(test)
    for name, curve in (("the anchor has", one), ("the codec has", other)):
        if len(curve) < FEWEST_POINTS:
            return BdRate(None, None, f"{name} {len(curve)} usable points, fewer than {FEWEST_POINTS}")
    low, high = max(one[0][1], other[0][1]), min(one[-1][1], other[-1][1])
    if low >= high:
        return BdRate(None, None, "the curves have no level in common")
    percent = bjontegaard_rate(
        [rate for rate, _ in one],
        [level for _, level in one],
        [rate for rate, _ in other],
        [level for _, level in other],
        method="pchip",
        require_matching_points=False,
        min_overlap=0,
    )
    return BdRate(float(percent), (low, high), None)


def _frontier(curve: Curve) -> list[tuple[float, float]]:
    """(rate, level) by rising rate, each with a higher level than all before."""
    points = [
        (rate, level)
        for rate, level in zip(curve.rates, curve.levels, strict=True)
        if math.isfinite(rate) and math.isfinite(level) and rate > 0
    ]
    kept: list[tuple[float, float]] = []
    for rate, level in sorted(points, key=lambda point: (point[0], -point[1])):
        if not kept or level > kept[-1][1]:
            kept.append((rate, level))
    return kept
