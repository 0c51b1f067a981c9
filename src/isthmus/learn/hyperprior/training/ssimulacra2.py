"""SSIMULACRA2 as something that can be trained for: sRGB pictures -> a score for each, with gradients.

What is measured, at up to six sizes of both pictures, each half of the one before, in three opponent colours (XYB):

    SSIM:      1 - similarity of local means, variances and covariance
    artefacts: edges that only the distorted picture has
    detail:    edges that only the original has

each as a mean over the picture and as a 4-norm: 108 numbers, whose weighted sum, `Measured.distance`, becomes a score
by a polynomial and a power. Local means are of a window of 9 pixels, nearly a Gaussian of 1.5 pixels: what libjxl's
recursive filter computes, zeros outside of the picture. Here they are a product with a square matrix on either side:
on a processor a tenth of a convolution's time.

`metrics.ssimulacra2` is the same in NumPy, for measuring, and has the published numbers and their source.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from isthmus.metrics.ssimulacra2 import (
    ABSORBANCE,
    ABSORBANCE_BIAS,
    POLYNOMIAL,
    POWER,
    SCALES,
    SIGMA,
    SMALLEST_SIDE,
    STRUCTURE_FLOOR,
    SUM_SCALE,
    WEIGHTS,
    window_taps,
)

_TAPS = torch.from_numpy(window_taps(SIGMA).astype(np.float32))
_REACH = len(_TAPS) // 2
LEAST_FOURTH_POWER = 1e-24
"""A mean of fourth powers below is taken for this: the fourth root of zero has no gradient."""


class Measured(NamedTuple):
    """Of a batch of pairs."""

    distance: Tensor
    """(pictures,) the weighted sum, 0 or more; nearly linear in how strong the distortion is."""
    score: Tensor
    """(pictures,) at most 100, below 0 for very low quality."""


def ssimulacra2(original: Tensor, distorted: Tensor) -> Measured:
    """The score of distorted pictures against their originals.

    Args:
        original: (pictures, 3, rows, columns) sRGB, 0..1, sides of at least `SMALLEST_SIDE`. No gradient goes there.
        distorted: the same shape; within 0..1 too, or what is beyond has no gradient.

    Raises:
        ValueError: shapes that differ, or a side that is too short.
    """
    if original.shape != distorted.shape:
        raise ValueError(f"pictures of {tuple(original.shape)} and {tuple(distorted.shape)} cannot be compared")
    if min(original.shape[-2:]) < SMALLEST_SIDE:
        raise ValueError(f"SSIMULACRA2 needs {SMALLEST_SIDE} pixels a side, not {tuple(original.shape[-2:])}")
    with torch.no_grad():
        first = _linear(original.float())
    second = _linear(distorted.float())
    numbers: list[Tensor] = []
    while len(numbers) < SCALES:
        numbers.append(_compared(first.detach(), second))
        if min(first.shape[-2:]) < SMALLEST_SIDE:
            break
        first, second = _halved(first), _halved(second)
    weights = _weights(len(numbers)).to(numbers[0])
    distance = SUM_SCALE * (torch.stack(numbers, 1) * weights).sum((1, 2, 3))
    return Measured(distance, score_of(distance))


def score_of(distance: Tensor) -> Tensor:
    """The last polynomial and power: weighted sums -> scores."""
    first, second, third = POLYNOMIAL
    bent = distance * (first + distance * (second + distance * third))
    return 100 - 10 * bent.clamp_min(1e-12) ** POWER


def _weights(scales: int) -> Tensor:
    """(scales, 3 colours, 6 numbers): the published weights, handed out in order.

    So a picture of fewer than six sizes, which has a side below 113 pixels, gets most of them at other places. That is
    how its published score is computed.
    """
    table = np.array([WEIGHTS[colour, scale] for colour in range(3) for scale in range(SCALES)])
    return torch.from_numpy(table[: 3 * scales].reshape(3, scales, 6).transpose(1, 0, 2).copy())


def _linear(srgb: Tensor) -> Tensor:
    srgb = srgb.clamp(0, 1)
    return torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4)


def _halved(linear: Tensor) -> Tensor:
    """Means of two by two pixels; the last of an odd number stands for two."""
    rows, columns = linear.shape[-2:]
    if rows % 2 or columns % 2:
        linear = torch.nn.functional.pad(linear, (0, columns % 2, 0, rows % 2), mode="replicate")
    return torch.nn.functional.avg_pool2d(linear, 2)


def _xyb(linear: Tensor) -> Tensor:
    """(pictures, 3, rows, columns) linear RGB -> X, Y and B minus Y, moved and scaled to lie above zero."""
    cones = torch.einsum("kc,ncyx->nkyx", linear.new_tensor(ABSORBANCE), linear) + ABSORBANCE_BIAS
    long, middle, short = (cones ** (1 / 3) - ABSORBANCE_BIAS ** (1 / 3)).unbind(1)
    light = (long + middle) / 2
    return torch.stack([7 * (long - middle) + 0.42, light + 0.01, short - light + 0.55], 1)


def _compared(first: Tensor, second: Tensor) -> Tensor:
    """(pictures, 3 colours, 6 numbers) at one size of linear pictures, in the order of WEIGHTS."""
    down, across = (_window(side, first.device) for side in first.shape[-2:])
    with torch.no_grad():
        first = _xyb(first)
        first_mean, first_square = (down @ maps @ across for maps in (first, first * first))
        first_edge = (first - first_mean).abs()
    second = _xyb(second)
    second_mean, second_square, product = (down @ maps @ across for maps in (second, second * second, first * second))
    both = first_mean * second_mean
    variances = (first_square - first_mean**2) + (second_square - second_mean**2)
    light = 1 - (first_mean - second_mean) ** 2
    ssim = (1 - light * (2 * (product - both) + STRUCTURE_FLOOR) / (variances + STRUCTURE_FLOOR)).clamp_min(0)
    edge = (1 + (second - second_mean).abs()) / (1 + first_edge) - 1
    maps = torch.stack([ssim, edge.clamp_min(0), (-edge).clamp_min(0)], 2)
    means = maps.mean((3, 4))
    norms = (maps**4).mean((3, 4)).clamp_min(LEAST_FOURTH_POWER) ** 0.25
    return torch.cat([means, norms], 2)


def _window(side: int, device: torch.device) -> Tensor:
    """(side, side): each row, and each column, is the window around one place, cut off where the picture ends.

    Times it on either side, a picture becomes its local means.
    """
    places = torch.arange(side, device=device)
    distance = (places[:, None] - places).abs()
    taps = _TAPS.to(device)[_REACH + distance.clamp_max(_REACH)]
    return torch.where(distance <= _REACH, taps, 0)
