"""One step of a run: a batch, each window at a quality of its own, its loss, and what the optimisers make of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isthmus.learn.data.crops import to_pixels
from isthmus.learn.hyperprior.networks.codec import CodecOutput
from isthmus.learn.hyperprior.networks.quality import position_of
from isthmus.learn.hyperprior.training.loss import losses, squared_error
from isthmus.learn.hyperprior.training.ssimulacra2 import ssimulacra2
from isthmus.learn.hyperprior.training.state import RunState
from isthmus.learn.loop.timed import follow

TRIED_QUALITIES = (10, 30, 50, 70, 90)
WINDOWS_AT_ONCE = 9
FIRST_STEPS = 20
"""Gradients are clipped against their running mean from this step on."""
LARGEST_JUMP = 10
"""A longer gradient counts in the running mean as if it were this many times as long as the mean."""


def train_step(state: RunState, factor: float, *, quantise: bool) -> tuple[float, float]:
    """One batch. A step that is not finite is counted and left out.

    Args:
        state: of the run; it changes.
        factor: of all learning rates.
        quantise: run the entropy networks in fake-quantised integers.

    Returns:
        (loss, bits per pixel); NaN where the step was left out.

    Raises:
        TrainingError: too many in a row were left out.
    """
    training = state.training
    shares = {
        "jitter_share": training.vivid,
        "graphic_share": training.drawn,
        "flat_share": training.flat,
        "grey_share": training.grey,
    }
    pixels = to_pixels(state.crops.draw(training.batch, training.side, state.random, **shares), state.device)
    # one quality in each part of the range, so that every batch sees them all
    position = ((torch.arange(training.batch) + torch.rand(training.batch)) / training.batch).to(state.device)
    for optimiser in (state.muon, state.adam):
        optimiser.zero_grad(set_to_none=True)
    state.model.train()
    output = state.forward(pixels, position, **state.quantisation(quantise=quantise))
    bits = bits_per_pixel(output, pixels)
    samples = state.losses(training.tune, pixels, output.reconstruction, bits, position)
    # a picture far from all others must not turn units off for the rest
    loss = (samples * (training.most / samples.detach()).clamp_max(1)).mean()
    loss.backward()
    if not (_clip_gradients(state) and math.isfinite(float(loss.detach()))):
        state.leave_out()
        return math.nan, math.nan
    state.skipped_in_a_row = 0
    state.muon.param_groups[0]["lr"] = training.muon_rate * factor
    for group in state.adam.param_groups:
        group["lr"] = group["base"] * factor
    state.muon.step()
    state.adam.step()
    state.step += 1
    follow(state.average, state.model, keep=training.average, step=state.step)
    return float(loss.detach()), float(bits.detach().mean())


def bits_per_pixel(output: CodecOutput, pixels: Tensor) -> Tensor:
    """(batch,) estimated bits of the batch (batch, 3, rows, columns)."""
    return (output.latent_bits + output.hyper_bits) / (pixels.shape[-1] * pixels.shape[-2])


def _clip_gradients(state: RunState) -> bool:
    """Shorten gradients that are far longer than their running mean; whether they are finite.

    A run that begins with weights has steps already, but has seen no gradient: then the first one is the mean.
    """
    has_mean = state.mean_norm > 0 and state.step > FIRST_STEPS
    longest = state.mean_norm * state.training.clip if has_mean else math.inf if state.step > FIRST_STEPS else 1.0
    norm = float(torch.nn.utils.clip_grad_norm_(state.model.parameters(), longest))
    if not math.isfinite(norm):
        return False
    if state.mean_norm == 0:
        state.mean_norm = norm
    else:
        seen = min(norm, LARGEST_JUMP * state.mean_norm) if has_mean else norm
        state.mean_norm += (seen - state.mean_norm) / min(state.step + 1, 100)
    return True


@dataclass(frozen=True)
class Validation:
    """Means over held-aside windows and five qualities, of the averaged weights.

    Attributes:
        loss: of the run's tune.
        rate: estimated bits per pixel.
        psnr: in dB.
        score: SSIMULACRA2.
    """

    loss: float
    rate: float
    psnr: float
    score: float


@torch.no_grad()
def validate(state: RunState, *, quantise: bool) -> Validation:
    """Run the averaged weights on held-aside windows."""
    pixels = to_pixels(state.held_aside(), state.device)
    seen: list[Tensor] = []
    for place in position_of(np.array(TRIED_QUALITIES)).tolist():
        for part in torch.split(pixels, WINDOWS_AT_ONCE):
            position = torch.full((len(part),), place, device=state.device)
            output = state.average(part, position, **state.quantisation(quantise=quantise))
            bits, shown = bits_per_pixel(output, part), output.reconstruction.clamp(-0.5, 0.5)
            loss = losses(state.training.tune, part, shown, bits, position)
            psnr = -10 * torch.log10(squared_error(shown, part))
            seen.append(torch.stack([loss, bits, psnr, ssimulacra2(part + 0.5, shown + 0.5).score]))
    return Validation(*torch.cat(seen, 1).mean(1).tolist())
