"""The demo's page: one HTML file with its pictures inside."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from string import Template

from isthmus.learn.demo.comparison import CodecResult
from isthmus.learn.experiment import Experiment
from isthmus.learn.recipes.settings import Recipe

_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Isthmus demo</title><style>
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 58rem; margin: 2.5rem auto; padding: 0 1rem; }
h1 { margin-bottom: .2rem; } h2 { margin-top: 2.2rem; border-bottom: 1px solid #ddd; padding-bottom: .2rem; }
img { max-width: 100%; height: auto; } .lead { color: #555; margin-top: 0; }
table { border-collapse: collapse; } th, td { padding: .35rem 1.1rem .35rem 0; border-bottom: 1px solid #e5e5e5; }
th { text-align: left; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.ours { font-weight: 600; } pre { background: #f5f5f5; padding: .8rem 1rem; overflow-x: auto; border-radius: 4px; }
td.bar { width: 16rem; } td.bar div { background: #8ab; height: .8rem; } tr.ours td.bar div { background: #1b6ca8; }
</style></head><body>
<h1>Isthmus demo</h1>
<p class="lead">$summary</p>
<h2>Originals, codes, reconstructions</h2>
<p>Pictures that the model never saw. Each becomes the $code numbers in the middle, which are rounded, entropy coded and
written to a file; below, what comes back from that file.</p>
<img alt="originals, codes and reconstructions" src="data:image/png;base64,$reconstructions">
<h2>Bytes and quality</h2>
<p>Means over $pictures unseen pictures, whole files. JPEG and WebP at the lowest quality that is no worse. The model
itself is not counted: it is stored once, in $model.</p>
<table><tr><th>codec</th><th class="number">bytes a picture</th><th class="number">PSNR</th><th></th></tr>$rows</table>
<h2>Training</h2>
<p>Recipe <code>$recipe</code>: $parameters parameters, $epochs epochs in $seconds s. On its test pictures the network's
mean squared error is $test_mse, through files $coded_mse.</p>
<img alt="loss over epochs" src="data:image/png;base64,$loss">
<h2>The same by hand</h2>
<pre>$commands</pre>
</body></html>
""")


@dataclass(frozen=True)
class Report:
    """Everything on the page; pictures are PNG bytes, seconds are those of the whole demo."""

    experiment: Experiment
    recipe: Recipe
    codecs: tuple[CodecResult, ...]
    reconstructions: bytes
    loss: bytes
    commands: tuple[str, ...]
    seconds: float


def write_report(report: Report, *, pictures: int = 100) -> str:
    """The page's HTML."""
    experiment = report.experiment
    ours, best = report.codecs[0], min(report.codecs[1:], key=lambda codec: codec.mean_bytes)
    return _PAGE.substitute(
        summary=escape(
            f"In {report.seconds:.0f} seconds: an autoencoder was trained on drawn digits, and {pictures} digits that "
            f"it never saw went through files of {ours.mean_bytes:.0f} bytes on average. "
            f"The smallest of the others, {best.name}, takes {best.mean_bytes:.0f}."
        ),
        code=report.recipe.model.code,
        reconstructions=_base64(report.reconstructions),
        pictures=pictures,
        model=escape(experiment.model),
        rows="".join(_row(codec, report.codecs) for codec in report.codecs),
        recipe=escape(experiment.recipe),
        parameters=f"{experiment.parameters:,}",
        epochs=experiment.epochs,
        seconds=f"{experiment.train_seconds:.0f}",
        test_mse=f"{experiment.metrics.test_mse:.5f}",
        coded_mse=f"{experiment.metrics.coded_mse:.5f}",
        loss=_base64(report.loss),
        commands=escape("\n".join(report.commands)),
    )


def _row(codec: CodecResult, codecs: Sequence[CodecResult]) -> str:
    longest = max(other.mean_bytes for other in codecs)
    quality = f"{codec.psnr:.2f} dB" if math.isfinite(codec.psnr) else "exact"
    ours = ' class="ours"' if codec is codecs[0] else ""
    width = 100 * codec.mean_bytes / longest
    return (
        f'<tr{ours}><td>{escape(codec.name)}</td><td class="number">{codec.mean_bytes:.1f}</td>'
        f'<td class="number">{quality}</td><td class="bar"><div style="width:{width:.1f}%"></div></td></tr>'
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
