"""How a run goes, on stderr: a bar where that is a terminal; else a line an epoch, where the command wants lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from isthmus.learn.loop.bar import Bar
from isthmus.learn.loop.checkpoint import EpochResult
from isthmus.learn.loop.schedule import MANY_EPOCHS, Budget
from isthmus.metrics.distortion import psnr_of_mse

_SECONDS_BETWEEN_MOVES = 0.2


class ProgressBar(Bar):
    """How much of the budget is used, in what it is counted in; the losses and the time left.

    Args:
        budget: of the run.
        history: a result for each epoch that was done before.
        is_shown: whether this process may write at all.
        has_lines: write a line an epoch where stderr is no terminal.
    """

    def __init__(
        self, budget: Budget, history: list[EpochResult], *, is_shown: bool = True, has_lines: bool = False
    ) -> None:
        super().__init__("training", seconds=_SECONDS_BETWEEN_MOVES, is_shown=is_shown)
        self.has_lines = self.has_lines and has_lines
        self._budget, self._history = budget, history

    def move(self, share: float, *, epochs: float, steps: int, seconds: float) -> None:
        """Move the bar, now and then.

        Args:
            share: of the budget that is used, 0 to 1.
            epochs: done, parts of one counted.
            steps: done.
            seconds: of training.
        """
        if self.is_due():
            self.draw(share, progress_text(self._budget, epochs=epochs, steps=steps, seconds=seconds))

    def show_loss(self, loss: float) -> None:
        """The mean loss of the epoch so far, and the test loss of the last one."""
        test = f", test {self._history[-1].test_loss:.5f}" if self._history else ""
        self.say(told=f"loss {loss:.5f}{test}")

    def epoch_done(self, result: EpochResult, *, share: float, steps: int) -> None:
        """Both losses of an epoch, which is the last of the history; its line, where lines are wanted."""
        self.show_loss(result.train_loss)
        self.draw(share, progress_text(self._budget, epochs=result.epoch, steps=steps, seconds=result.seconds))
        epochs = "" if self._budget.epochs >= MANY_EPOCHS else f" of {self._budget.epochs}"
        self.line(
            f"epoch {result.epoch}{epochs}: loss {result.train_loss:.5f}, test {result.test_loss:.5f} "
            f"({psnr_of_mse(result.test_mse, peak=1.0):.2f} dB), {result.seconds:.1f} s"
        )


def progress_text(budget: Budget, *, epochs: float, steps: int, seconds: float) -> str:
    """What is done in the unit of the limit that ends the run: minutes, steps or epochs."""
    if budget.minutes is not None:
        return f"{seconds / 60:.1f} of {budget.minutes:g} min, {int(epochs)} epochs"
    if budget.steps is not None:
        return f"{steps} of {budget.steps} steps"
    return f"{int(epochs)} of {budget.epochs} epochs"


@contextmanager
def stage(doing: str, *, has_lines: bool = False) -> Iterator[None]:
    """Say what is done while it is done: on a terminal with a moving sign; else in a line, where lines are wanted."""
    if not sys.stderr.isatty():
        if has_lines:
            sys.stderr.write(f"{doing}\n")
            sys.stderr.flush()
        yield
        return
    with Console(stderr=True).status(doing):
        yield
