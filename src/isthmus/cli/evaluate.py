"""`isthmus evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.options import AsJson

EXAMPLE = "Example: isthmus evaluate --model photo --data pictures/ --against jpeg,webp,avif -o comparison"


def evaluate(
    data: Annotated[Path, typer.Option(help="A folder of pictures.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Gets the results and the report.")],
    model: Annotated[list[str] | None, typer.Option(help="A model file or name. Repeatable.")] = None,
    against: Annotated[
        str, typer.Option(help="Codecs, with commas: jpeg, webp, avif, jxl, jpeg2000, png, or one such as avif-420.")
    ] = "jpeg,webp,avif,jxl,jpeg2000",
    qualities: Annotated[str | None, typer.Option(help="Of the models, with commas; eight from 1 to 100.")] = None,
    metrics: Annotated[str, typer.Option(help="Beside PSNR: ssim, ms_ssim, ssimulacra2.")] = "ssim,ms_ssim",
    reference: Annotated[
        Path | None, typer.Option(help="A CSV file of published points (codec, bits_per_pixel, psnr_db) to draw.")
    ] = None,
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
    from isthmus.cli.output import Stopped, counter, note, numbers, print_json, words

    with needs_extra("evaluate", "an evaluation"):
        from isthmus.evaluate.evaluation import EvaluationOptions
        from isthmus.evaluate.evaluation import evaluate as run_evaluation
        from isthmus.evaluate.results import to_json
        from isthmus.evaluate.running import pictures_below

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
    with counter(len(pictures_below(data)), doing="evaluating") as advance:
        try:
            results = run_evaluation(
                data, options, output, command="isthmus " + shlex.join(sys.argv[1:]), on_done=lambda _: advance()
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
            rates = (
                f"{name} {rate.percent:+.1f} %" if rate.percent is not None else f"{name} none ({rate.reason})"
                for name, rate in codec.bd_rates.items()
            )
            print(f"{codec.info.label}: BD-rate against {', '.join(rates)}" if codec.bd_rates else codec.info.label)
        single = results.codecs[0].picture_rates
        if len(results.pictures) > 1 and single:
            parts = ", ".join(f"{name} {rates}" for name, rates in single.items())
            print(f"{results.codecs[0].info.label} on single pictures, median [best to worst]: {parts}")
        print(f"{len(results.pictures)} pictures; {output / 'report.html'}")
    if results.failures:
        raise typer.Exit(1)
