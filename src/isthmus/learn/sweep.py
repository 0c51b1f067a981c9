"""One run of a recipe per value of a setting: a folder each, one table, one figure; a stopped sweep goes on."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from isthmus.codec.model import load_model
from isthmus.container.atomic import write_file
from isthmus.errors import InputError, IsthmusError, ModelMismatchError, OutputError, UsageError
from isthmus.learn.experiment import run_experiment, unseen_pictures
from isthmus.learn.loop.run_folder import CHECKPOINT
from isthmus.learn.loop.schedule import Budget
from isthmus.learn.recipes.loading import change_recipe, recipe_to_table
from isthmus.learn.recipes.settings import Recipe
from isthmus.learn.sweep_figures import SweepPoint, draw_sweep, draw_sweep_pictures

RESULT = "result.json"
TABLE, FIGURE, PICTURES = "sweep.csv", "sweep.png", "sweep-pictures.png"
_PICTURES = 6


@dataclass(frozen=True)
class SweepRun:
    """One line of the table; the figures are None where the run failed, and `error` says why.

    Attributes:
        value: of the setting that varies.
        test_psnr: in dB, of the network's reconstruction.
        test_mse: values in [0, 1].
        bytes_per_image: mean bytes of a whole file at the default quality.
        train_seconds: of training alone.
        model: path of the model file.
        error: one line.
        reduction: share of a picture's numbers that the code leaves out, where the code's size varies.
    """

    value: str
    test_psnr: float | None = None
    test_mse: float | None = None
    bytes_per_image: float | None = None
    train_seconds: float | None = None
    model: str | None = None
    error: str | None = None
    reduction: float | None = None


def parse_variation(text: str) -> tuple[str, list[str]]:
    """KEY=V1,V2,... as key and values, in order and without repeats.

    Raises:
        UsageError: not of this form.
    """
    key, equals, values = text.partition("=")
    parts = list(dict.fromkeys(value.strip() for value in values.split(",") if value.strip()))
    if not equals or not key.strip() or not parts:
        raise UsageError(f"--vary is KEY=V1,V2,..., such as model.code=64,16, not {text!r}")
    return key.strip(), parts


def run_sweep(
    recipe: Recipe,
    variation: str,
    folder: Path,
    *,
    source: str | None = None,
    epochs: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    device: str = "auto",
    force: bool = False,
    draw_pictures: bool = False,
    report: Callable[[SweepRun], None] = lambda run: None,
) -> list[SweepRun]:
    """Run a recipe once per value. Runs that the folder holds whole are not repeated; begun ones are resumed.

    Args:
        recipe: the recipe.
        variation: KEY=V1,V2,...
        folder: gets a folder per value, sweep.csv, sweep.png and sweep-pictures.png.
        source: what to learn from; None is the recipe's.
        epochs: passes of each run; None is the recipe's.
        minutes: of training of each run; None for no limit.
        seed: of every run.
        device: "auto", "cpu" or "cuda".
        force: repeat runs that the folder holds.
        draw_pictures: see `run_experiment`.
        report: told of each run when it is over.

    Raises:
        UsageError: the variation cannot be read, or no value of it fits the setting.
    """
    key, values = parse_variation(variation)
    change_recipe(recipe, {key: values[0]})  # a misspelt key is no failed run
    runs = []
    for value in values:
        target = folder / f"{key.rpartition('.')[2]}-{value.replace('/', '_')}"
        try:
            changed = change_recipe(recipe, {key: value})
            budget = Budget(epochs or changed.training.epochs, minutes=minutes)
            run = _run(
                changed, value, target, source=source, budget=budget, seed=seed, device=device, force=force,
                draw_pictures=draw_pictures, reduction=_reduction(changed, key),
            )  # fmt: skip
        except IsthmusError as error:
            run = SweepRun(value, error=" ".join(str(error).split()))
        runs.append(run)
        report(run)
        write_file(folder / TABLE, _table(key, runs), force=True)
    if any(run.error is None for run in runs):
        _draw(recipe, key, runs, folder, source=source, seed=seed)
    return runs


def _run(
    recipe: Recipe, value: str, folder: Path, *, source: str | None, budget: Budget, seed: int, device: str,
    force: bool, draw_pictures: bool, reduction: float | None,
) -> SweepRun:  # fmt: skip
    wanted = json.loads(
        json.dumps({"recipe": recipe_to_table(recipe), "seed": seed, "source": source, "budget": asdict(budget)})
    )
    if (folder / RESULT).is_file() and not force:
        try:
            stored = json.loads((folder / RESULT).read_text("utf-8"))
            if stored["asked"] == wanted:
                return SweepRun(**stored["run"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{folder / RESULT} is damaged: --force repeats the run") from error
        raise OutputError(f"{folder} holds a run with other settings: name another -o, or repeat it with --force")
    has_begun = (folder / CHECKPOINT).is_file() and not force
    experiment = run_experiment(
        recipe,
        folder,
        source=source,
        budget=budget,
        seed=seed,
        device=device,
        resume=has_begun,
        force=force,
        has_lines=True,
        draw_pictures=draw_pictures,
    )
    metrics = experiment.metrics
    run = SweepRun(
        value,
        test_psnr=round(metrics.test_psnr, 3),
        test_mse=float(f"{metrics.test_mse:.6g}"),
        bytes_per_image=round(metrics.bytes_per_image, 2),
        train_seconds=experiment.train_seconds,
        model=experiment.model,
        reduction=reduction,
    )
    write_file(folder / RESULT, json.dumps({"asked": wanted, "run": asdict(run)}).encode(), force=True)
    return run


def _table(key: str, runs: list[SweepRun]) -> bytes:
    out = io.StringIO()
    rows = [asdict(run) for run in runs]
    writer = csv.DictWriter(out, [key, *(name for name in rows[0] if name != "value")], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: row.pop("value"), **row})
    return out.getvalue().encode()


def _draw(recipe: Recipe, key: str, runs: list[SweepRun], folder: Path, *, source: str | None, seed: int) -> None:
    """The figures of what is done."""
    done = [run for run in runs if run.error is None]
    points = [SweepPoint(run.value, run.test_psnr or 0.0, run.bytes_per_image or 0.0, run.reduction) for run in done]
    write_file(folder / FIGURE, draw_sweep(recipe.name, key, points), force=True)
    models = [(point.label, load_model(str(run.model))) for point, run in zip(points, done, strict=True)]
    pictures = unseen_pictures(recipe, source, count=_PICTURES, seed=seed)
    with suppress(ModelMismatchError):  # the setting is the pictures' size: there are none for all of them
        write_file(folder / PICTURES, draw_sweep_pictures(recipe.name, pictures, models), force=True)


def _reduction(recipe: Recipe, key: str) -> float | None:
    """How much less a code has than its picture, where that is what varies."""
    settings = recipe.model
    if key.rpartition(".")[2] != "code" or settings.is_expanding:
        return None
    rows, columns = (side - settings.overlap for side in settings.network_size)
    return round(1 - settings.code_numbers / (settings.channels * rows * columns), 4)
