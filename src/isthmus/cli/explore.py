"""`isthmus explore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.options import AsJson

EXAMPLE = "Example: isthmus explore run/model.isthmus --data mnist -o map.png"


def explore(
    model: Annotated[str, typer.Argument(help="A model file, or the name of a shipped or installed one.")],
    data: Annotated[str, typer.Option(help="As for 'isthmus train'; its test pictures are drawn.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="MAP", help="The figure: .png, .svg or .pdf.")],
    count: Annotated[
        int | None, typer.Option(help="How many of its test pictures at most; all of them without it.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing figure.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draw a model's codes as a map, coloured by label where the data has labels."""
    from isthmus.cli.extras import needs_extra
    from isthmus.cli.output import note, print_json, say

    with needs_extra("train", "drawing maps"):
        import matplotlib  # noqa: F401 - said here, not in the middle of the work

        from isthmus.evaluate.figure_file import figure_form
        from isthmus.learn.code_map import draw_map, load_for_model
    from isthmus.codec.model import load_model
    from isthmus.container.atomic import exists_already, write_file

    form = figure_form(output)
    if output.exists() and not force:
        raise exists_already(output)
    loaded = load_model(model)
    pictures = load_for_model(loaded, data, count=count)
    if pictures.labels is None:
        note(f"{data} has no labels: the pictures themselves are drawn")
    write_file(output, draw_map(loaded, pictures, form=form), force=force)
    if as_json:
        print_json({"figure": str(output), "pictures": len(pictures), "has_labels": pictures.labels is not None})
    else:
        say(output)
