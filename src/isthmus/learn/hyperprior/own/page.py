"""What `isthmus train own` ends with: a table in words, and the same as a page with pictures side by side."""

from __future__ import annotations

import base64
import html
import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from isthmus.evaluate.figure_file import figure_bytes, new_figure
from isthmus.learn.hyperprior.own.comparison import PSNR, SCORE, Coded, Curve, Pixels, levels, ratio_to

LEVELS = {SCORE: (50.0, 60.0, 70.0, 80.0), PSNR: (28.0, 30.0, 33.0, 36.0)}
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; font-size: 0.9rem; margin: 1rem 0; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid #ddd; text-align: right; }
td { font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
.row { display: flex; flex-wrap: wrap; gap: 0.75rem; margin: 1rem 0; } figure { margin: 0; }
figcaption { font-size: 0.85rem; color: #555; } img { max-width: 100%; }
.row img { image-rendering: pixelated; }
"""
SHOWN_SIDE = 192
"""Pictures that are smaller are enlarged to about this, pixel by pixel."""


@dataclass(frozen=True)
class Outcome:
    """A finished training, measured.

    Attributes:
        name: of the model.
        described: the pictures, in a line.
        model_bytes: of the model file.
        curves: the model's, that of what it began with, then those of other codecs.
        pictures: those that the curves keep results of.
        notes: what was left out.
    """

    name: str
    described: str
    model_bytes: int
    curves: list[Curve]
    pictures: list[Pixels]
    notes: list[str]

    @property
    def measured(self) -> int:
        """Held-aside pictures that were coded."""
        return len(self.curves[0].measured)

    def rows(self, metric: str) -> list[tuple[float, list[float]]]:
        """(level, bytes of each curve), for each of LEVELS that the model reaches."""
        rows = [(level, [curve.bytes_at(level, metric) for curve in self.curves]) for level in LEVELS[metric]]
        return [row for row in rows if math.isfinite(row[1][0])]

    @property
    def middle(self) -> tuple[float, list[float]] | None:
        """The row of SSIMULACRA2, or where pictures are too small for it of PSNR, that is compared first of all."""
        rows = self.rows(SCORE) or self.rows(PSNR)
        complete = [row for row in rows if sum(math.isfinite(value) for value in row[1]) > 2] or rows
        return complete[len(complete) // 2] if complete else None

    def pays_from(self) -> tuple[int | None, str]:
        """From how many pictures on the model has paid for itself against the smallest other files, and whose."""
        if self.middle is None:
            return None, "other files"
        own, _, *others = self.middle[1]
        known = [
            (size, curve.label) for size, curve in zip(others, self.curves[2:], strict=True) if math.isfinite(size)
        ]
        if not known:
            return None, "other files"
        size, label = min(known)
        return (math.ceil(self.model_bytes / (size - own)) if size > own else None), label


def lines_of(outcome: Outcome) -> list[str]:
    """The table in words."""
    labels = [curve.label for curve in outcome.curves]
    width = max(map(len, labels))
    lines = [f"bytes of a picture on {outcome.measured} held-aside pictures, the model left aside:"]
    for metric, unit in ((SCORE, ""), (PSNR, " dB")):
        rows = outcome.rows(metric)
        if not rows:
            continue
        lines.append(f"{'at equal ' + metric:{width}}  " + "  ".join(f"{f'{level:g}{unit}':>7}" for level, _ in rows))
        for number, label in enumerate(labels):
            values = [sizes[number] for _, sizes in rows]
            lines.append(f"{label:{width}}  " + "  ".join(f"{_whole(value):>7}" for value in values))
    return [*lines, payback(outcome)]


def payback(outcome: Outcome) -> str:
    """The sentence on what the model costs."""
    count, label = outcome.pays_from()
    held = f"the model has {outcome.model_bytes:,} bytes"
    if count is None:
        return f"{held}: it does not pay against {label}"
    return f"{held}: in a pack that holds it, it has paid for itself against {label} from {count:,} pictures on"


def write_page(outcome: Outcome, command: str) -> bytes:
    """The page as UTF-8 HTML that needs no other file."""
    name = html.escape(outcome.name)
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{name}</title><style>{_STYLE}</style>",
        f"<h1>{name}: a codec for your own pictures</h1>",
        f"<p>{html.escape(outcome.described)}. {outcome.measured} of them were held aside: nothing here was learnt "
        f"from. Made with <code>{html.escape(command)}</code>.</p>",
        f"<p><strong>{html.escape(payback(outcome))}.</strong></p>",
        *(f"<p>{html.escape(note)}</p>" for note in outcome.notes),
        "<h2>Bytes of a picture at equal quality</h2>",
        *(_table(outcome, metric) for metric in (SCORE, PSNR)),
        "<p>Means over the pictures, every codec at one setting for all of them. Of models: the payload and two bytes "
        "of a pack's framing; of the others: whole files.</p>",
        f"<figure><img alt='curves' src='{_data(_figure(outcome), 'png')}'></figure>",
        "<h2>Side by side</h2>",
        *(_row(outcome, number) for number in range(len(outcome.pictures))),
        "</html>",
    ]
    return "\n".join(parts).encode()


def _table(outcome: Outcome, metric: str) -> str:
    rows = outcome.rows(metric)
    if not rows:
        return ""
    unit = " dB" if metric == PSNR else ""
    head = "".join(f"<th>{level:g}{unit}</th>" for level, _ in rows)
    body = ""
    for number, curve in enumerate(outcome.curves):
        cells = "".join(
            f"<td>{_whole(sizes[number])}{_share(sizes[0], sizes[number]) if number else ''}</td>" for _, sizes in rows
        )
        body += f"<tr><td>{html.escape(curve.label)}</td>{cells}</tr>"
    return (
        f"<table><tr><th>at equal {metric}</th>{head}</tr>{body}</table>"
        "<p>In brackets: the model's bytes for each byte of the row.</p>"
    )


def _share(own: float, other: float) -> str:
    return f" ({own / other:.2f})" if math.isfinite(other) else ""


def _whole(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "–"


def _figure(outcome: Outcome) -> bytes:
    metrics = [metric for metric in (SCORE, PSNR) if outcome.rows(metric)] or [PSNR]
    figure = new_figure(4.8 * len(metrics), 3.8)
    for axis, metric in zip(np.atleast_1d(figure.subplots(1, len(metrics))), metrics, strict=True):
        for number, curve in enumerate(outcome.curves):
            sizes, reached = curve.means(metric)
            axis.plot(sizes, reached, marker="o", ms=3, lw=2 if number == 0 else 1, label=curve.label)
        axis.set(xlabel="bytes a picture", ylabel=f"{metric} in dB" if metric == PSNR else metric)
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter("")
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(visible=True, which="both", alpha=0.2)
        own = outcome.curves[0].means(metric)
        axis.set(xlim=(own[0][0] * 0.8, own[0][-1] * 1.6), ylim=(own[1][0] - 3, own[1][-1] + 2))
    np.atleast_1d(figure.axes)[0].legend(frameon=False, fontsize=7)
    return figure_bytes(figure, "png")


def _row(outcome: Outcome, number: int) -> str:
    """The original, the model at a middle quality, and every other codec at the quality of the nearest bytes."""
    original, own = outcome.pictures[number], outcome.curves[0]
    coded = own.shown[number]
    middle = coded[len(coded) // 2]
    shown = [_shown(original, None, "original"), _shown(original, middle, own.label)]
    for curve in outcome.curves[1:]:
        nearest = min(curve.shown[number], key=lambda one: abs(math.log(one[0] / middle[0])))
        shown.append(_shown(original, nearest, curve.label))
    return f"<div class=row>{''.join(shown)}</div>"


def _shown(original: Pixels, coded: Coded | None, label: str) -> str:
    pixels = original if coded is None else coded[1]
    times = max(1, round(SHOWN_SIDE / max(pixels.shape[:2])))
    caption = label
    if coded is not None:
        score, decibels = levels(original, coded[1])
        told = f"{score:.0f}, " if math.isfinite(score) else ""
        caption = f"{label}: {coded[0]:,.0f} bytes, {told}{decibels:.1f} dB"
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", optimize=True)
    size = f"width={pixels.shape[1] * times} height={pixels.shape[0] * times}"
    return (
        f"<figure style='width:{pixels.shape[1] * times}px'><img alt='{html.escape(label)}' {size} "
        f"src='{_data(out.getvalue(), 'png')}'><figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def _data(data: bytes, form: str) -> str:
    return f"data:image/{form};base64,{base64.b64encode(data).decode()}"


def metrics_of(outcome: Outcome) -> dict[str, float]:
    """Bytes for each byte of WebP, and from how many pictures on the model pays; NaN where that cannot be said."""
    webp = next(curve for curve in outcome.curves if curve.label == "WebP")
    own = outcome.curves[0]
    found = {
        "of_webp_at_equal_ssimulacra2": _ratio(own, webp, SCORE),
        "of_webp_at_equal_psnr": _ratio(own, webp, PSNR),
        "pays_from_pictures": float(outcome.pays_from()[0] or math.nan),
    }
    return {name: float(f"{value:.5g}") for name, value in found.items()}


def _ratio(own: Curve, other: Curve, metric: str) -> float:
    return ratio_to(own, other, metric) if _has(own, metric) else math.nan


def _has(curve: Curve, metric: str) -> bool:
    return bool(np.isfinite(curve.means(metric)[1]).all())


def figures_of(outcome: Outcome, metrics: dict[str, float]) -> dict[str, Any]:
    """Everything that was measured, for those who draw it themselves."""
    curves = {
        curve.label: [
            dict(zip(("quality", "bytes", "ssimulacra2", "psnr"), (quality, *point), strict=True))
            for quality, point in zip(curve.qualities, np.array(curve.measured).mean(0).tolist(), strict=True)
        ]
        for curve in outcome.curves
    }
    return {"model_bytes": outcome.model_bytes, "pictures": outcome.measured, "metrics": metrics, "curves": curves}
