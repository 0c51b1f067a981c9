"""One run of a recipe per value of a setting: a folder each, one table, one figure; a stopped sweep goes on."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from isthmus.container.atomic import write_file
from isthmus.errors import InputError, IsthmusError, OutputError, UsageError
from isthmus.learn.experiment import run_experiment
from isthmus.learn.loop.run_folder import CHECKPOINT
from isthmus.learn.loop.schedule import Budget
from isthmus.learn.recipes.loading import change_recipe, recipe_to_table
from isthmus.learn.recipes.settings import Recipe

RESULT = "result.json"
TABLE, FIGURE = "sweep.csv", "sweep.png"


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
    """

    value: str
    test_psnr: float | None = None
    test_mse: float | None = None
    bytes_per_image: float | None = None
    train_seconds: float | None = None
    model: str | None = None
    error: str | None = None


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
        folder: gets a folder per value, sweep.csv and sweep.png.
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
                draw_pictures=draw_pictures,
            )  # fmt: skip
        except IsthmusError as error:
            run = SweepRun(value, error=" ".join(str(error).split()))
        runs.append(run)
        report(run)
        write_file(folder / TABLE, _table(key, runs), force=True)
    if any(run.error is None for run in runs):
        write_file(folder / FIGURE, _figure(recipe.name, key, runs), force=True)
    return runs


def _run(
    recipe: Recipe, value: str, folder: Path, *, source: str | None, budget: Budget, seed: int, device: str,
    force: bool, draw_pictures: bool,
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


def _figure(name: str, key: str, runs: list[SweepRun]) -> bytes:
    """PSNR against the setting, and against bytes: numbers on an axis of their own scale, words side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    done = [run for run in runs if run.error is None]
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    try:
        pairs = sorted((float(run.value), run.test_psnr) for run in done)
        left.plot([value for value, _ in pairs], [psnr for _, psnr in pairs], "o-")
        left.set_xticks([value for value, _ in pairs], [f"{value:g}" for value, _ in pairs])
    except ValueError:
        left.plot([run.value for run in done], [run.test_psnr for run in done], "o")
    left.set(xlabel=key, ylabel="PSNR in dB, test pictures", title=name)
    right.plot([run.bytes_per_image for run in done], [run.test_psnr for run in done], "o")
    for run in done:
        right.annotate(run.value, (run.bytes_per_image, run.test_psnr), xytext=(4, 4), textcoords="offset points")
    right.set(xlabel="bytes a picture, whole file", title="rate")
    out = io.BytesIO()
    FigureCanvasAgg(figure).print_png(out, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return out.getvalue()
