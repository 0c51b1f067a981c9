"""`isthmus models`: list, add, remove."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.options import AsJson

app = typer.Typer(
    help="List the shipped and installed models; add or remove one.",
    epilog="Example: isthmus models add run/model.isthmus --name digits",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.callback()
def models(
    context: typer.Context,
    as_json: AsJson = False,
) -> None:
    """List the shipped and installed models; add or remove one."""
    if context.invoked_subcommand is not None:
        return
    from isthmus.cli.output import note, print_json, say
    from isthmus.description import describe
    from isthmus.errors import IsthmusError
    from isthmus.zoo.finding import known_models, models_folder

    rows = []
    for place, path in known_models():
        try:
            facts = describe(path)
        except IsthmusError as error:
            note(f"{path}: {error}")
            continue
        keys = ("model_id", "takes", "bytes", "metrics")
        rows.append({"name": path.stem, "place": place, "path": str(path)} | {key: facts.get(key) for key in keys})
    if as_json:
        print_json({"models": rows})
        return
    for row in rows:
        say(f"{row['name']:16} {row['model_id']}  {row['place']:9}  {row['takes']}, {row['bytes']} bytes")
    say(f"'isthmus models add FILE' puts one into {models_folder()}.")


@app.command(epilog="Example: isthmus models add run/model.isthmus --name digits")
def add(
    file: Annotated[Path, typer.Argument(help="A .isthmus file.")],
    name: Annotated[str | None, typer.Option(help="What to call it; the model's own name without this.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a model of that name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a model into the user's models folder."""
    from isthmus.cli.output import note, print_json, say
    from isthmus.zoo.finding import install, shadowing

    path = install(file, name=name, force=force)
    other = shadowing(path)
    if other is not None:
        note(f"{path.stem!r} still means {other}, which goes first: --name gives another name, and the path works")
    if as_json:
        print_json({"added": str(path)})
    else:
        say(path)


@app.command(epilog="Example: isthmus models remove digits")
def remove(
    name: Annotated[str, typer.Argument(help="As 'isthmus models' lists it.")],
    as_json: AsJson = False,
) -> None:
    """Remove a model from the user's models folder."""
    from isthmus.cli.output import print_json, say
    from isthmus.zoo.finding import uninstall

    path = uninstall(name)
    if as_json:
        print_json({"removed": str(path)})
    else:
        say(f"removed {path}")
