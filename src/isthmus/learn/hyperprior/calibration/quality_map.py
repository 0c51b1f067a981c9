"""The table of `codec.hyperprior.quality_map`, fitted to training photographs that the exported model codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isthmus.codec.hyperprior.coder import HyperpriorCoder
from isthmus.codec.hyperprior.quality_map import ASKED, SCORES
from isthmus.codec.model import Model
from isthmus.errors import TrainingError
from isthmus.values import QUALITIES, Picture

TRIED = (1, 6, 11, 16, 21, 26, 31, 37, 44, 52, 64, 80, 100)
"""Qualities of the latents that each picture is coded at; scores are linear between them."""
LARGEST = 448
"""Side of the middle that is taken of each picture, in pixels: more than a sample has, so that its error counts."""
ENLARGED_EVERY = 4
"""Every fourth picture is enlarged: cameras' own pictures are softer than those that were reduced."""
SMOOTHNESS = 0.1
"""Weight of the table's second differences along the scores."""
LEAST_STEP = 0.25
"""Of the table, between two qualities that are asked for."""


def fit_quality_map(model: Model, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Code pictures at all of TRIED, and fit the table.

    Args:
        model: the exported one, of the kind "hyperprior".
        pictures: (rows, columns, 3) uint8 each, of the training.

    Returns:
        (ASKED, SCORES) float32.

    Raises:
        TrainingError: a model of another kind.
    """
    if not isinstance(model.coder, HyperpriorCoder):
        raise TrainingError(f"{model.name} is no hyperprior model: it has no map of qualities")
    taken = [Picture(_taken(pixels, index)) for index, pixels in enumerate(pictures)]
    samples = [model.coder.score_of_sample(picture) for picture in taken]
    return table_of(np.array(samples), np.array([needed_qualities(model.coder, picture) for picture in taken]))


def needed_qualities(coder: HyperpriorCoder, picture: Picture) -> NDArray[np.float64]:
    """(ASKED,) qualities of the latents with which one picture reaches each score; the highest where none does."""
    tiles = list(next(coder.analyse([picture])))
    scores = [coder.score_of(picture, tiles, quality) for quality in TRIED]
    rising = np.maximum.accumulate(scores) + 1e-6 * np.arange(len(TRIED))
    needed: NDArray[np.float64] = np.interp(ASKED, rising, TRIED)
    return needed


def table_of(samples: NDArray[np.float64], needed: NDArray[np.float64]) -> NDArray[np.float32]:
    """Least squares of values that are linear between SCORES, and smooth.

    Args:
        samples: (pictures,) scores of samples.
        needed: (pictures, ASKED) of `needed_qualities`.
    """
    place = np.interp(samples, SCORES, np.arange(len(SCORES)))
    hats = np.maximum(1 - np.abs(place[:, None] - np.arange(len(SCORES))), 0)  # (pictures, SCORES)
    bends = np.diff(np.eye(len(SCORES)), 2, axis=0) * np.sqrt(SMOOTHNESS * len(samples))
    left, right = np.concatenate([hats, bends]), np.concatenate([needed, np.zeros((len(bends), len(ASKED)))])
    table = np.linalg.lstsq(left, right, rcond=None)[0].T  # (ASKED, SCORES)
    room = LEAST_STEP * np.arange(1, len(ASKED) + 1)[:, None]
    rising = np.maximum.accumulate(np.maximum(table - room, 1)) + room  # at least LEAST_STEP from one to the next
    within: NDArray[np.float32] = np.minimum(rising, QUALITIES - room[::-1]).astype(np.float32)
    return within


def _taken(pixels: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
    """The middle of a picture, of every fourth half of it enlarged."""
    is_enlarged = index % ENLARGED_EVERY == ENLARGED_EVERY - 1
    sides = [min(length, LARGEST // 2 if is_enlarged else LARGEST) for length in pixels.shape[:2]]
    top, left = ((length - side) // 2 for length, side in zip(pixels.shape[:2], sides, strict=True))
    part = np.ascontiguousarray(pixels[top : top + sides[0], left : left + sides[1]])
    if not is_enlarged:
        return part
    return np.asarray(Image.fromarray(part).resize((2 * sides[1], 2 * sides[0]), Image.Resampling.BICUBIC))
