"""From floats to bytes: quantisation steps and integer tables, fitted on the codes of training pictures.

The step of a channel follows its weight in the picture: a channel whose noise the synthesis amplifies gets a finer
step, so that each channel's quantisation costs about the same squared error per bit (reverse water-filling). One
factor on all steps then sets the quality.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.factorised_prior import FactorisedPrior
from isthmus.entropy.tables import fit_rounded_table
from isthmus.learn.recipes.settings import CodingSettings
from isthmus.values import QUALITIES

Synthesise = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Latents (count, channels, rows, columns) to pictures (count, channels, rows, columns) around [0, 1]."""

MAX_CODES = 20_000  # training pictures that steps and tables are fitted on
_SENSITIVITY_PICTURES = 256
_SEARCH_PICTURES = 2_000
_SEARCH_VALUES = 1 << 22  # of those pictures at most: the error that steps add is known to a thousandth from fewer
_SENSITIVITY_VALUES = 1 << 26  # that the synthesis makes at most to find what each channel does
_PROBE = 0.1  # of a channel's standard deviation
_WIDEST, _NARROWEST = 1e3, 1e-6  # steps that are searched, of the picture's range: from no information to no loss
_STEP_PRECISION = 1e-3  # of the searched factor on all steps: a seven-hundredth of a bit for each symbol


def fit_steps(
    pictures: NDArray[np.float32], latents: NDArray[np.float32], synthesise: Synthesise, settings: CodingSettings
) -> NDArray[np.float32]:
    """Quantisation steps (100, channels) such that coding adds the recipe's share of error at its default quality.

    Args:
        pictures: (count, channels, rows, columns) float32 in [0, 1], what the latents were made of.
        latents: (count, channels, rows, columns) float32.
        synthesise: runs the exported graph.
        settings: the default quality, what it may cost, and how fast the steps fall.
    """
    values = math.prod(pictures.shape[1:])
    probes = min(_SENSITIVITY_PICTURES, max(16, _SENSITIVITY_VALUES // (values * latents.shape[1])))
    weights = 1 / np.sqrt(_sensitivities(latents[:probes], synthesise))
    searched = min(_SEARCH_PICTURES, max(16, _SEARCH_VALUES // values))
    originals, codes = pictures[:searched], latents[:searched]
    least = _error(originals, codes, synthesise)
    target = least * settings.default_excess

    def excess(factor: float) -> float:
        """What coding at a factor on all steps adds to the error, as octaves of what it may."""
        steps = (factor * weights)[:, None, None].astype(np.float32)
        coded = (np.rint(codes / steps) * steps).astype(np.float32)
        return math.log2(max(_error(originals, coded, synthesise) - least, 1e-6 * target) / target)

    # rounding to a step adds a twelfth of its square for each latent, where nothing is lost to clipping
    guess = math.sqrt(12 * max(target, 1e-12) * values / math.prod(latents.shape[1:]))
    factor = _largest_within(excess, guess) if target > 0 else _NARROWEST
    octaves = _octaves(settings)[:, None]
    steps_by_quality: NDArray[np.float32] = (factor * 2.0**octaves * weights).astype(np.float32)
    return steps_by_quality


def _largest_within(excess: Callable[[float], float], guess: float) -> float:
    """About the largest factor whose excess is not above zero.

    Args:
        excess: rises with the factor, by two for each octave of it where rounding is all that happens.
        guess: where it may be.
    """
    low, high = math.log2(_NARROWEST), math.log2(_WIDEST)
    place, slope, probes = min(max(math.log2(guess), low), high), 2.0, 0
    before = (place, math.nan)
    while high - low > _STEP_PRECISION:
        value, probes = excess(2.0**place), probes + 1
        low, high = (place, high) if value <= 0 else (low, place)
        measured = (value - before[1]) / (place - before[0] or math.nan)
        slope = min(max(measured, 0.3), 6.0) if math.isfinite(measured) else slope
        before = (place, value)
        # a little beyond where the slope leads, so that the other end comes near as well
        aim = place - value / slope + (_STEP_PRECISION / 2 if value <= 0 else -_STEP_PRECISION / 2)
        is_aimed = low < aim < high and probes % 6  # and halved now and then, whatever the slope is
        place = aim if is_aimed else (low + high) / 2
    return float(2.0**low)


def whole_steps(channels: int, settings: CodingSettings) -> NDArray[np.float32]:
    """Quantisation steps (100, channels) that are 1 at the default quality: for codes that learnt their own scale."""
    return np.repeat(2.0 ** _octaves(settings)[:, None], channels, axis=1).astype(np.float32)


def _octaves(settings: CodingSettings) -> NDArray[np.float64]:
    """(100,) how many times the step of each quality is double the default's; falling.

    In whole quarters, above the default in halves: the squared error that a step adds has a part that is chance, some
    0.05 % of the whole on 1,000 digits; between closer steps PSNR would now and then fall where quality rises.
    """
    octaves = (settings.default_quality - np.arange(1, QUALITIES + 1)) / settings.qualities_per_octave
    return np.where(octaves > 0, np.ceil(4 * octaves) / 4, np.ceil(2 * octaves) / 2)


def fit_prior(latents: NDArray[np.float32], steps: NDArray[np.float32]) -> FactorisedPrior:
    """One integer table per quality and channel for latents (count, channels, rows, columns)."""
    channels = np.sort(np.moveaxis(latents, 1, 0).reshape(latents.shape[1], -1), axis=1)
    rows, row_of_quality = np.unique(steps, axis=0, return_inverse=True)  # neighbours have the same steps
    tables = [
        [fit_rounded_table(values, step=step) for values, step in zip(channels, row.tolist(), strict=True)]
        for row in rows
    ]
    return FactorisedPrior.from_tables([tables[row] for row in row_of_quality.ravel().tolist()])


def _sensitivities(latents: NDArray[np.float32], synthesise: Synthesise) -> NDArray[np.float64]:
    """(channels,) squared change of the picture per squared change of a channel, summed over the picture."""
    random = np.random.default_rng(0)
    base = synthesise(latents)
    sensitivities = np.empty(latents.shape[1])
    for channel in range(latents.shape[1]):
        spread = float(latents[:, channel].std()) or float(latents.std()) or 1.0
        noise = random.choice([-_PROBE * spread, _PROBE * spread], latents[:, channel].shape).astype(np.float32)
        moved = latents.copy()
        moved[:, channel] += noise
        change = (synthesise(moved) - base).astype(np.float64)
        sensitivities[channel] = np.sum(change**2) / np.sum(noise.astype(np.float64) ** 2)
    floor = 1e-6 * max(float(sensitivities.max()), 1e-12)  # a channel that does nothing would get an infinite step
    return np.maximum(sensitivities, floor)


def _error(pictures: NDArray[np.float32], latents: NDArray[np.float32], synthesise: Synthesise) -> float:
    reconstructed = np.clip(synthesise(latents), 0, 1)
    return float(np.mean((reconstructed - pictures).astype(np.float64) ** 2))
