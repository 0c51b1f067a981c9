"""How a run goes, on stderr: a bar where that is a terminal, else a line now and then."""

from __future__ import annotations

import math
import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES, SECONDS_BETWEEN_MOVES = 30.0, 0.5


class OwnBar:
    """The share of the budget that is used, what is done, and how many bytes WebP's pictures would take less.

    Args:
        is_shown: whether anything is written.
    """

    def __init__(self, *, is_shown: bool = True) -> None:
        self._is_terminal = is_shown and sys.stderr.isatty()
        self._has_lines = is_shown and not self._is_terminal
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[told]}"), TimeRemainingColumn(),
            console=Console(stderr=True), disable=not self._is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task("", total=1.0, told="")
        self._moved = self._written = 0.0
        self._told = ""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def stage(self, doing: str, share: float) -> None:
        """Say what is done from now on."""
        self._bar.update(self._task, description=doing, completed=share)
        self._line(f"{100 * share:3.0f} %  {doing}", is_due=True)

    def tell(self, ratio: float) -> None:
        """The measure on held-aside pictures: bytes for each byte of WebP at equal SSIMULACRA2."""
        if math.isfinite(ratio):
            self._told = f"{ratio:.3f} of WebP's bytes"
            self._bar.update(self._task, told=self._told)

    def move(self, share: float, left: float) -> None:
        """Move on, now and then.

        Args:
            share: of the budget that is used, 0 to 1.
            left: seconds of it.
        """
        now = time.monotonic()
        if now - self._moved >= SECONDS_BETWEEN_MOVES:
            self._moved = now
            self._bar.update(self._task, completed=share)
            told = f", {self._told}" if self._told else ""
            self._line(f"{100 * share:3.0f} %  {left / 60:.1f} min left{told}", is_due=False)

    def _line(self, text: str, *, is_due: bool) -> None:
        now = time.monotonic()
        if self._has_lines and (is_due or now - self._written >= SECONDS_BETWEEN_LINES):
            self._written = now
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
