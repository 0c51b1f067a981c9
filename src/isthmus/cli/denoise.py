"""`isthmus denoise`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.options import (
    AsJson,
    Column,
    Count,
    Depth,
    EngineName,
    Fit,
    OneOrFolder,
    Part,
    ReplaceFiles,
    SkipExisting,
    Sources,
    Threads,
)

if TYPE_CHECKING:
    from isthmus.codec.photo_denoising import Adapt

EXAMPLE = "Example: isthmus denoise photo.jpg -o clean.png --strength 50"


def denoise(
    sources: Sources,
    output: OneOrFolder,
    model: Annotated[
        str | None,
        typer.Option(help="A denoising model: a file, or a shipped or installed name; denoise, for photographs."),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(metavar="S", help="0 to 100: 50 removes the noise that is found, 0 nothing, 100 as if twice."),
    ] = None,
    keep_format: Annotated[
        bool, typer.Option("--keep-format", help="In a folder, write each picture in its own format, not PNG.")
    ] = False,
    adapt: Annotated[
        int | None,
        typer.Option(
            min=1, max=10_000, metavar="N", help="First train the network on each picture itself, N steps; needs train."
        ),
    ] = None,
    add_noise: Annotated[
        bool,
        typer.Option(
            "--add-noise",
            help="For autoencoders: SRC are clean: add the noise that the model learnt to remove, keep NAME.noisy.png "
            "too, and say the PSNR of both.",
        ),
    ] = False,
    part: Part = None,
    count: Count = None,
    column: Column = None,
    fit: Fit = False,
    depth: Depth = None,
    frame: Annotated[int | None, typer.Option(help="Which picture of an animation, from 0.")] = None,
    threads: Threads = 0,
    engine: EngineName = "onnxruntime",
    skip_existing: SkipExisting = False,
    force: ReplaceFiles = False,
    as_json: AsJson = False,
) -> None:
    """Remove noise from photographs, or from any pictures with an autoencoder that was trained to."""
    from isthmus.cli.many import line_of_denoised, sum_of_pictures, tell_all, what_of_existing
    from isthmus.codec.denoising import denoise_files
    from isthmus.codec.photo_denoiser import DEFAULT_STRENGTH, PhotoDenoiser
    from isthmus.codec.photo_denoising import (
        DEFAULT_MODEL,
        DenoiseOptions,
        denoise_photos,
        kept_suffix,
        load_denoiser,
    )
    from isthmus.errors import UsageError
    from isthmus.imaging.writing import FORMATS
    from isthmus.sources.finding import look_for
    from isthmus.sources.outputs import plan_jobs

    options = DenoiseOptions(
        DEFAULT_STRENGTH if strength is None else strength, depth, frame, _adaptation(adapt), force=force
    )
    existing = what_of_existing(force=force, skip_existing=skip_existing)
    found = look_for(sources, part=part, count=count, column=column)
    plan = plan_jobs(
        found, output, suffix=kept_suffix if keep_format else ".png", file_suffixes=FORMATS, existing=existing
    )
    loaded = load_denoiser(model or DEFAULT_MODEL, threads=threads, engine=engine)
    if isinstance(loaded, PhotoDenoiser):
        if add_noise:
            raise UsageError(f"--add-noise is for autoencoders that learnt to remove noise, {loaded.name} is none")
        outcomes = denoise_photos(plan.jobs, loaded, options)
    else:
        if strength is not None or adapt is not None:
            raise UsageError(f"--strength and --adapt are for denoisers of photographs, {loaded.name} is none")
        outcomes = denoise_files(plan.jobs, loaded, fit=fit, with_noise=add_noise, force=force)
    tell_all(
        found, plan, outcomes, doing="denoising", line_of=line_of_denoised, sum_of=sum_of_pictures, as_json=as_json
    )


def _adaptation(steps: int | None) -> Adapt | None:
    """What makes a denoiser for each picture; None where none is asked for."""
    if steps is None:
        return None
    from functools import partial

    from isthmus.cli.extras import needs_extra

    with needs_extra("train", "adapting a denoiser"):
        from isthmus.learn.denoiser.adaptation import adapted
    return partial(adapted, steps=steps)
