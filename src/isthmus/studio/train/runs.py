"""The runs of a folder, whoever started them: what `isthmus train` and `isthmus sweep` leave, read while it grows."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from isthmus.errors import IsthmusError, UsageError
from isthmus.learn.recipes.loading import change_recipe, load_recipe
from isthmus.studio.answers import NotThereError
from isthmus.studio.train import processes
from isthmus.studio.train.processes import Asked
from isthmus.zoo.finding import read_model

LOG, CHECKPOINT, MODEL, PICTURES = "log.csv", "checkpoint.pt", "model.isthmus", "pictures"
SWEEP_TABLE = "sweep.csv"
MOST_RUNS = 500


@dataclass(frozen=True)
class Run:
    """One run as a page shows it.

    Attributes:
        name: of its folder below the folder of runs.
        state: running, finished, stopped, failed, or waiting, before its first epoch.
        recipe: its name, where it is known.
        epochs: done.
        of: that it was asked for; 0 where that is not known.
        message: the last line that it said, where it failed.
        can_go_on: whether it can be started again.
        is_sweep: whether its folder holds the runs of a sweep.
        metrics: of the finished model.
    """

    name: str
    state: str
    recipe: str
    epochs: int
    of: int
    message: str
    can_go_on: bool
    is_sweep: bool
    metrics: dict[str, float]


class Runs:
    """A folder of runs.

    Args:
        folder: made when the first run starts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def all(self) -> list[Run]:
        """The newest first."""
        found = sorted(self._folders(), key=_age, reverse=True)[:MOST_RUNS]
        return [self._run(folder) for folder in found]

    def get(self, name: str) -> Run:
        """One of them.

        Raises:
            NotThereError: no such run.
        """
        return self._run(self.path(name))

    def path(self, name: str) -> Path:
        """A run's folder: one of those that there are, whatever the name says.

        Raises:
            NotThereError: no such run.
        """
        for folder in self._folders():
            if self._name(folder) == name:
                return folder
        raise NotThereError("there is no such run")

    def start(self, asked: Asked) -> str:
        """Start a run; its name.

        Raises:
            UsageError: a recipe or setting that cannot be.
            OutputError: the folder cannot be written.
        """
        recipe = load_recipe(asked.recipe, asked.settings)
        if asked.vary:
            key, equals, values = asked.vary.partition("=")
            if not equals or not values.strip(" ,"):
                raise UsageError("a sweep is KEY=V1,V2,..., such as model.code=64,16")
            change_recipe(recipe, {key.strip(): values.split(",")[0].strip()})
        folder = self._free(f"{recipe.name}-sweep" if asked.vary else recipe.name)
        processes.start(folder, asked)
        return self._name(folder)

    def go_on(self, name: str, epochs: int) -> None:
        """Start a stopped run again where it was, up to as many epochs in all; 0 is as many as it was asked for.

        Raises:
            NotThereError: no such run.
            UsageError: it was not started here, or goes on already.
        """
        folder = self.path(name)
        asked = processes.read_asked(folder)
        if asked is None:
            raise UsageError("this run was not started in the studio: isthmus train --resume goes on with it")
        asked = replace(asked, epochs=epochs) if epochs else asked
        processes.start(folder, asked, resume=(folder / CHECKPOINT).is_file())

    def stop(self, name: str) -> None:
        """Ask a run to end; what it has learnt is kept.

        Raises:
            NotThereError: no such run.
            UsageError: it does not go on.
        """
        processes.stop(self.path(name))

    def log(self, name: str) -> list[dict[str, float]]:
        """A line for each epoch, by column."""
        return read_log(self.path(name))

    def picture(self, name: str, epoch: int) -> bytes:
        """The PNG of an epoch.

        Raises:
            NotThereError: there is none.
        """
        try:
            return (self.path(name) / PICTURES / f"epoch-{epoch:04}.png").read_bytes()
        except OSError as error:
            raise NotThereError("this epoch has no pictures") from error

    def mark(self, name: str) -> tuple[Any, ...]:
        """Changes whenever there is something new to show."""
        folder = self.path(name)
        files = tuple(_stamp(folder / file) for file in (LOG, MODEL, processes.ASKED))
        return *files, processes.is_running(folder), _epochs_drawn(folder)

    def shown(self, name: str) -> dict[str, Any]:
        """All that a page shows of a run, for JSON."""
        run = self.get(name)
        return {**vars(run), "log": self.log(name), "drawn": _epochs_drawn(self.path(name))}

    def _run(self, folder: Path) -> Run:
        asked, log, is_running = processes.read_asked(folder), read_log(folder), processes.is_running(folder)
        is_sweep = (folder / SWEEP_TABLE).is_file() or (asked is not None and bool(asked.vary))
        has_model = (folder / (SWEEP_TABLE if is_sweep else MODEL)).is_file()
        said = processes.last_words(folder)
        if is_running:
            state = "running" if log or is_sweep else "waiting"
        elif has_model and _stamp(folder / MODEL) >= _stamp(folder / CHECKPOINT):
            state = "finished"
        elif "stopped" in said or asked is None or not said or (log and not said.startswith("isthmus:")):
            state = "stopped"
        else:
            state = "failed"
        recipe, metrics, of = _of_model(folder) if has_model and not is_sweep else ("", {}, 0)
        if asked is not None:
            recipe, of = asked.recipe, asked.epochs or _recipe_epochs(asked)
        return Run(
            name=self._name(folder),
            state=state,
            recipe=recipe,
            epochs=len(log),
            of=of,
            message=said if state == "failed" else "",
            can_go_on=asked is not None and not is_running,
            is_sweep=is_sweep,
            metrics=metrics,
        )

    def _folders(self) -> Iterator[Path]:
        """Folders of runs and of sweeps, and the runs of sweeps."""
        for path in sorted(self.folder.glob("*")) if self.folder.is_dir() else ():
            if path.is_symlink() or not path.is_dir():
                continue
            if _holds_run(path):
                yield path
            for inner in sorted(path.glob("*")):
                if inner.is_dir() and not inner.is_symlink() and _holds_run(inner):
                    yield inner

    def _name(self, folder: Path) -> str:
        return folder.relative_to(self.folder).as_posix()

    def _free(self, name: str) -> Path:
        """A folder that is not there yet."""
        number, folder = 2, self.folder / name
        while folder.exists():
            folder, number = self.folder / f"{name}-{number}", number + 1
        return folder


def read_log(folder: Path) -> list[dict[str, float]]:
    """A run's log, a line for each epoch; what is no number is left out."""
    try:
        text = (folder / LOG).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    rows = []
    for line in csv.DictReader(io.StringIO(text)):
        row = {}
        for key, value in line.items():
            try:
                row[key] = float(value)
            except (TypeError, ValueError):
                continue
        rows.append({key: value for key, value in row.items() if key and math.isfinite(value)})
    return rows


def _holds_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (processes.ASKED, LOG, CHECKPOINT, SWEEP_TABLE))


def _of_model(folder: Path) -> tuple[str, dict[str, float], int]:
    """Recipe, figures and epochs of a finished run's model."""
    try:
        facts = read_model(folder / MODEL).facts
    except IsthmusError:
        return "", {}, 0
    recipe = facts.get("recipe", {})
    metrics = {key: float(value) for key, value in facts.get("metrics", {}).items() if isinstance(value, int | float)}
    return str(recipe.get("name", "")), metrics, int(recipe.get("training", {}).get("epochs", 0))


def _recipe_epochs(asked: Asked) -> int:
    try:
        return load_recipe(asked.recipe, asked.settings).training.epochs
    except IsthmusError:
        return 0


def _epochs_drawn(folder: Path) -> int:
    """The last epoch that has pictures."""
    numbers = [path.stem.rpartition("-")[2] for path in (folder / PICTURES).glob("epoch-*.png")]
    return max((int(number) for number in numbers if number.isdigit()), default=0)


def _stamp(path: Path) -> int:
    """When a file was written last; 0 where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _age(folder: Path) -> int:
    return max(_stamp(folder / name) for name in (processes.ASKED, LOG, CHECKPOINT, SWEEP_TABLE))
