"""`isthmus export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.options import AsJson

EXAMPLE = "Example: isthmus export run/model.isthmus -o onnx"


def export(
    model: Annotated[str, typer.Argument(help="A model file, or the name of a shipped or installed one.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the graphs.")],
    force: Annotated[bool, typer.Option("--force", help="Replace files that the folder holds.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a model's networks as ONNX files for other programs, with a README of their inputs and outputs."""
    from isthmus.cli.output import print_json, say
    from isthmus.codec.onnx_files import export_onnx
    from isthmus.zoo.finding import find_by_name, read_model

    paths = export_onnx(read_model(find_by_name(model)), output, force=force)
    if as_json:
        print_json({"folder": str(output), "files": [path.name for path in paths]})
        return
    for path in paths:
        say(str(path))
