"""What commands share of their output: JSON on stdout, notes on stderr, a bar over many files, where results go."""

from __future__ import annotations

import io
import itertools
import json
import math
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from isthmus.errors import UsageError

if TYPE_CHECKING:
    from isthmus.sources.finding import Found

Item = TypeVar("Item")
_UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control, formatting (which turns the direction of what follows), halves of letters, ends of lines."""
_JOINERS = frozenset({0x200C, 0x200D, 0xAD})
"""Formatting that words of some languages, and emojis, are written with."""
_LOST_BYTES, _FIRST_LOST_BYTE, _LAST_LOST_BYTE = 0xDC00, 0xDC80, 0xDCFF
"""How Python writes bytes of a name that are no text."""


class Stopped(Exception):  # noqa: N818 - no error
    """Ctrl-C, where something is kept: the message says what, and how to go on."""


def print_json(value: Any) -> None:
    """The one JSON object of `--json`; infinite and undefined numbers become null, as JSON knows neither."""
    text = json.dumps(_finite(value), ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeError:  # a name that is no text, or a terminal that cannot show it: JSON has escapes for both
        text = json.dumps(_finite(value))
    print(text)


def say(message: object, *, to_stderr: bool = False) -> None:
    """One line on stdout, or on stderr where stdout carries a file."""
    print(shown(str(message)), file=sys.stderr if to_stderr else sys.stdout)


def note(message: str) -> None:
    """One line on stderr."""
    print(shown(f"isthmus: {message.strip()}"), file=sys.stderr)


def shown(text: str) -> str:
    """Text that does nothing to a terminal: control characters and bytes that are no text are escaped."""
    return "".join(_escaped(letter) if unicodedata.category(letter) in _UNSHOWN else letter for letter in text)


def _escaped(letter: str) -> str:
    code = ord(letter)
    if code in _JOINERS:
        return letter
    if _FIRST_LOST_BYTE <= code <= _LAST_LOST_BYTE:
        return f"\\x{code - _LOST_BYTES:02x}"
    return letter.encode("unicode_escape").decode("ascii")


def show_anything() -> None:
    """Let stdout and stderr escape what their encoding cannot show, in place of an error.

    Where stderr is closed, what belongs there goes nowhere: Python would print it on stdout.
    """
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def track(items: Iterable[Item], *, total: int, doing: str) -> Iterator[Item]:
    """The items, under a progress bar on stderr where that is a terminal and there are many."""
    if total < 2 or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track as rich_track

    yield from rich_track(items, total=total, description=doing, console=Console(stderr=True), transient=True)


def tell(found: Found) -> int:
    """Say what was left out and what cannot be read; returns how many of the latter there are."""
    for line in found.notes:
        note(line)
    for problem in found.problems:
        note(str(problem))
    return len(found.problems)


class Notes:
    """What pictures have to say, one line for each kind, at the end."""

    def __init__(self) -> None:
        self._sources: dict[str, list[str]] = {}

    def add(self, source: object, lines: Iterable[str]) -> None:
        """Take lines of one picture."""
        for line in lines:
            self._sources.setdefault(line, []).append(str(source))

    def show(self) -> None:
        """Say them."""
        from isthmus.sources.folders import examples

        for line, sources in self._sources.items():
            if len(sources) == 1:
                note(f"{sources[0]}: {line}")
            else:
                note(f"{len(sources)} pictures: {line}: {examples(sources)}")


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


def in_short(number: float) -> str:
    """A positive number as people say it.

    Example:
        >>> in_short(69123.4), in_short(0.2345)
        ('69,123', '0.23')
    """
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


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
            return Text("" if speed is None else f"{in_short(speed)}/s")

    columns = (
        progress.TextColumn("{task.description}"), progress.BarColumn(), progress.MofNCompleteColumn(), Speed(),
        progress.TimeRemainingColumn(),
    )  # fmt: skip
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
