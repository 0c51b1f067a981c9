"""One page that holds all of an evaluation: tables, curves, times, and crops under a slider; it needs no other file."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Sequence

from PIL import Image

from isthmus.evaluate.codec import Pixels
from isthmus.evaluate.crops import Comparison, Side
from isthmus.evaluate.figures import middle_time
from isthmus.evaluate.results import CodecResult, Rates, Results

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; font-size: 0.85rem; margin: 1rem 0; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid #ddd; text-align: right; }
td { font-variant-numeric: tabular-nums; white-space: pre; }
th:first-child, td:first-child, .words td { text-align: left; } .words td { white-space: normal; }
figure { margin: 1.5rem 0; } figcaption { font-size: 0.85rem; color: #555; }
img, svg { max-width: 100%; height: auto; }
.scroll { overflow-x: auto; }
.row { display: flex; flex-wrap: wrap; gap: 0.75rem; } .row figure { margin: 0; max-width: 256px; }
.pair { position: relative; width: 512px; margin-top: 0.75rem; max-width: 100%; aspect-ratio: var(--shape); }
.pair img { position: absolute; inset: 0; width: 100%; height: 100%; image-rendering: pixelated; }
.pair img + img { clip-path: inset(0 0 0 var(--cut, 50%)); }
input[type=range] { width: 512px; max-width: 100%; }
"""
_SCRIPT = """
for (const slider of document.querySelectorAll("input[type=range]"))
  slider.oninput = () => slider.previousElementSibling.style.setProperty("--cut", slider.value + "%");
"""


def write_report(
    results: Results,
    comparisons: Sequence[Comparison],
    *,
    curves: bytes,
    times: bytes,
    command: str,
    has_published: bool = False,
) -> bytes:
    """The page as UTF-8 HTML.

    Args:
        results: what was measured.
        comparisons: crops to show.
        curves: the rate-distortion figure, SVG.
        times: the figure of times, PNG.
        command: what was typed.
        has_published: the curves hold published figures.
    """
    name = html.escape(results.data)
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{name}</title><style>{_STYLE}</style>",
        f"<h1>Codecs on {name}</h1><p>{len(results.pictures)} pictures, real file bytes. Made with "
        f"<code>{html.escape(command)}</code>.</p>",
        _left_out(results),
        "<h2>Rate and distortion</h2>",
        f"<figure>{curves.decode().split('?>', 1)[-1]}<figcaption>Mean over the pictures."
        f"{' Dashed curves are published figures, not measured here.' if has_published else ''}</figcaption></figure>",
        "<h2>Bytes at equal quality (BD-rate)</h2>",
        *(_rates(results, codec) for codec in results.codecs if codec.rates),
        "<h2>Times</h2>",
        f"<figure>{_image(times, 'times', 'png')}</figure>",
        "<h2>Pictures at equal bytes</h2>" if comparisons else "",
        *map(_comparison, comparisons),
        "<h2>All points</h2>",
        _points(results),
        "<h2>Settings</h2>",
        _settings(results),
        f"<script>{_SCRIPT}</script></html>",
    ]
    return "\n".join(parts).encode()


def _left_out(results: Results) -> str:
    if not results.failures:
        return ""
    rows = [(failure.picture, failure.codec or "reading", failure.message) for failure in results.failures]
    return (
        f"<p><strong>{len(results.left_out)} pictures are left out of all means</strong>, since not every codec did "
        "them:</p>" + _table(("picture", "codec", "why"), rows, kind="words")
    )


def _rates(results: Results, codec: CodecResult) -> str:
    """A codec against all others: a row for each, a column for each metric."""
    rows = [
        [label, *(_rate(of_metric[metric.name]) for metric in results.metrics)]
        for label, of_metric in ((_label(results, other), rates) for other, rates in codec.rates.items())
    ]
    single = " Below it single pictures: the median, from the best to the worst, and how many are smaller."
    return (
        f"<p>How many more bytes <strong>{html.escape(codec.info.label)}</strong> takes than the codec of the row; "
        "negative is smaller. In brackets the range of the metric that both cover."
        f"{single if len(results.pictures) > 1 else ''}</p>"
        + _table(("against", *(metric.label for metric in results.metrics)), rows)
    )


def _rate(rates: Rates) -> str:
    whole = rates.whole
    if whole.percent is None or whole.level_range is None:
        return whole.reason or ""
    text = f"{whole.percent:+.1f} % [{whole.level_range[0]:.1f}–{whole.level_range[1]:.1f}]"
    return text if rates.pictures is None or rates.pictures.count == 1 else f"{text}\n{rates.pictures}"


def _label(results: Results, name: str) -> str:
    return next(codec.info.label for codec in results.codecs if codec.info.name == name)


def _points(results: Results) -> str:
    head = ("codec", "quality", "bpp", *(metric.label for metric in results.metrics), "PSNR of mean MSE", "encode ms",
            "decode ms")  # fmt: skip
    rows = [
        (
            codec.info.label, f"{point.quality:g}", f"{point.bpp:.4f}",
            *(_number(getattr(point, metric.name), metric.digits) for metric in results.metrics),
            _number(point.psnr_of_mean_mse, 2), f"{1e3 * point.encode_seconds:.1f}",
            f"{1e3 * point.decode_seconds:.1f}",
        )
        for codec in results.codecs
        for point in codec.points
    ]  # fmt: skip
    return _table(head, rows)


def _settings(results: Results) -> str:
    rows = [
        (
            codec.info.label, codec.info.settings, codec.info.library, str(codec.info.threads),
            f"{1e3 * middle_time(codec, 'encode'):.1f}", f"{1e3 * middle_time(codec, 'decode'):.1f}",
        )
        for codec in results.codecs
    ]  # fmt: skip
    return _table(("codec", "settings", "library", "threads", "encode ms", "decode ms"), rows, kind="words")


def _comparison(one: Comparison) -> str:
    """Original and both codecs side by side, each as large as it is, and both codecs under a slider, enlarged."""
    height, width = one.original.shape[:2]
    first, second = _pixels(one.first.pixels, one.first.label), _pixels(one.second.pixels, one.second.label)
    shown = [(_pixels(one.original, "original"), "original")]
    shown += [(picture, _caption(one, side)) for picture, side in ((first, one.first), (second, one.second))]
    row = "".join(f"<figure>{picture}<figcaption>{caption}</figcaption></figure>" for picture, caption in shown)
    return (
        f"<h3>The {one.rank} picture, {html.escape(one.picture)}</h3><div class=row>{row}</div>"
        f"<div class=pair style='--shape:{width}/{height}'>{first}{second}</div>"
        "<input type=range value=50 aria-label='where the two meet'>"
    )


def _caption(one: Comparison, side: Side) -> str:
    level = _number(side.level, one.metric.digits)
    return f"{html.escape(side.label)}, {side.file_bytes:,} bytes, {one.metric.label} {level}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, kind: str = "") -> str:
    cells = "".join(f"<th>{html.escape(text)}</th>" for text in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row) + "</tr>" for row in rows)
    return f"<div class=scroll><table class='{kind}'><tr>{cells}</tr>{body}</table></div>"


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return "–"
    return f"{value:.{digits}f}" if math.isfinite(value) else "exact"


def _pixels(pixels: Pixels, name: str) -> str:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", optimize=True)
    return _image(out.getvalue(), name, "png")


def _image(data: bytes, name: str, form: str) -> str:
    return f"<img alt='{html.escape(name)}' src='data:image/{form};base64,{base64.b64encode(data).decode()}'>"
