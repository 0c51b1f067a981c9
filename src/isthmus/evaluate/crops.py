"""The worst, the middle and the best picture of a codec against another at equal bytes, as crops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import IsthmusError
from isthmus.evaluate.codec import Codec, Pixels
from isthmus.evaluate.measuring import Measurement, like_original, read_pixels
from isthmus.evaluate.metrics import Metric
from isthmus.evaluate.results import Results
from isthmus.metrics.distortion import psnr
from isthmus.sources.source import Source

SIDE = 256
"""Of a crop, in pixels."""
LARGEST_LEVEL = 100.0


@dataclass(frozen=True)
class Side:
    """One codec's version of a crop."""

    label: str
    file_bytes: int
    level: float | None
    pixels: Pixels


@dataclass(frozen=True)
class Comparison:
    """One picture in two codecs at (nearly) equal bytes, and the original."""

    metric: Metric
    rank: str
    picture: str
    original: Pixels
    first: Side
    second: Side


def compare_crops(
    results: Results, pictures: Mapping[str, Source], first: Codec, second: Codec
) -> tuple[Comparison, ...]:
    """Where `first` gains least on `second`, where about the median, and where most, by the first metric.

    Args:
        results: of both codecs.
        pictures: by name.
        first: the codec that is looked at, at the middle one of its qualities.
        second: the one it is held against, at the best quality whose file is no larger.
    """
    gains = sorted((_gain(results, name, first, second), name) for name in results.pictures)
    places = {"worst": 0, "median": len(gains) // 2, "best": len(gains) - 1}
    chosen = {rank: gains[place][1] for rank, place in places.items()}
    if len(gains) == 1:
        chosen = {"only": gains[0][1]}
    comparisons = []
    for rank, name in chosen.items():
        try:
            comparisons.append(_compare(results.metrics[0], rank, name, pictures[name], first, second))
        except IsthmusError:
            continue  # it was measured before; a file that changed since is not worth a failed report
    return tuple(comparisons)


def _compare(metric: Metric, rank: str, name: str, source: Source, first: Codec, second: Codec) -> Comparison:
    original, _ = read_pixels(source)
    data = first.encode(original, first.qualities[len(first.qualities) // 2])
    other = _best_within(second, original, len(data))
    sides = [
        (codec, file, like_original(codec.decode(file), original)) for codec, file in ((first, data), (second, other))
    ]
    difference = np.abs(sides[0][2].astype(int) - sides[1][2].astype(int))
    window = _busiest(difference.sum(2) if difference.ndim == 3 else difference)
    compare = metric.compute or psnr
    shown = [
        Side(codec.info.label, len(file), compare(original, pixels), pixels[window]) for codec, file, pixels in sides
    ]
    return Comparison(metric, rank, name, original[window], shown[0], shown[1])


def _best_within(codec: Codec, original: Pixels, limit: int) -> bytes:
    """The file of the highest quality with at most `limit` bytes; the smallest file where none fits."""
    low, high = 0, len(codec.scale)
    best = codec.encode(original, codec.scale[0])
    while high - low > 1:
        middle = (low + high) // 2
        data = codec.encode(original, codec.scale[middle])
        if len(data) <= limit:
            low, best = middle, data
        else:
            high = middle
    return best


def _busiest(difference: NDArray[np.int64]) -> tuple[slice, slice]:
    """The window, on a grid of a quarter of its side, where two codecs differ most."""
    rows, columns = difference.shape
    height, width = min(SIDE, rows), min(SIDE, columns)
    sums = np.pad(difference, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    best, place = -1, (0, 0)
    for top in _starts(rows, height):
        for left in _starts(columns, width):
            bottom, right = top + height, left + width
            total = int(sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left])
            if total > best:
                best, place = total, (top, left)
    return slice(place[0], place[0] + height), slice(place[1], place[1] + width)


def _starts(length: int, side: int) -> Sequence[int]:
    return sorted({*range(0, length - side + 1, max(1, side // 4)), length - side})


def _gain(results: Results, name: str, first: Codec, second: Codec) -> float:
    """Level of `first` at its middle quality less that of `second` at the same bytes, between measured points."""
    rows = [row for one in results.outcomes if one.picture == name for row in one.measurements]
    mine = [row for row in rows if row.codec == first.info.name]
    middle, metric = mine[len(mine) // 2], results.metrics[0]
    others = sorted((row for row in rows if row.codec == second.info.name), key=lambda row: row.file_bytes)
    levels = [_bounded(metric, row) for row in others]
    there = np.interp(np.log(middle.file_bytes), [np.log(row.file_bytes) for row in others], levels)
    return _bounded(metric, middle) - float(there)


def _bounded(metric: Metric, row: Measurement) -> float:
    """The level, where an exact picture's is a large number; a picture too small for the metric has none to gain."""
    return min(metric.level(row) or 0.0, LARGEST_LEVEL)
