"""`isthmus info`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.options import AsJson

EXAMPLE = "Example: isthmus info digit.isth   (or a .isthpack, or a .isthmus model)"


def info(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A .isth picture, a .isthpack, a manifest of shards, or a .isthmus model."),
    ],
    as_json: AsJson = False,
) -> None:
    """Say what a file holds."""
    from isthmus.cli.output import print_json, say
    from isthmus.description import describe

    facts = describe(file)
    if as_json:
        print_json(facts)
        return
    width = max(len(key) for key in facts)
    for key, value in facts.items():
        say(f"{key.replace('_', ' '):{width}}  {_as_text(value)}")


def _as_text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_as_text(inner)}" for key, inner in value.items())
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)
