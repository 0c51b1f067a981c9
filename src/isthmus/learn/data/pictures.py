"""A set of pictures of one size split into training and test."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.learn.recipes.settings import DataSettings
from isthmus.sources.picture_set import PictureSet


@dataclass(frozen=True)
class Split:
    """Pictures to learn from, pictures to measure on, and where they came from.

    Attributes:
        train: to learn from.
        test: to measure on.
        source: what was loaded.
        colours_lost: pictures that were in colour before they were made grey.
        resized: pictures that had another size.
        notes: what was left out or could not be read, a line each.
    """

    train: PictureSet
    test: PictureSet
    source: str
    colours_lost: int = 0
    resized: int = 0
    notes: tuple[str, ...] = ()


def split(pictures: PictureSet, *, held_out: float, seed: int, source: str) -> Split:
    """Keep a share of the pictures for testing, the same ones for the same seed.

    Raises:
        InputError: fewer than two pictures.
    """
    if len(pictures) < 2:
        raise InputError(f"{source} has {len(pictures)} picture(s): training needs two or more")
    order = np.random.default_rng(seed).permutation(len(pictures))
    tests = min(max(1, round(held_out * len(pictures))), len(pictures) - 1)
    return Split(_take(pictures, order[tests:]), _take(pictures, order[:tests]), source)


def take_some(data: Split, settings: DataSettings, *, seed: int) -> Split:
    """The split with as many training pictures as the settings learn from, drawn by the seed.

    Raises:
        InputError: there are fewer than `data.take` asks for.
    """
    count = len(data.train)
    kept = settings.take or count - round(settings.validation * count)
    if kept > count or kept < 1:
        raise InputError(
            f"{data.source} has {count} training pictures, too few: data.take={settings.take}, "
            f"data.validation={settings.validation:g}"
        )
    if kept == count:
        return data
    return replace(data, train=_take(data.train, np.random.default_rng(seed).permutation(count)[:kept]))


def _take(pictures: PictureSet, order: NDArray[np.int64]) -> PictureSet:
    labels = pictures.labels[order] if pictures.labels is not None else None
    return PictureSet(pictures.pictures[order], labels)
