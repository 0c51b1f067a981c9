"""What a trained photo codec's symbols are like on its training pictures: the counts that its tables are fitted to."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.codec.photo_coder import HYPER_BLOCK
from isthmus.entropy.exact import MEAN_BITS
from isthmus.entropy.hyper_latents import (
    AROUND,
    HYPER_GROUPS,
    HYPER_LIMIT,
    black_fields,
    neighbour_means,
)
from isthmus.entropy.level_tables import CLASSES, COUNTS_SHAPE, LARGEST_COUNTED, LEVELS, mean_class
from isthmus.learn.loop.photo_crops import to_pixels
from isthmus.learn.models.photo_codec import PhotoCodec
from isthmus.learn.models.quality import KNOTS, knot_weights

AT_ONCE = 8
"""Windows that go through the networks together."""
SPREADS = (-1.0, -0.3, 0.3, 1.0)
"""Edges between the contexts of a hyper-latent, in standard deviations of its neighbours' mean."""


@torch.no_grad()
def count_symbols(model: PhotoCodec, pixels: Tensor, thresholds: Tensor) -> Tensor:
    """Count latents' symbols over the whole range of qualities.

    Args:
        model: trained.
        pixels: (windows, 3, rows, columns), -0.5..0.5, sides multiples of 64.
        thresholds: of `decode_thrifty`.

    Returns:
        COUNTS_SHAPE int64: larger symbols count as the largest.
    """
    width = 2 * LARGEST_COUNTED + 1
    counts = np.zeros(CLASSES * LEVELS * width, np.int64)
    for part in torch.split(pixels, AT_ONCE):
        latents = model.analysis(part)
        for place in torch.linspace(0, 1, KNOTS):
            knots = knot_weights(place.expand(len(part)))
            steps = model.limited_steps(latents, knots)
            estimate = model.estimate(model.whole_hyper(steps), steps, knots, quantise=True, thresholds=thresholds)
            symbols = torch.round(estimate.decoded - estimate.mean) * torch.where(estimate.mean < 0, -1, 1)
            limited = symbols.clamp(-LARGEST_COUNTED, LARGEST_COUNTED).long().numpy()
            classes = mean_class(torch.round(estimate.mean * 2**MEAN_BITS).int().numpy())
            index = (classes * np.int64(LEVELS) + estimate.level.long().numpy()) * width + limited + LARGEST_COUNTED
            counts += np.bincount(index.ravel(), minlength=len(counts))
    return torch.from_numpy(counts.reshape(COUNTS_SHAPE))


@torch.no_grad()
def count_hyper(model: PhotoCodec, pictures: Sequence[NDArray[np.uint8]]) -> tuple[Tensor, Tensor]:
    """Count hyper-latents by group of qualities, channel and context.

    Args:
        model: trained.
        pictures: (rows, columns, 3) each; what is beyond multiples of 64 pixels is left out.

    Returns:
        (HYPER_GROUPS, channels, AROUND - 1) int16 edges between the contexts, in 12ths; and (HYPER_GROUPS, channels,
        1 + AROUND, symbols) int64 counts.
    """
    seen: list[list[NDArray[np.int8]]] = [[] for _ in range(HYPER_GROUPS)]
    for picture in pictures:
        rows, columns = (length // HYPER_BLOCK * HYPER_BLOCK for length in picture.shape[:2])
        if rows and columns:
            latents = model.analysis(to_pixels(picture[None, :rows, :columns]))
            for group, one in enumerate(seen):
                knots = knot_weights(torch.tensor([(group + 0.5) / HYPER_GROUPS]))
                one.append(model.whole_hyper(model.limited_steps(latents, knots))[0].numpy().astype(np.int8))
    edges, counts = zip(*map(_count_group, seen), strict=True)
    return torch.from_numpy(np.stack(edges)), torch.from_numpy(np.stack(counts))


def _count_group(grids: list[NDArray[np.int8]]) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """(channels, AROUND - 1) edges, (channels, 1 + AROUND, symbols) counts of (channels, rows, columns) grids."""
    white, black, means = [], [], []
    for grid in grids:
        fields = black_fields(*grid.shape[1:])
        white.append(grid[:, ~fields])
        black.append(grid[:, fields])
        means.append(neighbour_means(grid)[:, fields])
    around = np.concatenate(means, 1)
    edges = np.ceil(around.mean(1, keepdims=True) + around.std(1, keepdims=True) * SPREADS).astype(np.int16)
    contexts = 1 + (around[:, :, None] >= edges[:, None, :]).sum(2)
    values = np.concatenate([*white, *black], 1)
    alone = np.zeros((len(edges), values.shape[1] - contexts.shape[1]), np.int64)
    contexts = np.concatenate([alone, contexts], 1)
    symbols = 2 * HYPER_LIMIT + 1
    index = (np.arange(len(edges))[:, None] * (1 + AROUND) + contexts) * symbols + values + HYPER_LIMIT
    counts = np.bincount(index.ravel(), minlength=len(edges) * (1 + AROUND) * symbols)
    counts = counts.reshape(len(edges), 1 + AROUND, symbols)
    return edges, counts
