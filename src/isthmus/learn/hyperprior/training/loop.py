"""Trains a hyperprior codec for a number of minutes; every run can be stopped at any moment and resumed.

The schedule is a function of the time used of the budget: constant, then down to nearly nothing, the entropy networks
in integers and latents rounded as the encoder does for the larger part. Time in which the process was stopped does not
count.
"""

from __future__ import annotations

import math
import time
from copy import deepcopy

import numpy as np

from isthmus.errors import TrainingError
from isthmus.learn.hyperprior.export.export import export_codec
from isthmus.learn.hyperprior.training.file_rate import file_rate
from isthmus.learn.hyperprior.training.settings import rate_factor
from isthmus.learn.hyperprior.training.state import RunState
from isthmus.learn.hyperprior.training.step import TRIED_QUALITIES, train_step, validate
from isthmus.learn.loop.run_folder import LOG
from isthmus.learn.loop.stopping import only_asking

LONGEST_STEP = 5.0
"""Seconds of a step that count against the budget; beyond it the process was stopped."""
LOG_HEADER = (
    "time,step,seconds_per_step,learning_rate,quantised,loss,bits_per_pixel,skipped,"
    "held_loss,held_bpp,held_psnr,dead_units,held_file_bpp,held_score"
)
NOT_HELD = ",,,,,"


def train(state: RunState, *, save_seconds: float = 120, log_steps: int = 100, validate_seconds: float = 400) -> None:
    """Until the budget is used up.

    Args:
        state: of the run; it changes, and its folder gets checkpoints and the log.
        save_seconds: between two checkpoints.
        log_steps: steps of a line of the log.
        validate_seconds: between two validations.

    Raises:
        KeyboardInterrupt: as the user, or the system, wishes; the last step is in the checkpoint.
        TrainingError: steps are not finite any more.
    """
    log_path = state.folder / LOG
    if not log_path.exists():
        log_path.write_text(LOG_HEADER + "\n")
    saved = validated = mark = last = time.time()
    losses: list[tuple[float, float]] = []
    asked: list[bool] = []
    with only_asking(lambda: asked.append(True)):
        while state.used < state.budget and not asked:
            share = state.used / state.budget
            quantise = share > state.training.quantise_from
            factor = rate_factor(share, state.step, state.training)
            losses.append(train_step(state, factor, quantise=quantise))
            now = time.time()
            state.used, last = state.used + min(now - last, LONGEST_STEP), now
            if len(losses) >= log_steps:
                pace, held = (time.time() - mark) / len(losses), NOT_HELD
                if time.time() - validated > validate_seconds or state.step <= log_steps:
                    held = _held(state, quantise=quantise)
                    validated = time.time()
                loss, rate = np.nanmean(losses, 0).tolist()
                with log_path.open("a") as log:
                    log.write(
                        f"{time.strftime('%H:%M:%S')},{state.step},{pace:.4f},{factor:.4f},{int(quantise)},"
                        f"{loss:.5f},{rate:.4f},{state.skipped},{held}\n"
                    )
                losses, mark = [], time.time()
            if time.time() - saved > save_seconds:
                state.save()
                saved = time.time()
        state.save()
    if asked:
        raise KeyboardInterrupt


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
