"""Runs that are trained for a number of minutes; each can be stopped at any moment and resumed.

What is trained is a function of the share of the minutes that is used. Time in which the process was stopped does not
count.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import nn

from isthmus.errors import TrainingError
from isthmus.learn.loop.run_folder import LOG
from isthmus.learn.loop.stopping import only_asking

MOST_SKIPPED = 50
"""Steps that are not finite, one after another: a run with more has come to nothing."""
FINAL_SHARE = 0.02
"""Of the learning rates, at the end."""


class TimedRun(ABC):
    """What all runs of this kind keep beside their networks.

    Attributes:
        folder: of the run.
        step: steps done.
        skipped: steps left out because they were not finite; `skipped_in_a_row`, since the last that was.
        used: seconds of the budget that were used.
        budget: seconds of the whole run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.step, self.skipped, self.skipped_in_a_row = 0, 0, 0
        self.used, self.budget = 0.0, 0.0

    @abstractmethod
    def save(self) -> None:
        """Write the checkpoint.

        Raises:
            OutputError: the folder cannot be written.
        """

    def leave_out(self) -> None:
        """Count a step that was not finite: no weight has moved.

        Raises:
            TrainingError: so many followed one another that none will be finite again.
        """
        self.skipped, self.skipped_in_a_row = self.skipped + 1, self.skipped_in_a_row + 1
        if self.skipped_in_a_row >= MOST_SKIPPED:
            raise TrainingError(
                f"{MOST_SKIPPED} steps behind step {self.step} were not finite, in their loss or their gradients: "
                f"begin again, or go on from the last checkpoint, with lower rates (--set muon_rate, adam_rate)"
            )


@dataclass(frozen=True)
class TimedResult:
    """What a run came to, in the form of `train --json`.

    Attributes:
        recipe: its name.
        model: path of the model file.
        model_id: its id, hexadecimal.
        parameters: numbers that were learnt.
        train_seconds: of the budget that were used.
        steps: done in all.
        metrics: on held-aside pictures, by the names of the log's columns.
    """

    recipe: str
    model: str
    model_id: str
    parameters: int
    train_seconds: float
    steps: int
    metrics: dict[str, float]


class Trainer(Protocol):
    """How a run is trained, and what its log says; a share is of the budget that is used, 0..1."""

    log_header: str
    not_held: str
    """Columns of the log in lines without held-aside pictures."""

    def train_step(self, share: float) -> tuple[float, float]:
        """One batch: two numbers of which the log has the means, NaN where the step was left out."""
        ...

    def columns(self, share: float) -> str:
        """What the log says of the step with this share, behind its time."""
        ...

    def means(self, first: float, second: float) -> str:
        """The means of the numbers of `train_step`, for the log."""
        ...

    def held(self, share: float) -> str:
        """What the log says of held-aside pictures."""
        ...


def train_for_minutes(
    run: TimedRun,
    trainer: Trainer,
    *,
    save_seconds: float,
    log_steps: int,
    validate_seconds: float,
    longest_step: float,
    validates_first: bool = False,
) -> None:
    """Until the budget is used up.

    Args:
        run: it changes, and its folder gets checkpoints and the log.
        trainer: what a step is.
        save_seconds: between two checkpoints.
        log_steps: steps of a line of the log.
        validate_seconds: between two looks at held-aside pictures.
        longest_step: seconds of a step that count against the budget; beyond it the process was stopped.
        validates_first: whether a new run's first line has held-aside pictures too.

    Raises:
        KeyboardInterrupt: as the user, or the system, wishes; the last step is in the checkpoint.
        TrainingError: steps are not finite any more.
    """
    log_path = run.folder / LOG
    if not log_path.exists():
        log_path.write_text(trainer.log_header + "\n")
    saved = validated = mark = last = time.time()
    losses: list[tuple[float, float]] = []
    asked: list[bool] = []
    with only_asking(lambda: asked.append(True)):
        while run.used < run.budget and not asked:
            share = run.used / run.budget
            losses.append(trainer.train_step(share))
            now = time.time()
            run.used, last = run.used + min(now - last, longest_step), now
            if len(losses) >= log_steps:
                pace, held = (time.time() - mark) / len(losses), trainer.not_held
                if time.time() - validated > validate_seconds or (validates_first and run.step <= log_steps):
                    held, validated = trainer.held(share), time.time()
                means = trainer.means(*np.nanmean(losses, 0).tolist())
                with log_path.open("a") as log:
                    log.write(
                        f"{time.strftime('%H:%M:%S')},{run.step},{pace:.4f},{trainer.columns(share)},"
                        f"{means},{run.skipped},{held}\n"
                    )
                losses, mark = [], time.time()
            if time.time() - saved > save_seconds:
                run.save()
                saved = time.time()
        run.save()
    if asked:
        raise KeyboardInterrupt


def warm_and_down(share: float, step: int, *, warm_up_steps: int, decay_from: float) -> float:
    """Factor of all learning rates: it rises for some steps, stays, and falls in a line from a share of the budget on.

    Args:
        share: of the budget that is used, 0..1.
        step: from 0.
        warm_up_steps: in which it rises.
        decay_from: share of the budget.
    """
    warm = min(1.0, (step + 1) / max(warm_up_steps, 1))
    if share < decay_from:
        return warm
    left = max(0.0, (1 - share) / (1 - decay_from))
    return warm * (FINAL_SHARE + (1 - FINAL_SHARE) * left)


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, *, keep: float, step: int) -> None:
    """Move a running average of weights towards them.

    Args:
        average: it changes.
        model: with the same parameters.
        keep: of the average, per step; less in the first steps.
        step: steps done, from 1.
    """
    keep = min(keep, (step + 1) / (step + 10))
    averages = [parameter.detach() for parameter in average.parameters()]
    currents = [parameter.detach() for parameter in model.parameters()]
    torch._foreach_lerp_(averages, currents, 1 - keep)
