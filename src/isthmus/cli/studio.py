"""`isthmus studio`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "Example: isthmus studio --data pictures/"


def studio(
    host: Annotated[
        str,
        typer.Option(
            help="The address to listen on; another than this machine's own lets others in who have the token."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = 8765,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Pictures, packs and models below it can be opened in the page."),
    ] = None,
    runs: Annotated[Path, typer.Option(metavar="FOLDER", help="Where training leaves its runs.")] = Path("runs"),
) -> None:
    """Train, touch codes, compress and look through packs in a local web page."""
    from isthmus.cli.extras import needs_extra
    from isthmus.cli.output import note
    from isthmus.errors import InputError

    with needs_extra("studio", "the studio"):
        from isthmus.studio.serving import is_open_to_others, listen, serve
        from isthmus.studio.settings import StudioSettings

    if data is not None and not data.is_dir():
        raise InputError(f"{data} is no folder")
    settings = StudioSettings(host=host, port=port, data=data and data.resolve(), runs=runs.resolve())
    listening = listen(settings)
    if is_open_to_others(settings):
        note(
            f"--host {host}: whoever reaches this machine and has the token can train on it, install models, and read "
            "what is below --data; the connection is not encrypted"
        )
    print(f"The studio is at {settings.address}\nCtrl-C ends it; training goes on.", flush=True)
    serve(settings, listening, open_browser=browser)
