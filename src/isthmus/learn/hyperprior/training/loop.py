"""Trains a hyperprior codec for a number of minutes; every run can be stopped at any moment and resumed.

The schedule is a function of the time used of the budget: constant, then down to nearly nothing, the entropy networks
in integers and latents rounded as the encoder does for the larger part. Time in which the process was stopped does not
count.
"""

from __future__ import annotations

import math
from copy import deepcopy

from isthmus.errors import TrainingError
from isthmus.learn.hyperprior.export.export import export_codec
from isthmus.learn.hyperprior.training.file_rate import file_rate
from isthmus.learn.hyperprior.training.settings import rate_factor
from isthmus.learn.hyperprior.training.state import RunState
from isthmus.learn.hyperprior.training.step import TRIED_QUALITIES, train_step, validate
from isthmus.learn.loop.timed import train_for_minutes

LONGEST_STEP = 5.0
"""Seconds of a step that count against the budget; beyond it the process was stopped."""
LOG_HEADER = (
    "time,step,seconds_per_step,learning_rate,quantised,loss,bits_per_pixel,skipped,"
    "held_loss,held_bpp,held_psnr,dead_units,held_file_bpp,held_score"
)
NOT_HELD = ",,,,,"


def train(state: RunState, *, save_seconds: float = 120, log_steps: int = 100, validate_seconds: float = 400) -> None:
    """Until the budget is used up: see `train_for_minutes`.

    Args:
        state: of the run; it changes, and its folder gets checkpoints and the log.
        save_seconds: between two checkpoints.
        log_steps: steps of a line of the log.
        validate_seconds: between two validations.

    Raises:
        KeyboardInterrupt: as the user, or the system, wishes; the last step is in the checkpoint.
        TrainingError: steps are not finite any more.
    """
    train_for_minutes(
        state, _Trainer(state), save_seconds=save_seconds, log_steps=log_steps, validate_seconds=validate_seconds,
        longest_step=LONGEST_STEP, validates_first=True,
    )  # fmt: skip


class _Trainer:
    """See `loop.timed.Trainer`; the numbers of a step are its loss and its bits per pixel."""

    log_header, not_held = LOG_HEADER, NOT_HELD

    def __init__(self, state: RunState) -> None:
        self._state, self._factor = state, 0.0

    def train_step(self, share: float) -> tuple[float, float]:
        self._factor = rate_factor(share, self._state.step, self._state.training)
        return train_step(self._state, self._factor, quantise=self._quantises(share))

    def columns(self, share: float) -> str:
        return f"{self._factor:.4f},{int(self._quantises(share))}"

    def means(self, first: float, second: float) -> str:
        return f"{first:.5f},{second:.4f}"

    def held(self, share: float) -> str:
        return _held(self._state, quantise=self._quantises(share))

    def _quantises(self, share: float) -> bool:
        return share > self._state.training.quantise_from


def _held(state: RunState, *, quantise: bool) -> str:
    """The log's columns of held-aside pictures."""
    held = validate(state, quantise=quantise)
    files = rate_in_files(state) if quantise else math.nan
    return f"{held.loss:.5f},{held.rate:.5f},{held.psnr:.5f},{state.count_dead()},{files:.5f},{held.score:.4f}"


def rate_in_files(state: RunState) -> float:
    """Bits per pixel in real files of the averaged weights as they are, for what `validate` estimates.

    NaN while they cannot be exported. Ranges, and what symbols cost, may have been calibrated long before.
    """
    try:
        file = export_codec(deepcopy(state.average).cpu(), calibration=state.calibration)
    except TrainingError:
        return math.nan
    return file_rate(file, state.held_aside(), TRIED_QUALITIES)
