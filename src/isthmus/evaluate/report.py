"""One page that holds all of an evaluation: tables, curves, times, and crops under a slider; it needs no other file."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Sequence

from PIL import Image

from isthmus.evaluate.codec import Pixels
from isthmus.evaluate.crops import Comparison
from isthmus.evaluate.figures import middle_time
from isthmus.evaluate.results import Results

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
.pair { position: relative; width: 512px; max-width: 100%; aspect-ratio: var(--shape); }
.pair img { position: absolute; inset: 0; width: 100%; height: 100%; image-rendering: pixelated; }
.pair img + img { clip-path: inset(0 0 0 var(--cut, 50%)); }
input[type=range] { width: 512px; max-width: 100%; }
"""
_SCRIPT = """
for (const slider of document.querySelectorAll("input[type=range]"))
  slider.oninput = () => slider.previousElementSibling.style.setProperty("--cut", slider.value + "%");
"""


def write_report(
    results: Results, comparisons: Sequence[Comparison], *, curves: bytes, times: bytes, command: str
) -> bytes:
    """The page as UTF-8 HTML.

    Args:
        results: what was measured.
        comparisons: crops to show.
        curves: the rate-distortion figure, SVG.
        times: the figure of times, PNG.
        command: what was typed.
    """
    name = html.escape(results.data)
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{name}</title><style>{_STYLE}</style>",
        f"<h1>Codecs on {name}</h1><p>{len(results.pictures)} pictures, real file bytes. Made with "
        f"<code>{html.escape(command)}</code>.</p>",
        _left_out(results),
        "<h2>Rate and distortion</h2>",
        f"<figure>{curves.decode().split('?>', 1)[-1]}<figcaption>Mean over the pictures; dashed curves are published "
        "figures, not measured here.</figcaption></figure>",
        "<h2>BD-rate</h2><p>How many more bytes the codec of the row takes than that of the column for the same PSNR; "
        "negative is smaller. In brackets the range in dB that both cover.</p>",
        _bd_rates(results),
        _picture_rates(results),
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


def _bd_rates(results: Results) -> str:
    names = [codec.info.name for codec in results.codecs]
    rows = []
    for codec in results.codecs:
        cells = [codec.info.label]
        for name in names:
            rate = codec.bd_rates.get(name)
            if rate is None:
                cells.append("")
            elif rate.percent is None or rate.psnr_range is None:
                cells.append(rate.reason or "")
            else:
                cells.append(f"{rate.percent:+.1f} %\n[{rate.psnr_range[0]:.1f}–{rate.psnr_range[1]:.1f}]")
        rows.append(cells)
    return _table(("", *(codec.info.label for codec in results.codecs)), rows)


def _picture_rates(results: Results) -> str:
    if len(results.pictures) == 1:
        return ""
    names = [codec.info.name for codec in results.codecs]
    rows = []
    for codec in results.codecs:
        cells = (str(codec.picture_rates.get(name, "")) for name in names)
        rows.append([codec.info.label, *(cell.replace(" [", "\n[") for cell in cells)])
    table = _table(("", *(codec.info.label for codec in results.codecs)), rows)
    return f"<p>On single pictures: the median, and from the best to the worst.</p>{table}"


def _points(results: Results) -> str:
    head = ("codec", "quality", "bpp", "PSNR", "PSNR of mean MSE", "SSIM", "MS-SSIM", "SSIMULACRA2", "encode ms",
            "decode ms")  # fmt: skip
    rows = [
        (
            codec.info.label, f"{point.quality:g}", f"{point.bpp:.4f}", _number(point.psnr, 2),
            _number(point.psnr_of_mean_mse, 2), _number(point.ssim, 4), _number(point.ms_ssim, 4),
            _number(point.ssimulacra2, 1), f"{1e3 * point.encode_seconds:.1f}", f"{1e3 * point.decode_seconds:.1f}",
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
    height, width = one.original.shape[:2]
    first, second = (
        f"{html.escape(side.label)}, {side.file_bytes:,} bytes, {_number(side.psnr, 2)} dB"
        for side in (one.first, one.second)
    )
    return (
        f"<figure><div class=pair style='--shape:{width}/{height}'>{_pixels(one.first.pixels, one.first.label)}"
        f"{_pixels(one.second.pixels, one.second.label)}</div>"
        "<input type=range value=50 aria-label='where the two meet'>"
        f"<figcaption>The {one.rank} picture, {html.escape(one.picture)}. Left: {first}. Right: {second}."
        f"<br>The original:<br>{_pixels(one.original, 'original')}</figcaption></figure>"
    )


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
