"""`isthmus decompress`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.options import AsJson, EngineName, PixelLimit, ReplaceFiles, Threads

EXAMPLE = "Example: isthmus decompress compressed/ -o pictures/ --model run/model.isthmus"


def decompress(
    sources: Annotated[list[Path], typer.Argument(metavar="SRC...", help=".isth files, or folders of them.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DST", help="A picture file for one source, else a folder.")
    ],
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

    from isthmus.cli.output import note, plan_jobs, print_json, track
    from isthmus.codec.files import DecompressOptions, decompress_files
    from isthmus.codec.model import load_model
    from isthmus.imaging.windows import parse_region
    from isthmus.imaging.writing import check_suffix
    from isthmus.transforms.engine import Engine

    window = parse_region(region) if region is not None else None
    options = DecompressOptions(
        window, salvage=salvage, engine=Engine(engine, threads), pixel_limit=pixel_limit, force=force
    )
    suffix = "." + format_.lower().lstrip(".")
    check_suffix(suffix)
    if output.suffix and not output.is_dir() and len(sources) == 1 and not sources[0].is_dir():
        check_suffix(output.suffix)
    jobs, errors = plan_jobs(sources, output, suffix=suffix, found=[".isth"])
    loaded = load_model(model, threads=threads, engine=engine) if model else None
    pairs = [(job.source, job.target) for job in jobs]
    results = []
    for error in errors:
        note(str(error))
    for outcome in track(decompress_files(pairs, loaded, options), total=len(pairs), doing="decompressing"):
        if outcome.error is not None:
            errors.append(outcome.error)
            note(str(outcome.error))
        elif outcome.result is not None:
            results.append(outcome.result)
            for line in outcome.notes:
                note(f"{outcome.source}: {line}")
            if outcome.result.missing:
                note(f"{outcome.source}: missing and left blank: {', '.join(outcome.result.missing)}")
            if not as_json:
                print(f"{outcome.result.output}: {outcome.result.width}×{outcome.result.height}")
    if as_json:
        print_json({"files": [asdict(result) for result in results]})
    if errors:
        raise typer.Exit(1)
