"""What a run leaves in its folder while it goes on: the last epoch's checkpoint, and a line of log for each epoch."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, fields
from pathlib import Path

from isthmus.container.atomic import write_file
from isthmus.errors import InputError, OutputError, UsageError
from isthmus.learn.loop.checkpoint import EpochResult, Progress, read_checkpoint, write_checkpoint

CHECKPOINT = "checkpoint.pt"
LOG = "log.csv"


def check_folder(folder: Path, *, resume: bool, force: bool) -> None:
    """Refuse to mix two runs in one folder.

    Raises:
        OutputError: it holds a run, and neither `resume` nor `force` is given.
        UsageError: there is nothing to resume.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"cannot write {folder}: it is a file, and a run needs a folder")
    if resume and not (folder / CHECKPOINT).is_file():
        raise UsageError(f"nothing to resume: {folder / CHECKPOINT} does not exist")
    if not resume and not force and (folder / CHECKPOINT).exists():
        raise OutputError(f"{folder} holds a run already: go on with --resume, or start anew with --force")


def clear_run(folder: Path) -> None:
    """Take away what an earlier run left to go on with."""
    for name in (CHECKPOINT, LOG):
        (folder / name).unlink(missing_ok=True)


def save_run(folder: Path, progress: Progress) -> None:
    """Write checkpoint and log.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_checkpoint(folder / CHECKPOINT, progress)
    _write_log(folder / LOG, progress.history)


def resume_run(folder: Path, fresh: Progress) -> Progress:
    """The checkpoint's state, if it is of the same experiment as a fresh run.

    Raises:
        UsageError: of another recipe or seed.
    """
    path = folder / CHECKPOINT
    progress = read_checkpoint(path)
    if progress.recipe != fresh.recipe or progress.seed != fresh.seed:
        changed = [
            f"{section}.{key}"
            for section, values in fresh.recipe.items()
            if isinstance(values, dict)
            for key, value in values.items()
            if progress.recipe.get(section, {}).get(key) != value
        ] or ["seed" if progress.recipe == fresh.recipe else "the recipe"]
        raise UsageError(f"{path} is of another run, {', '.join(changed)} differ(s): resume with the same settings")
    return progress


def read_log(folder: Path) -> list[EpochResult]:
    """The results of a run's epochs, of one that still goes on too.

    Raises:
        InputError: the folder holds no run, or its log is damaged or empty.
    """
    names = [field.name for field in fields(EpochResult) if field.name != "epoch"]
    try:
        with (folder / LOG).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        history = [EpochResult(int(row["epoch"]), *(float(row[name]) for name in names)) for row in rows]
    except OSError as error:
        raise InputError(f"{folder} holds no run: {folder / LOG} cannot be read ({error.strerror})") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(f"{folder / LOG} is not the log of a plain autoencoder's run, or it is damaged") from error
    if not history:
        raise InputError(f"{folder} has no finished epoch yet")
    return history


def _write_log(path: Path, history: list[EpochResult]) -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, [field.name for field in fields(EpochResult)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(result) for result in history)
    write_file(path, out.getvalue().encode(), force=True)
