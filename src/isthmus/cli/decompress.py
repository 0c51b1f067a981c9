"""`isthmus decompress`."""

from __future__ import annotations

from typing import Annotated

import typer

from isthmus.cli.options import AsJson, EngineName, OneOrFolder, PixelLimit, ReplaceFiles, Threads

EXAMPLE = "Example: isthmus decompress compressed/ -o pictures/ --model run/model.isthmus"


def decompress(
    sources: Annotated[
        list[str], typer.Argument(metavar="SRC...", help=".isth files, folders of them, or quoted patterns.")
    ],
    output: OneOrFolder,
    model: Annotated[str | None, typer.Option(help="The model; without it, it is found by the id in the file.")] = None,
    format_: Annotated[str, typer.Option("--format", help="Of pictures in a folder: png, webp, tif, ...")] = "png",
    region: Annotated[
        str | None, typer.Option(metavar="X,Y,W,H", help="Only this part, in pixels; decodes only the tiles it needs.")
    ] = None,
    salvage: Annotated[
        bool, typer.Option("--salvage", help="Of a damaged file, write what is whole and say what is missing.")
    ] = False,
    threads: Threads = 0,
    engine: EngineName = "onnxruntime",
    pixel_limit: PixelLimit = None,
    force: ReplaceFiles = False,
    as_json: AsJson = False,
) -> None:
    """Decompress .isth files to pictures."""
    from dataclasses import asdict

    from isthmus.cli.output import Notes, note, print_json, say, tell, track
    from isthmus.codec.files import DecompressOptions, decompress_files
    from isthmus.codec.model import load_model
    from isthmus.imaging.windows import parse_region
    from isthmus.imaging.writing import FORMATS, check_suffix
    from isthmus.sources.finding import find_files
    from isthmus.sources.outputs import plan_jobs
    from isthmus.transforms.engine import Engine

    window = parse_region(region) if region is not None else None
    options = DecompressOptions(
        window, salvage=salvage, engine=Engine(engine, threads), pixel_limit=pixel_limit, force=force
    )
    suffix = "." + format_.lower().lstrip(".")
    check_suffix(suffix)
    found = find_files(sources, ".isth")
    plan = plan_jobs(found, output, suffix=suffix, file_suffixes=FORMATS)
    loaded = load_model(model, threads=threads, engine=engine) if model else None
    failed = tell(found)
    results, notes = [], Notes()
    for error in plan.errors:
        failed += 1
        note(str(error))
    for outcome in track(decompress_files(plan.jobs, loaded, options), total=len(plan.jobs), doing="decompressing"):
        notes.add(outcome.source, outcome.notes)
        if outcome.error is not None:
            failed += 1
            note(str(outcome.error))
        elif outcome.result is not None:
            results.append(outcome.result)
            if outcome.result.missing:
                note(f"{outcome.source}: missing and left blank: {', '.join(outcome.result.missing)}")
            if not as_json:
                say(f"{outcome.result.output}: {outcome.result.width}×{outcome.result.height}")
    notes.show()
    if as_json:
        print_json({"files": [asdict(result) for result in results]})
    if failed:
        raise typer.Exit(1)
