"""`isthmus sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.options import AsJson

EXAMPLE = "Example: isthmus sweep digits-reduction --vary model.code=588,259,64,16 --data mnist -o sweep"


def sweep(
    recipe: Annotated[str, typer.Argument(help="A name that 'isthmus recipes' lists, or a .toml file.")],
    vary: Annotated[str, typer.Option("--vary", metavar="KEY=V1,V2,...", help="The setting and its values.")],
    data: Annotated[str | None, typer.Option(help="As for 'isthmus train'.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Folder; sweeps/RECIPE without it.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of every run. Repeatable.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes of each run, in place of the recipe's.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Stop each run after this many minutes of training.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Repeat runs that the folder holds.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    seed: Annotated[int, typer.Option(help="Of every run.")] = 0,
    pictures: Annotated[bool, typer.Option("--pictures", help="As for 'isthmus train'.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a recipe once per value of a setting; the same command goes on after a stop."""
    from isthmus.cli.extras import needs_extra

    with needs_extra("train", "training"):
        import matplotlib  # noqa: F401 - said here, not after the runs

        from isthmus.learn.recipes.loading import load_recipe
        from isthmus.learn.sweep import FIGURE, TABLE, SweepRun, run_sweep
    from dataclasses import asdict

    from isthmus.cli.output import Stopped, note, print_json, say

    def report(run: SweepRun) -> None:
        if run.error is not None:
            note(f"{vary.partition('=')[0]}={run.value} failed: {run.error}")
        elif not as_json:
            say(f"{run.value}: {run.test_psnr} dB, {run.bytes_per_image} bytes, {run.train_seconds} s")

    chosen = load_recipe(recipe, settings or [])
    folder = output or Path("sweeps") / chosen.name
    try:
        runs = run_sweep(
            chosen,
            vary,
            folder,
            source=data,
            epochs=epochs,
            minutes=minutes,
            seed=seed,
            device=device,
            force=force,
            draw_pictures=pictures,
            report=report,
        )
    except KeyboardInterrupt:
        raise Stopped("the same command goes on where it was") from None
    has_figure = any(run.error is None for run in runs)
    if as_json:
        figure = str(folder / FIGURE) if has_figure else None
        print_json({"table": str(folder / TABLE), "figure": figure, "runs": [asdict(run) for run in runs]})
    elif has_figure:
        say(folder / TABLE)
        say(folder / FIGURE)
    if any(run.error is not None for run in runs):
        raise typer.Exit(1)
