"""What commands share of their output: JSON on stdout, notes on stderr, a bar over many files, where results go."""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from isthmus.errors import InputError, IsthmusError, UsageError

Item = TypeVar("Item")


class Stopped(Exception):  # noqa: N818 - no error
    """Ctrl-C, where something is kept: the message says what, and how to go on."""


def print_json(value: Any) -> None:
    """The one JSON object of `--json`; infinite and undefined numbers become null, as JSON knows neither."""
    print(json.dumps(_finite(value), ensure_ascii=False))


def note(message: str) -> None:
    """One line on stderr."""
    print(f"isthmus: {' '.join(message.split())}", file=sys.stderr)


def track(items: Iterable[Item], *, total: int, doing: str) -> Iterator[Item]:
    """The items, under a progress bar on stderr where that is a terminal and there are many."""
    if total < 2 or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track as rich_track

    yield from rich_track(items, total=total, description=doing, console=Console(stderr=True), transient=True)


@dataclass(frozen=True)
class Job:
    """One file to read and one to write."""

    source: Path
    target: Path


def plan_jobs(
    sources: Sequence[Path], output: Path, *, suffix: str, found: Iterable[str]
) -> tuple[list[Job], list[IsthmusError]]:
    """Pair each source with its target.

    Args:
        sources: files, or folders that are searched.
        output: the target file where there is one source file and `output` has a suffix; otherwise a folder.
        suffix: of the targets in a folder, such as ".isth".
        found: suffixes that a folder is searched for.

    Returns:
        The jobs, and an error for each source that cannot be one.

    Raises:
        UsageError: several sources for one file.
    """
    wanted = frozenset(found)
    files: list[tuple[Path, Path]] = []
    errors: list[IsthmusError] = []
    for source in sources:
        if source.is_dir():
            inside = sorted(path for path in source.rglob("*") if path.suffix.lower() in wanted and path.is_file())
            files += [(path, path.relative_to(source)) for path in inside]
            if not inside:
                errors.append(InputError(f"{source} holds no files to read ({', '.join(sorted(wanted)[:4])}, ...)"))
        else:
            files.append((source, Path(source.name)))
    is_one_file = output.suffix != "" and not output.is_dir()
    if is_one_file and (len(files) + len(errors) > 1 or any(source.is_dir() for source in sources)):
        raise UsageError(f"-o {output} is one file, but there are {len(files)} to write: name a folder")
    jobs: dict[Path, Job] = {}
    for source, relative in files:
        target = output if is_one_file else output / relative.with_suffix(suffix)
        if target.exists() and source.exists() and target.samefile(source):
            errors.append(UsageError(f"{source} would be overwritten by its own result: choose another output"))
        elif target in jobs:
            errors.append(InputError(f"{source} would be written to {target}, as {jobs[target].source} is: not done"))
        else:
            jobs[target] = Job(source, target)
    return list(jobs.values()), errors


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value


def words(text: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def numbers(text: str) -> tuple[float, ...]:
    """Numbers between commas.

    Raises:
        UsageError: one is none.
    """
    try:
        return tuple(float(part) for part in words(text))
    except ValueError as error:
        raise UsageError(f"numbers with commas between them are wanted, not {text!r}") from error


@contextmanager
def counter(total: int, *, doing: str) -> Iterator[Callable[[], None]]:
    """A bar on stderr with the speed and the time left, where that is a terminal, and what moves it on by one."""
    with meter(doing=doing) as show:
        done = itertools.count(1)
        yield lambda: show(next(done), total)


@contextmanager
def meter(*, doing: str) -> Iterator[Callable[[int, int], None]]:
    """The same bar, and what shows how many of how many are done."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich import progress
    from rich.console import Console
    from rich.text import Text

    class Speed(progress.ProgressColumn):
        def render(self, task: progress.Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.2g}/s")

    columns = (
        progress.TextColumn("{task.description}"), progress.BarColumn(), progress.MofNCompleteColumn(), Speed(),
        progress.TimeRemainingColumn(),
    )  # fmt: skip
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
