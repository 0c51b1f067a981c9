"""`isthmus evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.options import AsJson, Column, Count, Part

if TYPE_CHECKING:
    from isthmus.evaluate.metrics import Metric
    from isthmus.evaluate.results import CodecResult, Rates

EXAMPLE = "Example: isthmus evaluate --model photo --data pictures/ --against jpeg,webp,avif -o comparison"


def evaluate(
    data: Annotated[
        list[str],
        typer.Option(
            metavar="SRC", help="Pictures, as 'isthmus compress' takes them: a folder, 'mnist', ... Repeatable."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Gets the results and the report.")],
    model: Annotated[list[str] | None, typer.Option(help="A model file or name. Repeatable.")] = None,
    against: Annotated[
        str,
        typer.Option(
            help="Codecs, with commas: jpeg, webp, avif, jxl, jpeg2000, png, or one such as avif-420 or avif-psnr."
        ),
    ] = "jpeg,webp,avif,jxl,jpeg2000",
    qualities: Annotated[str | None, typer.Option(help="Of the models, with commas; eight from 1 to 100.")] = None,
    metrics: Annotated[str, typer.Option(help="Beside PSNR: ssimulacra2, ms_ssim, ssim.")] = "ssimulacra2,ms_ssim",
    reference: Annotated[
        Path | None, typer.Option(help="A CSV file of published points (codec, bits_per_pixel, psnr_db) to draw.")
    ] = None,
    part: Part = None,
    count: Count = None,
    column: Column = None,
    jobs: Annotated[int, typer.Option(help="Processes side by side; times then disturb each other.")] = 1,
    threads: Annotated[int, typer.Option(help="Threads of each codec.")] = 1,
    engine: Annotated[
        str, typer.Option(help="Of the models: onnxruntime, openvino; with commas, on each.")
    ] = "onnxruntime",
    force: Annotated[bool, typer.Option("--force", help="Start anew where the folder holds another run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare models with other codecs on real file bytes; a run that was stopped goes on."""
    import shlex
    import sys

    from isthmus.cli.extras import needs_extra
    from isthmus.cli.output import Stopped, meter, note, numbers, print_json, say, tell, words

    with needs_extra("evaluate", "an evaluation"):
        from isthmus.evaluate.evaluation import EvaluationOptions
        from isthmus.evaluate.evaluation import evaluate as run_evaluation
        from isthmus.evaluate.results import to_json
    from isthmus.sources.finding import find_sources

    options = EvaluationOptions(
        models=tuple(model or ()),
        against=words(against),
        qualities=numbers(qualities) if qualities is not None else None,
        metrics=words(metrics),
        jobs=jobs,
        threads=threads,
        engines=words(engine),
        reference=reference,
        force=force,
    )
    found = find_sources(data, part=part, count=count, column=column)
    unread = tell(found)
    with meter(doing="evaluating") as on_progress:
        try:
            command = "isthmus " + shlex.join(sys.argv[1:])
            results = run_evaluation(
                found, options, output, data=", ".join(data), command=command, on_progress=on_progress
            )
        except KeyboardInterrupt:
            raise Stopped(f"what was measured is in {output}, the same command goes on with the others") from None
    for failure in results.failures:
        note(f"{failure.picture}: {failure.codec or 'not read'}: {failure.message}")
    for picture, line in results.conversions:
        note(f"{picture}: {line}")
    if as_json:
        print_json(to_json(results))
    else:
        for codec in results.codecs:
            if codec.rates:
                print_rates(codec, results.metrics)
        say(f"{len(results.pictures)} pictures; {output / 'report.html'}")
    if results.failures or unread:
        raise typer.Exit(1)


def print_rates(codec: CodecResult, metrics: Sequence[Metric]) -> None:
    """A line for each codec that it is compared with: the share of bytes at equal quality, by each metric."""
    from isthmus.cli.output import say

    say(f"{codec.info.label}, bytes at equal quality (BD-rate; median of single pictures, how many are smaller):")
    for other, rates in codec.rates.items():
        say(f"  against {other}: " + ", ".join(_rate(metric, rates[metric.name]) for metric in metrics))


def _rate(metric: Metric, rates: Rates) -> str:
    if rates.whole.percent is None:
        return f"{metric.label} none ({rates.whole.reason})"
    single = rates.pictures
    beside = f" ({single.median:+.1f} %, {round(single.smaller * single.count)} of {single.count})" if single else ""
    return f"{metric.label} {rates.whole.percent:+.1f} %{beside}"
