"""From floats to bytes: quantisation steps and integer tables, fitted on the codes of training pictures.

The step of a channel follows its weight in the picture: a channel whose noise the synthesis amplifies gets a finer
step, so that each channel's quantisation costs about the same squared error per bit (reverse water-filling). One
factor on all steps then sets the quality.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.factorised_prior import FactorisedPrior
from isthmus.entropy.tables import FrequencyTable, fit_table
from isthmus.learn.recipes.settings import CodingSettings
from isthmus.values import QUALITIES

Synthesise = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Latents (count, channels, rows, columns) to pictures (count, channels, rows, columns) around [0, 1]."""

MAX_CODES = 20_000  # training pictures that steps and tables are fitted on
_SENSITIVITY_PICTURES = 256
_SEARCH_PICTURES = 2_000
_PROBE = 0.1  # of a channel's standard deviation


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
    weights = 1 / np.sqrt(_sensitivities(latents[:_SENSITIVITY_PICTURES], synthesise))
    originals, codes = pictures[:_SEARCH_PICTURES], latents[:_SEARCH_PICTURES]
    floor = _error(originals, codes, synthesise)
    target = floor * (1 + settings.default_excess)
    low, high = 1e-6, 1e3  # of the picture's range: from no loss to no information
    for _ in range(30):
        middle = float(np.sqrt(low * high))
        steps = (middle * weights)[:, None, None].astype(np.float32)
        coded = (np.rint(codes / steps) * steps).astype(np.float32)
        if _error(originals, coded, synthesise) <= target:
            low = middle
        else:
            high = middle
    octaves = _octaves(settings)[:, None]
    steps_by_quality: NDArray[np.float32] = (low * 2.0**octaves * weights).astype(np.float32)
    return steps_by_quality


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
    channels = [np.ascontiguousarray(latents[:, channel]).ravel() for channel in range(latents.shape[1])]
    tables: list[list[FrequencyTable]] = []
    for row in steps:
        tables.append(
            [fit_table(np.rint(values / step).astype(np.int32)) for values, step in zip(channels, row, strict=True)]
        )
    return FactorisedPrior.from_tables(tables)


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
