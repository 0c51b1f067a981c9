"""What a trained photo codec's symbols are like on its training pictures: the counts that its tables are fitted to."""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.entropy.fixed_point import KNOTS, SCALES
from isthmus.entropy.hyper_latents import (
    CONTEXTS,
    HYPER_GROUPS,
    HYPER_LIMIT,
    Places,
    at,
    contexts_of,
    neighbour_means,
    part_places,
)
from isthmus.entropy.scale_tables import COUNTS_SHAPE, LARGEST_COUNTED
from isthmus.learn.hyperprior.calibration.encoding import encoded
from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec, group_centre_knots

DEVIATIONS = (-1.0, -0.3, 0.3, 1.0)
"""Edges between the contexts of a hyper-latent, in standard deviations of its neighbours' mean."""


@torch.no_grad()
def count_symbols(model: HyperpriorCodec, pixels: Tensor, thresholds: Tensor) -> Tensor:
    """Count latents' symbols over the whole range of qualities.

    Args:
        model: trained.
        pixels: (windows, 3, rows, columns), -0.5..0.5, sides multiples of 64.
        thresholds: of `decode_rdo`.

    Returns:
        COUNTS_SHAPE int64: larger symbols count as the largest.
    """
    width = 2 * LARGEST_COUNTED + 1
    counts = np.zeros(SCALES * width, np.int64)
    for one in encoded(model, pixels, torch.linspace(0, 1, KNOTS).tolist(), thresholds):
        symbols = torch.round(one.estimate.decoded - one.estimate.mean)
        limited = symbols.clamp(-LARGEST_COUNTED, LARGEST_COUNTED).long().cpu().numpy()
        scales = one.estimate.scale_index.long().cpu().numpy()
        index = scales * width + limited + LARGEST_COUNTED
        counts += np.bincount(index.ravel(), minlength=len(counts))
    return torch.from_numpy(counts.reshape(COUNTS_SHAPE))


@torch.no_grad()
def count_hyper(model: HyperpriorCodec, pictures: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Count hyper-latents by group of qualities, channel and context.

    Args:
        model: trained.
        pictures: (1, 3, rows, columns) each, -0.5..0.5, sides multiples of 64.

    Returns:
        (HYPER_GROUPS, channels, 2, NEIGHBOUR_CONTEXTS - 1) int16 thresholds between the contexts, in 12ths; and
        (HYPER_GROUPS, channels, CONTEXTS, symbols) int64 counts.
    """
    seen: list[list[NDArray[np.int8]]] = [[] for _ in range(HYPER_GROUPS)]
    for picture in pictures:
        latents = model.analysis(picture)
        for group, one in enumerate(seen):
            knots = group_centre_knots(torch.tensor([group], device=picture.device))
            one.append(model.rounded_hyper(model.limited_steps(latents, knots))[0].cpu().numpy().astype(np.int8))
    thresholds, counts = zip(*map(_count_group, seen), strict=True)
    return torch.from_numpy(np.stack(thresholds)), torch.from_numpy(np.stack(counts))


def _count_group(grids: list[NDArray[np.int8]]) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """Thresholds (channels, 2, NEIGHBOUR_CONTEXTS - 1) and counts (channels, CONTEXTS, symbols) of some grids."""
    places = [part_places(*grid.shape[1:]) for grid in grids]
    thresholds = np.stack([_thresholds(grids, places, part) for part in (1, 2)], axis=1)
    channels, symbols = len(thresholds), 2 * HYPER_LIMIT + 1
    counts = np.zeros(channels * CONTEXTS * symbols, np.int64)
    for grid, parts in zip(grids, places, strict=True):
        for part, some in enumerate(parts):
            table = np.arange(channels)[:, None] * CONTEXTS + contexts_of(grid, part, some, thresholds)
            counts += np.bincount((table * symbols + at(grid, some) + HYPER_LIMIT).ravel(), minlength=len(counts))
    return thresholds, counts.reshape(channels, CONTEXTS, symbols)


def _thresholds(grids: list[NDArray[np.int8]], places: list[list[Places]], part: int) -> NDArray[np.int16]:
    """(channels, NEIGHBOUR_CONTEXTS - 1): so many standard deviations from the mean of what the part looks at."""
    pairs = zip(grids, places, strict=True)
    around = np.concatenate([at(neighbour_means(grid, part), parts[part]) for grid, parts in pairs], axis=1)
    if around.size == 0:  # grids of one row or column have no second part
        return np.zeros((len(around), len(DEVIATIONS)), np.int16)
    means, deviations = around.mean(1)[:, None], around.std(1)[:, None]
    thresholds: NDArray[np.int16] = np.ceil(means + deviations * DEVIATIONS).astype(np.int16)
    return thresholds
