"""A bar on stderr for the share of a run's budget that is used, where that is a terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """What is done, the bar, and what else there is to tell.

    Args:
        doing: at first.
        seconds: between two moves, at least.
        is_shown: whether anything is written.

    Attributes:
        has_lines: whether lines are to be written in place of it.
    """

    def __init__(self, doing: str, *, seconds: float, is_shown: bool) -> None:
        is_terminal = is_shown and sys.stderr.isatty()
        self.has_lines = is_shown and not is_terminal
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[used]}"),
            TextColumn("{task.fields[told]}"), TimeRemainingColumn(),
            console=Console(stderr=True), disable=not is_terminal,
        )  # fmt: skip
        self._task = self._progress.add_task(doing, total=1.0, used="", told="")
        self._seconds, self._moved = seconds, 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def is_due(self) -> bool:
        """Whether it is time to move again; the time counts from here on if so."""
        now = time.monotonic()
        if now - self._moved < self._seconds:
            return False
        self._moved = now
        return True

    def say(self, *, doing: str | None = None, told: str | None = None) -> None:
        """Say what is done from now on, or what else there is to tell."""
        fields: dict[str, Any] = {} if told is None else {"told": told}
        self._progress.update(self._task, description=doing, **fields)

    def draw(self, share: float, used: str) -> None:
        """Move to a share of the budget, 0 to 1, which is `used` in words."""
        self._progress.update(self._task, completed=share, used=used)

    def line(self, text: str) -> None:
        """Write a line, where there are lines."""
        if self.has_lines:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
