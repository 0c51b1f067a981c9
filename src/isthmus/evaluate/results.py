"""From single measurements to what is published: means, medians and BD-rates; results.json and results.csv."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from isthmus.errors import InputError
from isthmus.evaluate.codec import CodecInfo
from isthmus.evaluate.measuring import Failure, Measurement, PictureOutcome
from isthmus.evaluate.metrics import Metric, metrics_of
from isthmus.metrics.bd_rate import BdRate, Curve, bd_rate
from isthmus.metrics.distortion import psnr_of_mse


@dataclass(frozen=True)
class Point:
    """One codec at one quality, over all pictures that every codec did.

    Attributes:
        quality: in the codec's unit.
        bpp: mean of the pictures' bits per pixel.
        psnr: mean of the pictures' PSNRs, dB; infinite where one came back exactly.
        psnr_of_mean_mse: PSNR of the mean of the pictures' mean squared errors, dB.
        ssimulacra2: mean; None where a picture has none. So for the next two.
        ms_ssim: mean.
        ssim: mean.
        encode_seconds: median wall time of a picture.
        decode_seconds: likewise.
    """

    quality: float
    bpp: float
    psnr: float
    psnr_of_mean_mse: float
    ssimulacra2: float | None
    ms_ssim: float | None
    ssim: float | None
    encode_seconds: float
    decode_seconds: float


@dataclass(frozen=True)
class PictureRates:
    """BD-rates of single pictures: a mean hides the picture that a codec cannot do.

    Attributes:
        count: pictures that have a BD-rate.
        smaller: share of them, 0..1, that take fewer bytes.
        mean: percent.
        median: percent; of an even number the mean of the middle two.
        best: the lowest, percent.
        best_picture: whose it is.
        worst: the highest, percent.
        worst_picture: whose it is.
    """

    count: int
    smaller: float
    mean: float
    median: float
    best: float
    best_picture: str
    worst: float
    worst_picture: str

    def __str__(self) -> str:
        return (
            f"{self.median:+.1f} % [{self.best:+.0f} to {self.worst:+.0f}], "
            f"{round(self.smaller * self.count)} of {self.count} smaller"
        )


@dataclass(frozen=True)
class Rates:
    """How many more bytes a codec takes than another at equal quality.

    Attributes:
        whole: of the mean curves.
        pictures: of single pictures; None where none has a figure.
    """

    whole: BdRate
    pictures: PictureRates | None


@dataclass(frozen=True)
class CodecResult:
    """One codec's curve, and what it takes more than others.

    Attributes:
        info: what it is.
        points: by quality.
        rates: name of the other codec -> name of the metric -> figures; empty for codecs that are only compared with.
    """

    info: CodecInfo
    points: tuple[Point, ...]
    rates: dict[str, dict[str, Rates]]


@dataclass(frozen=True)
class Results:
    """A whole evaluation.

    Attributes:
        data: the folder, as it was named.
        pictures: names of those that every codec did; means are over these.
        left_out: names of those that one codec or more did not.
        codecs: in the order asked for.
        metrics: that were measured, what follows eyes best first.
        failures: all of them.
        conversions: (picture, what reading it changed).
        jobs: processes that ran side by side; times of more than one disturb each other.
        overhead: share of the time that was neither the codecs' nor the metrics'.
        outcomes: what all this was made of.
    """

    data: str
    pictures: tuple[str, ...]
    left_out: tuple[str, ...]
    codecs: tuple[CodecResult, ...]
    metrics: tuple[Metric, ...]
    failures: tuple[Failure, ...]
    conversions: tuple[tuple[str, str], ...]
    jobs: int
    overhead: float
    outcomes: tuple[PictureOutcome, ...]


def summarise(
    data: str,
    infos: Sequence[CodecInfo],
    outcomes: Sequence[PictureOutcome],
    *,
    metrics: Sequence[str],
    asked: int = 1,
    jobs: int = 1,
) -> Results:
    """Means over the pictures that every codec did.

    Args:
        data: the folder, as it was named.
        infos: of the codecs.
        outcomes: of all pictures.
        metrics: names of those that were measured.
        asked: so many codecs, the first ones, are compared with all others.
        jobs: processes that ran side by side.

    Raises:
        InputError: there is none; the message has the first reason.
    """
    failures = tuple(failure for one in outcomes for failure in one.failures)
    complete = [one for one in outcomes if not one.failures]
    if not complete:
        reason = f"{failures[0].picture}: {failures[0].message}" if failures else "there are no pictures"
        raise InputError(f"no picture went through every codec; {reason}")
    rows = [row for one in complete for row in one.measurements]
    whole = {info.name: _points(_rows_of(rows, info)) for info in infos}
    single = {one.picture: {info.name: _points(_rows_of(one.measurements, info)) for info in infos} for one in complete}
    measured = metrics_of(metrics)
    results = []
    for place, info in enumerate(infos):
        others = [other.name for other in infos if other is not info] if place < asked else []
        rates = {
            other: {metric.name: _rates(metric, whole, single, other, info.name) for metric in measured}
            for other in others
        }
        results.append(CodecResult(info, whole[info.name], rates))
    total = sum(one.total_seconds for one in outcomes)
    useful = sum(one.codec_seconds + one.metric_seconds for one in outcomes)
    return Results(
        data=data,
        pictures=tuple(one.picture for one in complete),
        left_out=tuple(one.picture for one in outcomes if one.failures),
        codecs=tuple(results),
        metrics=measured,
        failures=failures,
        conversions=tuple((one.picture, line) for one in outcomes for line in one.conversions),
        jobs=jobs,
        overhead=1 - useful / total if total else 0.0,
        outcomes=tuple(outcomes),
    )


def to_json(results: Results) -> dict[str, object]:
    """The form of results.json and of `--json`."""
    return {
        "data": results.data,
        "images": len(results.pictures),
        "left_out": list(results.left_out),
        "jobs": results.jobs,
        "overhead": round(results.overhead, 4),
        "codecs": [
            {
                **asdict(codec.info),
                "points": [asdict(point) for point in codec.points],
                "bd_rate": {
                    other: {metric: _rates_json(one) for metric, one in rates.items()}
                    for other, rates in codec.rates.items()
                },
            }
            for codec in results.codecs
        ],
        "failures": [asdict(failure) for failure in results.failures],
        "conversions": [{"picture": picture, "what": what} for picture, what in results.conversions],
    }


def to_csv(results: Results) -> bytes:
    """A row for each picture, codec and quality."""
    out = io.StringIO()
    names = [field.name for field in fields(Measurement)]
    writer = csv.DictWriter(out, [*names, "bpp"], lineterminator="\n")
    writer.writeheader()
    for one in results.outcomes:
        writer.writerows({**asdict(row), "bpp": row.bits_per_pixel} for row in one.measurements)
    return out.getvalue().encode()


def _rates_json(rates: Rates) -> dict[str, object]:
    """Without what is not there."""
    found: dict[str, object] = {"percent": rates.whole.percent, "range": rates.whole.level_range}
    if rates.whole.reason is not None:
        found["reason"] = rates.whole.reason
    if rates.pictures is not None:
        found["pictures"] = asdict(rates.pictures)
    return found


def _curve(points: Sequence[Point], metric: Metric) -> Curve:
    """Levels of a metric over rates; points without one are left out."""
    levels = [(point.bpp, metric.level(point)) for point in points]
    known = [(rate, level) for rate, level in levels if level is not None]
    return Curve(tuple(rate for rate, _ in known), tuple(level for _, level in known))


def _rows_of(rows: Sequence[Measurement], codec: CodecInfo) -> list[Measurement]:
    return [row for row in rows if row.codec == codec.name]


Points = Mapping[str, Sequence[Point]]
"""Of each codec."""


def _rates(metric: Metric, whole: Points, single: Mapping[str, Points], anchor: str, test: str) -> Rates:
    """What one codec takes more than another at equal levels of a metric."""

    def between(points: Points) -> BdRate:
        return bd_rate(_curve(points[anchor], metric), _curve(points[test], metric))

    found = [(between(points).percent, picture) for picture, points in single.items()]
    known = [(percent, picture) for percent, picture in found if percent is not None]
    return Rates(between(whole), _picture_rates(known) if known else None)


def _picture_rates(rates: Sequence[tuple[float, str]]) -> PictureRates:
    """Of (percent, picture)."""
    percents = [percent for percent, _ in rates]
    return PictureRates(
        len(rates),
        sum(percent < 0 for percent in percents) / len(rates),
        statistics.fmean(percents),
        statistics.median(percents),
        *min(rates),
        *max(rates),
    )


def _points(rows: Sequence[Measurement]) -> tuple[Point, ...]:
    qualities = sorted({row.quality for row in rows})
    return tuple(_point(quality, [row for row in rows if row.quality == quality]) for quality in qualities)


def _point(quality: float, rows: Sequence[Measurement]) -> Point:
    return Point(
        quality=quality,
        bpp=statistics.fmean(row.bits_per_pixel for row in rows),
        psnr=statistics.fmean(row.psnr for row in rows),
        psnr_of_mean_mse=psnr_of_mse(statistics.fmean(row.mse for row in rows), peak=255.0),
        ssimulacra2=_mean([row.ssimulacra2 for row in rows]),
        ms_ssim=_mean([row.ms_ssim for row in rows]),
        ssim=_mean([row.ssim for row in rows]),
        encode_seconds=statistics.median(row.encode_seconds for row in rows),
        decode_seconds=statistics.median(row.decode_seconds for row in rows),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None
