"""`isthmus denoise`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.options import AsJson, Fit, ReplaceFiles, Sources

EXAMPLE = "Example: isthmus denoise noisy/ -o clean/ --model run/model.isthmus"


def denoise(
    sources: Sources,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DST", help="A picture file for one source, else a folder.")
    ],
    model: Annotated[str, typer.Option(help="A denoising model: a file, or a shipped or installed name.")],
    add_noise: Annotated[
        bool,
        typer.Option(
            "--add-noise",
            help="SRC are clean: add the noise that the model learnt to remove, keep NAME.noisy.png too, and say the "
            "PSNR of both.",
        ),
    ] = False,
    fit: Fit = False,
    force: ReplaceFiles = False,
    as_json: AsJson = False,
) -> None:
    """Remove noise from pictures with a model that was trained to."""
    from isthmus.cli.output import note, plan_jobs, print_json, track
    from isthmus.codec.denoising import denoise_files
    from isthmus.codec.model import load_model
    from isthmus.imaging.reading import SUFFIXES

    jobs, errors = plan_jobs(sources, output, suffix=".png", found=SUFFIXES)
    for error in errors:
        note(str(error))
    pairs = [(job.source, job.target) for job in jobs]
    written = []
    outcomes = denoise_files(pairs, load_model(model), fit=fit, with_noise=add_noise, force=force)
    for outcome in track(outcomes, total=len(pairs), doing="denoising"):
        for line in outcome.notes:
            note(f"{outcome.source}: {line}")
        if outcome.error is not None:
            errors.append(outcome.error)
            note(str(outcome.error))
            continue
        one: dict[str, object] = {"source": str(outcome.source), "output": str(outcome.output)}
        told = str(outcome.output)
        if outcome.noisy is not None:
            one |= {"noisy": str(outcome.noisy), "noisy_psnr": outcome.noisy_psnr, "psnr": outcome.psnr}
            told += f": {outcome.psnr:.2f} dB, noisy {outcome.noisy_psnr:.2f} dB"
        written.append(one)
        if not as_json:
            print(told)
    if as_json:
        print_json({"files": written})
    if errors:
        raise typer.Exit(1)
