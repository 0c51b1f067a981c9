"""Rate-distortion curves and times as figures, in colours that colour-blind readers tell apart."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.errors import InputError
from isthmus.evaluate.metrics import Metric
from isthmus.evaluate.results import CodecResult, Results

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
"""Okabe and Ito's, https://jfly.uni-koeln.de/color/, and a grey."""
_MARKERS = "osD^vPX*<"  # one more than colours, so that a ninth codec is not the first again

Reference = Mapping[str, list[tuple[float, float]]]
"""Published codec -> (bits per pixel, PSNR in dB) by rising rate."""


def read_reference(path: Path) -> Reference:
    """Published points of a CSV file with the columns codec, bits_per_pixel and psnr_db.

    Raises:
        InputError: it cannot be read, or has no such columns.
    """
    curves: dict[str, list[tuple[float, float]]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                curves.setdefault(row["codec"], []).append((float(row["bits_per_pixel"]), float(row["psnr_db"])))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, ValueError) as error:
        message = "has not the columns codec, bits_per_pixel, psnr_db with numbers in the last two"
        raise InputError(f"{path} {message}: {error}") from error
    return {name: sorted(points) for name, points in curves.items()}


def rate_distortion_figure(results: Results, reference: Reference, *, form: str) -> bytes:
    """A curve of each codec for each metric, over bits per pixel on a logarithmic axis; published curves are dashed.

    Args:
        results: what was measured.
        reference: published PSNRs.
        form: "svg" or "png".
    """
    shown = [metric for metric in results.metrics if any(_curve(codec, metric) for codec in results.codecs)]
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    figure = _new_figure(4.7 * columns + 1.5, 4.3 * rows + (1.3 if reference else 0.9))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[len(shown) :]:
        panel.remove()
    published: list[Any] = []
    for metric, axes in zip(shown, panels, strict=False):
        _draw_curves(axes, results, metric)
        if metric.name == "psnr":
            published = _draw_published(axes, reference)
    lines = [*panels[0].get_lines()]
    figure.legend(handles=_from_above(lines), fontsize=9, loc="outside right upper")
    if published:
        figure.legend(handles=published, fontsize=7, ncols=4, loc="outside lower center")
    figure.suptitle(f"{Path(results.data).name}: {len(results.pictures)} pictures")
    return _saved(figure, form)


def _curve(codec: CodecResult, metric: Metric) -> list[tuple[float, float]]:
    levels = [(point.bpp, metric.level(point)) for point in codec.points]
    return [(rate, level) for rate, level in levels if level is not None and math.isfinite(level)]


def _draw_curves(axes: Any, results: Results, metric: Metric) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    for index, codec in enumerate(results.codecs):
        points = _curve(codec, metric)
        if points:
            colour, marker = COLOURS[index % len(COLOURS)], _MARKERS[index % len(_MARKERS)]
            axes.plot(*zip(*points, strict=True), marker=marker, color=colour, label=codec.info.label, markersize=4)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([factor * 10.0**power for power in range(-4, 3) for factor in (1, 2, 5)]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("bits per pixel of the whole file")
    axes.set_ylabel(metric.axis)
    axes.grid(alpha=0.25)


def _draw_published(axes: Any, reference: Reference) -> list[Any]:
    """The lines that were drawn, where they lie within what was measured."""
    low, high = axes.get_xlim()
    lines = []
    for index, (name, points) in enumerate(reference.items()):
        inside = [point for point in points if low <= point[0] <= high]
        if len(inside) > 1:
            grey = str(0.35 + 0.4 * index / max(1, len(reference)))
            lines += axes.plot(*zip(*inside, strict=True), "--", color=grey, linewidth=1, label=f"{name} (published)")
    return lines


def times_figure(results: Results) -> bytes:
    """Median seconds of encoding and decoding a picture, as a PNG."""
    figure = _new_figure(8, 0.55 * len(results.codecs) + 1.6)
    axes = figure.subplots()
    for index, codec in enumerate(results.codecs):
        for offset, name, colour in ((-0.2, "encode", COLOURS[0]), (0.2, "decode", COLOURS[1])):
            seconds = middle_time(codec, name)
            axes.barh(index + offset, 1e3 * seconds, 0.38, color=colour, label=name if index == 0 else None)
            axes.text(1e3 * seconds * 1.05, index + offset, f"{1e3 * seconds:.3g}", va="center", fontsize=8)
    axes.set_yticks(range(len(results.codecs)), [codec.info.label for codec in results.codecs])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.margins(x=0.15)
    threads = sorted({codec.info.threads for codec in results.codecs})
    axes.set_xlabel(f"milliseconds a picture, median; {', '.join(map(str, threads))} thread(s), {results.jobs} job(s)")
    axes.legend(loc="best")
    return _saved(figure, "png")


def middle_time(codec: CodecResult, name: str) -> float:
    """The median over qualities of the median time of a picture, in seconds; `name` is "encode" or "decode"."""
    return float(statistics.median(getattr(point, f"{name}_seconds") for point in codec.points))


def _new_figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _from_above(curves: Iterable[Any]) -> list[Any]:
    """In the order in which curves lie above one another, at the middle of the rates that they reach."""
    logarithms = {curve: np.log(np.asarray(curve.get_xdata(), np.float64)) for curve in curves}
    if not logarithms:
        return []
    middle = np.median(np.concatenate(list(logarithms.values())))
    return sorted(logarithms, key=lambda curve: -np.interp(middle, logarithms[curve], curve.get_ydata()))


def _saved(figure: Any, form: str) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format=form, dpi=110, metadata={"Date": None} if form == "svg" else {})
    return out.getvalue()
