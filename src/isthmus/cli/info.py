"""`isthmus info`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from isthmus.cli.options import AsJson

EXAMPLE = "Example: isthmus info photos.isthpack --list   (or .isth, .isthmus, a folder of a run)"


def info(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help=".isth pictures, .isthpack packs, manifests of shards, .isthmus models, or folders of runs.",
        ),
    ],
    list_: Annotated[
        bool, typer.Option("--list", help="Of packs: a line for each picture; nothing is decoded.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what files hold."""
    from isthmus.cli.output import note, print_json
    from isthmus.description import describe, pictures_of_pack
    from isthmus.errors import IsthmusError

    if len(files) == 1 and as_json:
        facts = describe(files[0])
        print_json({**facts, "list": pictures_of_pack(files[0])} if list_ else facts)
        return
    told, failed = [], False
    for file in files:
        try:
            facts, listed = describe(file), pictures_of_pack(file) if list_ else []
        except IsthmusError as error:
            if len(files) == 1:
                raise
            note(f"{file}: {error}" if str(file) not in str(error) else str(error))
            failed = True
            continue
        told.append({"file": str(file), **facts, **({"list": listed} if list_ else {})})
        if not as_json:
            _say_facts(facts, listed, title=str(file) if len(files) > 1 else "")
    if as_json:
        print_json({"files": told})
    if failed:
        raise typer.Exit(1)


def _say_facts(facts: dict[str, Any], listed: list[dict[str, Any]], *, title: str) -> None:
    from isthmus.cli.output import say

    if listed:
        for one in listed:
            label = "" if one["label"] is None else f", class {one['label']}"
            coding = "" if one["coding"] == "learned" else f", {one['coding']}"
            say(f"{one['name']}: {one['width']}×{one['height']}, {one['payload_bytes']} bytes{coding}{label}")
        return
    if title:
        say(f"{title}:")
    width = max(len(key) for key in facts)
    for key, value in facts.items():
        say(f"{key.replace('_', ' '):{width}}  {_as_text(value)}")


def _as_text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_as_text(inner)}" for key, inner in value.items())
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)
