"""Trains the denoiser for a number of minutes; a run can be stopped at any moment and resumed.

The learning rate is a function of the share of the budget that is used: constant, then down to nearly nothing. Time in
which the process was stopped does not count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from isthmus.codec.photo_denoiser import LEVEL_UNIT
from isthmus.imaging.camera import CameraSettings, photograph, through_jpeg
from isthmus.learn.data.crops import to_pixels
from isthmus.learn.denoiser.degradations import draw_batch
from isthmus.learn.denoiser.networks import log_level
from isthmus.learn.denoiser.settings import rate_factor
from isthmus.learn.denoiser.state import RunState
from isthmus.learn.loop.denormals import flushed_denormals
from isthmus.learn.loop.timed import follow, train_for_minutes

LONGEST_STEP = 10.0
"""Seconds of a step that count against the budget; beyond it the process was stopped."""
HELD_COLUMNS = (
    "held_psnr_15", "held_psnr_25", "held_psnr_50", "held_camera_gain", "held_jpeg_gain", "held_level_error",
)  # fmt: skip
LOG_HEADER = ",".join(
    ("time", "step", "seconds_per_step", "learning_rate", "loss", "level_loss", "skipped", *HELD_COLUMNS)
)
NOT_HELD = "," * (len(HELD_COLUMNS) - 1)
TOLD_SPREAD, TOLD_OFFSET = 0.08, 0.5 / 255
"""The level that the network is told while it trains is off by so much, as an estimate is: standard deviations of its
logarithm, and of what is added."""
ERROR_POWER = 0.7
"""What is left of noise grows about as this power of its level: the loss is over it, so that all levels count alike."""
LEVEL_WEIGHT = 0.05
TONE_SIDE, TONE_WEIGHT = 16, 8.0
"""The squared error of squares' mean colours counts so many times on top: where nothing is but noise, a tone that is
off is what one sees."""
LONGEST_GRADIENT = 1.0
HELD_SIDE, HELD_EVERY = 192, 5


def train(state: RunState, *, save_seconds: float = 120, log_steps: int = 50, validate_seconds: float = 400) -> None:
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
    with flushed_denormals():
        train_for_minutes(
            state, _Trainer(state), save_seconds=save_seconds, log_steps=log_steps, validate_seconds=validate_seconds,
            longest_step=LONGEST_STEP,
        )  # fmt: skip


class _Trainer:
    """See `loop.timed.Trainer`; the numbers of a step are the losses of its pictures and of its levels."""

    log_header, not_held = LOG_HEADER, NOT_HELD

    def __init__(self, state: RunState) -> None:
        self._state, self._factor = state, 0.0

    def train_step(self, share: float) -> tuple[float, float]:
        self._factor = rate_factor(share, self._state.step, self._state.training)
        return train_step(self._state, self._factor)

    def columns(self, share: float) -> str:
        del share
        return f"{self._factor:.4f}"

    def means(self, first: float, second: float) -> str:
        return f"{first:.5f},{second:.5f}"

    def held(self, share: float) -> str:
        del share
        return validate(self._state).as_columns()


def train_step(state: RunState, factor: float) -> tuple[float, float]:
    """One batch. A step that is not finite is counted and left out.

    Args:
        state: of the run; it changes.
        factor: of all learning rates.

    Returns:
        (loss of the pictures, loss of the levels); NaN where the step was left out.

    Raises:
        TrainingError: too many in a row were left out.
    """
    training = state.training
    batch = draw_batch(state.crops, training, state.random)
    clean, noisy = (_pixels(values, state.device) for values in (batch.clean, batch.noisy))
    level = torch.from_numpy(batch.level).to(state.device)[:, None, None, None]
    for optimiser in (state.muon, state.adam):
        optimiser.zero_grad(set_to_none=True)
    level_loss = (state.model.log_estimate(noisy) - log_level(level)).abs().mean()
    loss = torch.zeros(()) if training.level_only else _picture_loss(state, clean, noisy, level)
    (loss + LEVEL_WEIGHT * level_loss).backward()
    norm = torch.nn.utils.clip_grad_norm_(state.model.parameters(), LONGEST_GRADIENT)
    if not math.isfinite(float(norm)):
        state.leave_out()
        return math.nan, math.nan
    state.skipped_in_a_row = 0
    state.muon.param_groups[0]["lr"] = training.muon_rate * factor
    state.adam.param_groups[0]["lr"] = training.adam_rate * factor
    state.muon.step()
    state.adam.step()
    state.step += 1
    follow(state.average, state.model, keep=training.average, step=state.step)
    return float(loss.detach()), float(level_loss.detach())


def _picture_loss(state: RunState, clean: Tensor, noisy: Tensor, level: Tensor) -> Tensor:
    """What is left of the noise, and of squares' mean colours, of the mean window, over what is usual for its level."""
    told = level * torch.exp(TOLD_SPREAD * torch.randn_like(level)) + TOLD_OFFSET * torch.randn_like(level).abs()
    with torch.autocast(state.device.type, torch.bfloat16, enabled=state.is_mixed):
        noise = state.model.noise(noisy, told)
    left = noisy - told * noise.float() - clean
    error = left.square().mean((1, 2, 3), keepdim=True)
    error = error + TONE_WEIGHT * functional.avg_pool2d(left, TONE_SIDE).square().mean((1, 2, 3), keepdim=True)
    return ((error + 1e-8).sqrt() / (level + LEVEL_UNIT) ** ERROR_POWER).mean()


@dataclass(frozen=True)
class Validation:
    """Means over middles of held-aside pictures, of the averaged weights.

    Attributes:
        psnr: in dB, of Gaussian noise of 15, 25 and 50 grey levels, told.
        camera_gain: dB more than the noisy picture has, ISO 3200, level estimated.
        jpeg_gain: the same of JPEG files of quality 30.
        level_error: of the estimates of all these, the mean of the relative errors.
    """

    psnr: tuple[float, ...]
    camera_gain: float
    jpeg_gain: float
    level_error: float

    def as_metrics(self) -> dict[str, float]:
        """By the names of the log's columns."""
        values = (*self.psnr, self.camera_gain, self.jpeg_gain, self.level_error)
        return dict(zip(HELD_COLUMNS, values, strict=True))

    def as_columns(self) -> str:
        """For the log."""
        return ",".join(f"{value:.4f}" for value in self.as_metrics().values())


@torch.no_grad()
def validate(state: RunState) -> Validation:
    """Run the averaged weights on middles of held-aside pictures."""
    shown = state.crops.held_aside_centres()[::HELD_EVERY, :HELD_SIDE, :HELD_SIDE]
    clean, random, average = to_pixels(shown, state.device), np.random.default_rng(7), state.average
    scores, errors = [], []
    for sigma in (15, 25, 50):
        noise = torch.from_numpy(random.standard_normal(clean.shape, np.float32)).to(state.device)
        noisy, level = clean + sigma / 255 * noise, torch.full((1, 1, 1, 1), sigma / 255, device=state.device)
        scores.append(_psnr(average.denoise(noisy, level), clean))
        errors.append((average.log_estimate(noisy) - log_level(level)).abs())
    gains = []
    for taken in (
        np.stack([photograph(picture, CameraSettings(3200), random) for picture in shown]),
        np.stack([through_jpeg(picture, 30) for picture in shown]),
    ):
        noisy = to_pixels(taken, state.device)
        estimate = average.estimate(noisy)
        gains.append(_psnr(average.denoise(noisy, estimate), clean) - _psnr(noisy, clean))
        level = (noisy - clean).square().mean((1, 2, 3), keepdim=True).sqrt()
        errors.append((log_level(estimate) - log_level(level)).abs())
    return Validation(tuple(scores), gains[0], gains[1], float(torch.cat([one.reshape(-1) for one in errors]).mean()))


def _psnr(pixels: Tensor, clean: Tensor) -> float:
    return float(-10 * torch.log10((pixels - clean).square().mean((1, 2, 3))).mean())


def _pixels(values: np.ndarray, device: torch.device) -> Tensor:
    """(batch, rows, columns, 3), white at 1 -> (batch, 3, rows, columns) in -0.5..0.5, channels last in memory."""
    return torch.from_numpy(values).to(device).permute(0, 3, 1, 2).sub(0.5)
