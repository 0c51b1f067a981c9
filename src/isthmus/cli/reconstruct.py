"""`isthmus reconstruct`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.options import AsJson, Column, Fit, Part, Sources

EXAMPLE = "Example: isthmus reconstruct digits/ --model run/model.isthmus -o figure.png"


def reconstruct(
    sources: Sources,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FIGURE", help="The figure: .png, .svg or .pdf.")],
    model: Annotated[str | None, typer.Option(help="A model file, or the name of a shipped or installed one.")] = None,
    quality: Annotated[float | None, typer.Option(help="1 to 100; the model's default.")] = None,
    part: Part = None,
    column: Column = None,
    fit: Fit = False,
    count: Annotated[
        int | None, typer.Option(min=1, help="How many pictures; as many as fit side by side, at most 12, without it.")
    ] = None,
    columns: Annotated[int, typer.Option(min=0, help="Pictures side by side; 0 is as many as fit.")] = 0,
    size: Annotated[
        int | None,
        typer.Option(min=8, max=4096, help="Pixels of a picture's longer side; its own, from 112 to 512, without it."),
    ] = None,
    interpolate: Annotated[bool, typer.Option("--interpolate", help="Walk between the codes of two pictures.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing figure.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draw originals, codes and reconstructions; of a denoiser clean, noisy and denoised pictures."""
    from isthmus.cli.extras import needs_extra
    from isthmus.cli.output import note, print_json, say, tell

    with needs_extra("train", "drawing figures"):
        import matplotlib  # noqa: F401 - said here, not in the middle of the work

        from isthmus.evaluate.figure_file import figure_form
        from isthmus.evaluate.interpolation import draw_interpolation
        from isthmus.evaluate.reconstruction import draw_reconstructions, shown_at_once
    from isthmus.codec.api import DEFAULT_MODEL
    from isthmus.codec.files import read_for_model
    from isthmus.codec.model import load_model
    from isthmus.container.atomic import exists_already, write_file
    from isthmus.errors import InputError, IsthmusError, UsageError
    from isthmus.sources.finding import look_for
    from isthmus.values import Picture

    form = figure_form(output)
    if output.exists() and not force:
        raise exists_already(output)
    loaded = load_model(model or DEFAULT_MODEL)
    found = look_for(sources, part=part, count=count, column=column)
    pictures: list[Picture] = []
    failed = tell(found)
    for source in found:
        if pictures and len(pictures) == (count or shown_at_once(pictures[0], size=size)):
            if count is None:
                note(f"the first {len(pictures)} of {len(found)} pictures are drawn: --count draws more")
            break
        try:
            pictures.append(read_for_model(source, loaded, fit=fit))
        except IsthmusError as error:
            note(str(error))
            failed += 1
    if not pictures:
        raise InputError("there is no picture to draw")
    if interpolate and len(pictures) != 2:
        raise UsageError(f"--interpolate walks between two pictures, not {len(pictures)}")
    if interpolate:
        figure = draw_interpolation(pictures[0], pictures[1], loaded, size=size, form=form)
    else:
        figure = draw_reconstructions(pictures, loaded, quality=quality, columns=columns, size=size, form=form)
    write_file(output, figure, force=force)
    if as_json:
        print_json({"figure": str(output), "pictures": len(pictures), "failed": failed})
    else:
        say(str(output))
    if failed:
        raise typer.Exit(1)
