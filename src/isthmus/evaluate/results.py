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
        ssim: mean; None where a picture has none. So for the next two.
        ms_ssim: mean.
        ssimulacra2: mean.
        encode_seconds: median wall time of a picture.
        decode_seconds: likewise.
    """

    quality: float
    bpp: float
    psnr: float
    psnr_of_mean_mse: float
    ssim: float | None
    ms_ssim: float | None
    ssimulacra2: float | None
    encode_seconds: float
    decode_seconds: float


@dataclass(frozen=True)
class PictureRates:
    """BD-rates of single pictures: a mean hides the picture that a codec cannot do.

    Attributes:
        count: pictures that have a BD-rate.
        median: percent; of an even number the mean of the middle two.
        best: the lowest, percent.
        best_picture: whose it is.
        worst: the highest, percent.
        worst_picture: whose it is.
    """

    count: int
    median: float
    best: float
    best_picture: str
    worst: float
    worst_picture: str

    def __str__(self) -> str:
        return f"{self.median:+.1f} % [{self.best:+.0f} to {self.worst:+.0f}]"


@dataclass(frozen=True)
class CodecResult:
    """One codec's curve, and its rate against every other codec: over all pictures, and picture by picture."""

    info: CodecInfo
    points: tuple[Point, ...]
    bd_rates: dict[str, BdRate]
    picture_rates: dict[str, PictureRates]


@dataclass(frozen=True)
class Results:
    """A whole evaluation.

    Attributes:
        data: the folder, as it was named.
        pictures: names of those that every codec did; means are over these.
        left_out: names of those that one codec or more did not.
        codecs: in the order asked for.
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
    failures: tuple[Failure, ...]
    conversions: tuple[tuple[str, str], ...]
    jobs: int
    overhead: float
    outcomes: tuple[PictureOutcome, ...]


def summarise(data: str, infos: Sequence[CodecInfo], outcomes: Sequence[PictureOutcome], *, jobs: int) -> Results:
    """Means over the pictures that every codec did.

    Raises:
        InputError: there is none; the message has the first reason.
    """
    failures = tuple(failure for one in outcomes for failure in one.failures)
    complete = [one for one in outcomes if not one.failures]
    if not complete:
        reason = f"{failures[0].picture}: {failures[0].message}" if failures else "there are no pictures"
        raise InputError(f"no picture went through every codec; {reason}")
    rows = [row for one in complete for row in one.measurements]
    curves = {info.name: _points(_rows_of(rows, info)) for info in infos}
    single_curves = {
        one.picture: {info.name: _curve(_points(_rows_of(one.measurements, info))) for info in infos}
        for one in complete
    }
    results = []
    for info in infos:
        others = [other.name for other in infos if other.name != info.name]
        whole = {other: bd_rate(_curve(curves[other]), _curve(curves[info.name])) for other in others}
        single = {other: _picture_rates(single_curves, other, info.name) for other in others}
        known = {other: rates for other, rates in single.items() if rates is not None}
        results.append(CodecResult(info, curves[info.name], whole, known))
    total = sum(one.total_seconds for one in outcomes)
    useful = sum(one.codec_seconds + one.metric_seconds for one in outcomes)
    return Results(
        data=data,
        pictures=tuple(one.picture for one in complete),
        left_out=tuple(one.picture for one in outcomes if one.failures),
        codecs=tuple(results),
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
                "bd_rate": {name: rate.percent for name, rate in codec.bd_rates.items()},
                "bd_rate_range": {name: rate.psnr_range for name, rate in codec.bd_rates.items()},
                "bd_rate_missing": {name: rate.reason for name, rate in codec.bd_rates.items() if rate.reason},
                "bd_rate_of_pictures": {name: asdict(rates) for name, rates in codec.picture_rates.items()},
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


def _curve(points: Sequence[Point]) -> Curve:
    """PSNR over rate."""
    return Curve(tuple(point.bpp for point in points), tuple(point.psnr for point in points))


def _rows_of(rows: Sequence[Measurement], codec: CodecInfo) -> list[Measurement]:
    return [row for row in rows if row.codec == codec.name]


def _picture_rates(curves: Mapping[str, Mapping[str, Curve]], anchor: str, test: str) -> PictureRates | None:
    """Of one codec against another; None where no picture has a BD-rate.

    Args:
        curves: of each picture, of each codec.
        anchor: name of a codec.
        test: likewise.
    """
    rates = []
    for picture, of_codec in curves.items():
        percent = bd_rate(of_codec[anchor], of_codec[test]).percent
        if percent is not None:
            rates.append((percent, picture))
    if not rates:
        return None
    best, worst = min(rates), max(rates)
    return PictureRates(len(rates), statistics.median(percent for percent, _ in rates), *best, *worst)


def _points(rows: Sequence[Measurement]) -> tuple[Point, ...]:
    qualities = sorted({row.quality for row in rows})
    return tuple(_point(quality, [row for row in rows if row.quality == quality]) for quality in qualities)


def _point(quality: float, rows: Sequence[Measurement]) -> Point:
    return Point(
        quality=quality,
        bpp=statistics.fmean(row.bits_per_pixel for row in rows),
        psnr=statistics.fmean(row.psnr for row in rows),
        psnr_of_mean_mse=psnr_of_mse(statistics.fmean(row.mse for row in rows), peak=255.0),
        ssim=_mean([row.ssim for row in rows]),
        ms_ssim=_mean([row.ms_ssim for row in rows]),
        ssimulacra2=_mean([row.ssimulacra2 for row in rows]),
        encode_seconds=statistics.median(row.encode_seconds for row in rows),
        decode_seconds=statistics.median(row.decode_seconds for row in rows),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None
