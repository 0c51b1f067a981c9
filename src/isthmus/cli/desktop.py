"""`isthmus desktop`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "Example: isthmus desktop --install"


def desktop(
    install: Annotated[bool, typer.Option("--install", help="Write the files into the user's data folder.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take them away again.")] = False,
    thumbnail: Annotated[
        Path | None, typer.Option("--thumbnail", metavar="FILE.isth", help="Write one thumbnail, as desktops ask for.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="PNG", help="Of the thumbnail.")] = None,
    size: Annotated[int, typer.Option(min=8, max=2048, help="Pixels of the thumbnail's longer side.")] = 256,
) -> None:
    """Tell a Linux desktop of .isth files: MIME types, thumbnails, and lines for 'file'."""
    from isthmus import desktop as entries
    from isthmus.cli.output import say
    from isthmus.container.atomic import write_file
    from isthmus.errors import UsageError

    if install + remove + (thumbnail is not None) != 1:
        raise UsageError("one of --install, --remove and --thumbnail is wanted")
    if thumbnail is not None:
        if output is None:
            raise UsageError("--thumbnail wants -o PNG")
        write_file(output, entries.thumbnail(thumbnail, size=size), force=True)  # desktops make the file before
        return
    for path in entries.install() if install else entries.remove():
        say(str(path))
    if install:
        say("log in again, and file managers draw thumbnails; 'file -m' and the last of these knows the formats")
