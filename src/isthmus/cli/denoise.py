"""`isthmus denoise`."""

from __future__ import annotations

from typing import Annotated

import typer

from isthmus.cli.options import AsJson, Column, Count, Fit, OneOrFolder, Part, ReplaceFiles, Sources

EXAMPLE = "Example: isthmus denoise noisy/ -o clean/ --model run/model.isthmus"


def denoise(
    sources: Sources,
    output: OneOrFolder,
    model: Annotated[str, typer.Option(help="A denoising model: a file, or a shipped or installed name.")],
    add_noise: Annotated[
        bool,
        typer.Option(
            "--add-noise",
            help="SRC are clean: add the noise that the model learnt to remove, keep NAME.noisy.png too, and say the "
            "PSNR of both.",
        ),
    ] = False,
    part: Part = None,
    count: Count = None,
    column: Column = None,
    fit: Fit = False,
    force: ReplaceFiles = False,
    as_json: AsJson = False,
) -> None:
    """Remove noise from pictures with a model that was trained to."""
    from isthmus.cli.output import Notes, note, print_json, say, tell, track
    from isthmus.codec.denoising import denoise_files
    from isthmus.codec.model import load_model
    from isthmus.imaging.writing import FORMATS
    from isthmus.sources.finding import look_for
    from isthmus.sources.outputs import plan_jobs

    found = look_for(sources, part=part, count=count, column=column)
    plan = plan_jobs(found, output, suffix=".png", file_suffixes=FORMATS)
    outcomes = denoise_files(plan.jobs, load_model(model), fit=fit, with_noise=add_noise, force=force)
    failed = tell(found) + plan.failed
    written, notes = [], Notes()
    for error in plan.errors:
        note(str(error))
    for outcome in track(outcomes, total=len(plan.jobs), doing="denoising"):
        notes.add(outcome.source, outcome.notes)
        if outcome.error is not None:
            failed += 1
            note(str(outcome.error))
            continue
        one: dict[str, object] = {"source": str(outcome.source), "output": str(outcome.output)}
        told = str(outcome.output)
        if outcome.noisy is not None:
            one |= {"noisy": str(outcome.noisy), "noisy_psnr": outcome.noisy_psnr, "psnr": outcome.psnr}
            told += f": {outcome.psnr:.2f} dB, noisy {outcome.noisy_psnr:.2f} dB"
        written.append(one)
        if not as_json:
            say(told)
    notes.show()
    if as_json:
        print_json({"files": written})
    if failed:
        raise typer.Exit(1)
