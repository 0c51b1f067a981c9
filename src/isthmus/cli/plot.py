"""`isthmus plot`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.options import AsJson

EXAMPLE = "Example: isthmus plot run small -o curves.png"


def plot(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders that 'isthmus train' left.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FIGURE", help="The figure: .png, .svg or .pdf.")
    ] = Path("curves.png"),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing figure.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draw the loss curves of runs, finished or going on, in one figure."""
    from isthmus.cli.extras import needs_extra
    from isthmus.cli.output import print_json, say

    with needs_extra("train", "drawing figures"):
        import matplotlib  # noqa: F401 - said here, not in the middle of the work

        from isthmus.evaluate.figure_file import figure_form
        from isthmus.learn.loop.curves import draw_curves
        from isthmus.learn.loop.run_folder import read_log
    from isthmus.container.atomic import exists_already, write_file

    form = figure_form(output)
    if output.exists() and not force:
        raise exists_already(output)
    histories = {str(run): read_log(run) for run in runs}
    write_file(output, draw_curves(histories, form=form), force=force)
    if as_json:
        print_json({"figure": str(output), "runs": list(histories)})
    else:
        say(str(output))
