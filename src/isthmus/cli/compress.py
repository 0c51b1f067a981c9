"""`isthmus compress`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.options import (
    AsJson,
    Coding,
    CodingModel,
    Column,
    Count,
    Depth,
    EngineName,
    Fit,
    Part,
    PreserveDates,
    Processes,
    Quality,
    ReplaceFiles,
    SkipExisting,
    Sources,
    Threads,
)

if TYPE_CHECKING:
    from isthmus.codec.photo_denoiser import PhotoDenoiser

EXAMPLE = "Example: isthmus compress photo.jpg -o photo.isth --quality 60"


def compress(
    sources: Sources,
    output: Annotated[
        str,
        typer.Option(
            "-o", "--output", metavar="DST", help="A .isth file for one picture, else a folder (out/); - is stdout."
        ),
    ],
    model: CodingModel = None,
    quality: Quality = None,
    target_bytes: Annotated[
        int | None, typer.Option(help="The best quality whose file has at most this many bytes.")
    ] = None,
    target_bpp: Annotated[float | None, typer.Option(help="The same in bits per pixel.")] = None,
    target_psnr: Annotated[float | None, typer.Option(help="The lowest quality that reaches this PSNR in dB.")] = None,
    part: Part = None,
    count: Count = None,
    column: Column = None,
    target_ssimulacra2: Annotated[
        float | None, typer.Option(help="The lowest quality that reaches this SSIMULACRA2; 90: nothing is seen.")
    ] = None,
    lossless: Annotated[bool, typer.Option("--lossless", help="Every pixel as it is, by WebP inside.")] = False,
    coding: Coding = "auto",
    exact: Annotated[
        bool, typer.Option("--exact", help="With exact codings, keep the colours under full transparency too.")
    ] = False,
    fit: Fit = False,
    depth: Depth = None,
    frame: Annotated[int | None, typer.Option(help="Which picture of an animation, from 0.")] = None,
    psnr: Annotated[bool, typer.Option("--psnr", help="Decode each file and report its PSNR.")] = False,
    strip: Annotated[
        str | None,
        typer.Option(
            metavar="all|gps", help="Leave out EXIF, XMP and resolution; or the place alone, not maker notes."
        ),
    ] = None,
    keep_suffix: Annotated[
        bool, typer.Option("--keep-suffix", help="In a folder, photo.jpg becomes photo.jpg.isth, not photo.isth.")
    ] = False,
    preserve_dates: PreserveDates = False,
    skip_existing: SkipExisting = False,
    jobs: Processes = 1,
    denoise: Annotated[
        bool,
        typer.Option("--denoise", help="Remove the noise of each photograph first, and say the bytes that this saves."),
    ] = False,
    threads: Threads = 0,
    engine: EngineName = "onnxruntime",
    force: ReplaceFiles = False,
    as_json: AsJson = False,
) -> None:
    """Compress pictures to .isth files."""
    from isthmus.cli.many import (
        check_json,
        line_of_compressed,
        sum_of_compressed,
        tell_all,
        threads_of_each,
        what_of_existing,
    )  # fmt: skip
    from isthmus.codec.api import DEFAULT_MODEL
    from isthmus.codec.compressing import CompressOptions, compress_files
    from isthmus.codec.model import load_model
    from isthmus.codec.targets import Target
    from isthmus.sources.finding import look_for
    from isthmus.sources.outputs import plan_jobs

    check_json(output, as_json=as_json)
    target = Target(quality, target_bytes, target_bpp, target_psnr, target_ssimulacra2, lossless)
    options = CompressOptions(
        target, coding, exact, fit=fit, depth=depth, frame=frame, measure_psnr=psnr, strip=strip,
        preserve_dates=preserve_dates, denoiser=_denoiser(threads_of_each(threads, jobs), engine) if denoise else None,
        force=force,
    )  # fmt: skip
    existing = what_of_existing(force=force, skip_existing=skip_existing)
    found = look_for(sources, part=part, count=count, column=column)
    plan = plan_jobs(
        found, output, suffix=".isth", file_suffixes=[".isth"], keep_suffix=keep_suffix, existing=existing,
        to_standard=True,
    )  # fmt: skip
    loaded = load_model(model or DEFAULT_MODEL, threads=threads_of_each(threads, jobs), engine=engine)
    tell_all(
        found, plan, compress_files(plan.jobs, loaded, options, processes=jobs), doing="compressing",
        line_of=line_of_compressed, sum_of=sum_of_compressed, as_json=as_json,
    )  # fmt: skip


def _denoiser(threads: int, engine: str) -> PhotoDenoiser:
    from isthmus.codec.photo_denoising import DEFAULT_MODEL, load_photo_denoiser

    return load_photo_denoiser(DEFAULT_MODEL, threads=threads, engine=engine)
