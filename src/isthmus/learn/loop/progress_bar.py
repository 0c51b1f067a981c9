"""The progress bar of a run: on stderr, and only where that is a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class ProgressBar:
    """Epochs done, the loss and the time left."""

    def __init__(self, epochs: int, *, done: int, is_shown: bool = True) -> None:
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not (is_shown and sys.stderr.isatty()),
        )
        self._task = self._progress.add_task("", total=epochs, completed=done, loss="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def epochs_done(self, epochs: float, *, loss: float) -> None:
        """Move the bar; parts of an epoch count."""
        self._progress.update(self._task, completed=epochs, loss=f"loss {loss:.5f}")
