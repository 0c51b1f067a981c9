"""`isthmus unpack`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.options import AsJson, EngineName, PixelLimit, ReplaceFiles, Threads

SHOWN = 20
"""Pictures that were not written and are named one by one."""
EXAMPLE = "Example: isthmus unpack photos.isthpack -o pictures/ --only 'cats/*'"


def unpack(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .isthpack; with --recover also a NAME.isthpack.part.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The folder for the pictures.")],
    only: Annotated[
        str | None, typer.Option(metavar="GLOB", help="Only pictures whose name matches, such as 'a/*'.")
    ] = None,
    format_: Annotated[str, typer.Option("--format", help="Of the pictures: png, webp, tif, ...")] = "png",
    recover: Annotated[
        bool, typer.Option("--recover", help="Write what is whole in a damaged or unfinished pack.")
    ] = False,
    model: Annotated[str | None, typer.Option(help="The model; without it, it is found by the id in the pack.")] = None,
    threads: Threads = 0,
    engine: EngineName = "onnxruntime",
    pixel_limit: PixelLimit = None,
    force: ReplaceFiles = False,
    as_json: AsJson = False,
) -> None:
    """Unpack a .isthpack to picture files."""
    from isthmus.cli.output import Notes, counter, note, print_json, say
    from isthmus.imaging.writing import check_suffix
    from isthmus.packs.unpacking import UnpackOptions
    from isthmus.packs.unpacking import unpack as unpack_pack
    from isthmus.transforms.engine import Engine

    suffix = "." + format_.lower().lstrip(".")
    check_suffix(suffix)
    options = UnpackOptions(only, suffix, recover=recover, pixel_limit=pixel_limit, force=force)
    total, outcomes = unpack_pack(file, output, options, model=model, engine=Engine(engine, threads))
    written, failed, notes = 0, [], Notes()
    with counter(total, doing="unpacking") as advance:
        for outcome in outcomes:
            advance()
            if outcome.error is None:
                written += 1
                notes.add(outcome.name, outcome.notes)
            else:
                failed.append({"name": outcome.name, "reason": str(outcome.error)})
                if len(failed) <= SHOWN:
                    note(f"not written: {outcome.name}: {outcome.error}")
    notes.show()
    if as_json:
        print_json({"file": str(file), "output": str(output), "pictures": written, "failed": failed})
    else:
        say(f"{output}: {written} pictures")
    if failed:
        note(f"{len(failed)} of {total} pictures were not written; --json names them all")
        raise typer.Exit(1)
