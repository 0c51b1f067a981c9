"""`isthmus compress`."""

from __future__ import annotations

from typing import Annotated

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
    Quality,
    ReplaceFiles,
    Sources,
    Threads,
)

EXAMPLE = "Example: isthmus compress photo.jpg -o photo.isth --quality 60"


def compress(
    sources: Sources,
    output: Annotated[
        str,
        typer.Option("-o", "--output", metavar="DST", help="A .isth file for one picture, else a folder (out/)."),
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
    threads: Threads = 0,
    engine: EngineName = "onnxruntime",
    force: ReplaceFiles = False,
    as_json: AsJson = False,
) -> None:
    """Compress pictures to .isth files."""
    from dataclasses import asdict

    from isthmus.cli.output import Notes, note, print_json, say, tell, track
    from isthmus.codec.api import DEFAULT_MODEL
    from isthmus.codec.files import CompressOptions, compress_files
    from isthmus.codec.model import load_model
    from isthmus.codec.targets import Target
    from isthmus.sources.finding import look_for
    from isthmus.sources.outputs import plan_jobs

    target = Target(quality, target_bytes, target_bpp, target_psnr, target_ssimulacra2, lossless)
    options = CompressOptions(target, coding, exact, fit=fit, depth=depth, frame=frame, measure_psnr=psnr, force=force)
    found = look_for(sources, part=part, count=count, column=column)
    plan = plan_jobs(found, output, suffix=".isth", file_suffixes=[".isth"])
    loaded = load_model(model or DEFAULT_MODEL, threads=threads, engine=engine)
    failed = tell(found)
    results, notes = [], Notes()
    for error in plan.errors:
        failed += 1
        note(str(error))
    for outcome in track(compress_files(plan.jobs, loaded, options), total=len(plan.jobs), doing="compressing"):
        notes.add(outcome.source, outcome.notes)
        if outcome.error is not None:
            failed += 1
            note(str(outcome.error))
        elif outcome.result is not None:
            results.append(outcome.result)
            if not as_json:
                reached = f", {outcome.result.psnr:.2f} dB" if outcome.result.psnr is not None else ""
                coded = "" if outcome.result.coding == "learned" else f", {outcome.result.coding}"
                size = f"{outcome.result.bytes} bytes, {outcome.result.bpp:.3f} bpp"
                say(f"{outcome.result.output}: {size}{reached}{coded}")
    notes.show()
    if as_json:
        print_json({"files": [asdict(result) for result in results]})
    if failed:
        raise typer.Exit(1)
