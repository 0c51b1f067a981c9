"""SSIMULACRA2, a perceptual score of compression artefacts, in NumPy alone.

What is measured, at up to six sizes of both pictures, each half of the one before, in three opponent colours (XYB):

    SSIM:      1 - similarity of local means, variances and covariance
    artefacts: edges that only the distorted picture has
    detail:    edges that only the original has

each as a mean over the picture and as a 4-norm: 108 numbers, whose weighted sum becomes a score by a polynomial and a
power. Local means are of a window of 9 pixels, nearly a Gaussian of 1.5 pixels: what libjxl's recursive filter
computes, with zeros outside of the picture. Here they are products with parts of a banded matrix, which BLAS is
fastest at.

`learn.hyperprior.training.ssimulacra2` is the same with gradients; a test holds both to libjxl's tool.

Source: Sneyers: SSIMULACRA 2.1, https://github.com/cloudinary/ssimulacra2, whose numbers these are; the window is that
of Charalampidis 2016, "Recursive implementation of the Gaussian filter using truncated cosine functions".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError

Reals = NDArray[np.float32]

SMALLEST_SIDE = 8
"""Pictures with a shorter side have no score. The last size that is looked at is the first with a shorter side."""
SCALES = 6
SIGMA = 1.5
"""Of the window, in pixels."""
STRUCTURE_FLOOR = 0.0009
"""Keeps the SSIM of flat parts finite."""
ABSORBANCE = (
    (0.30, 0.622, 0.078),
    (0.23, 0.692, 0.078),
    (0.24342268924547819, 0.20476744424496821, 0.5518098665095536),
)
"""Linear RGB -> what the eye's three kinds of cones absorb."""
ABSORBANCE_BIAS = 0.0037930732552754493
WEIGHTS: dict[tuple[int, int], tuple[float, ...]] = {
    # (colour, size): mean SSIM, artefacts, detail, and the 4-norms of the same
    (0, 0): (0.0, 0.0007376606707406586, 0.0, 0.0, 0.0007793481682867309, 0.0),
    (0, 1): (0.0, 0.0004371155730107379, 0.0, 1.1041726426657346, 0.00066284834129271, 0.00015231632783718752),
    (0, 2): (0.0, 0.0016406437456599754, 0.0, 1.8422455520539298, 11.441172603757666, 0.0),
    (0, 3): (0.0007989109436015163, 0.000176816438078653, 0.0, 1.8787594979546387, 10.94906990605142, 0.0),
    (0, 4): (
        0.0007289346991508072, 0.9677937080626833, 0.0, 0.00014003424285435884, 0.9981766977854967,
        0.00031949755934435053,
    ),
    (0, 5): (0.0004550992113792063, 0.0, 0.0, 0.0013648766163243398, 0.0, 0.0),
    (1, 0): (0.0, 0.0, 0.0, 7.466890328078848, 0.0, 17.445833984131262),
    (1, 1): (0.0006235601634041466, 0.0, 0.0, 6.683678146179332, 0.00037724407979611296, 1.027889937768264),
    (1, 2): (225.20515300849274, 0.0, 0.0, 19.213238186143016, 0.0011401524586618361, 0.001237755635509985),
    (1, 3): (176.39317598450694, 0.0, 0.0, 24.43300999870476, 0.28520802612117757, 0.0004485436923833408),
    (1, 4): (0.0, 0.0, 0.0, 34.77906344483772, 44.835625328877896, 0.0),
    (1, 5): (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    (2, 0): (0.0, 0.0008680556573291698, 0.0, 0.0, 0.0, 0.0),
    (2, 1): (0.0, 0.0005313191874358747, 0.0, 0.00016533814161379112, 0.0, 0.0),
    (2, 2): (0.0, 0.0, 0.0, 0.0004179171803251336, 0.0017290828234722833, 0.0),
    (2, 3): (0.0020827005846636437, 0.0, 0.0, 8.826982764996862, 23.19243343998926, 0.0),
    (2, 4): (
        95.1080498811086, 0.9863978034400682, 0.9834382792465353, 0.0012286405048278493, 171.2667255897307,
        0.9807858872435379,
    ),
    (2, 5): (0.0, 0.0, 0.0, 0.0005130064588990679, 0.0, 0.00010854057858411537),
}  # fmt: skip
SUM_SCALE = 0.9562382616834844
POLYNOMIAL = (2.326765642916932, -0.020884521182843837, 6.248496625763138e-05)
POWER = 0.6276336467831387
ROWS, COLUMNS = 32, 64
"""Of the pieces that local means are computed in: small enough for a processor's cache."""


def ssimulacra2(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """The score of a distorted picture against its original.

    Args:
        first: the original, (rows, columns) grey or (rows, columns, 3) RGB, uint8, taken as sRGB.
        second: the distorted picture, of the same shape.

    Returns:
        100 for equal pictures, about 90 for no visible difference, below 0 for very low quality.

    Raises:
        InputError: shapes that differ, or are of no such picture, or a side below `SMALLEST_SIDE`.
    """
    if first.shape != second.shape:
        raise InputError(f"pictures of {first.shape} and {second.shape} cannot be compared")
    if first.ndim != 2 and first.shape[2:] not in ((1,), (3,)):
        raise InputError(f"SSIMULACRA2 takes grey or RGB pictures, not {first.shape}")
    if min(first.shape[:2]) < SMALLEST_SIDE:
        raise InputError(f"SSIMULACRA2 needs {SMALLEST_SIDE} pixels a side, not {first.shape[1]}×{first.shape[0]}")
    numbers = [_compared(one, other) for one, other in zip(_sizes(first), _sizes(second), strict=True)]
    # handed out in order: a picture of fewer than six sizes gets most weights at other places, as published
    in_order = np.array([WEIGHTS[colour, scale] for colour in range(3) for scale in range(SCALES)])
    weights = in_order[: 3 * len(numbers)].reshape(3, len(numbers), 6).transpose(1, 0, 2)
    return score_of(SUM_SCALE * float((np.stack(numbers) * weights).sum()))


def score_of(distance: float) -> float:
    """The last polynomial and power: weighted sums -> scores."""
    one, two, three = POLYNOMIAL
    score: float = 100 - 10 * max(distance * (one + distance * (two + distance * three)), 0.0) ** POWER
    return score


def _sizes(picture: NDArray[np.uint8]) -> Iterator[Reals]:
    """(3, rows, columns) XYB of each size, the largest first."""
    planes = picture[None] if picture.ndim == 2 else np.moveaxis(picture, 2, 0)
    linear = np.take(_linear(), planes)
    if len(linear) == 1:
        linear = np.repeat(linear, 3, axis=0)
    for scale in range(SCALES):
        if scale:
            if min(linear.shape[1:]) < SMALLEST_SIDE:
                return
            linear = _halved(linear)
        yield _xyb(linear)


@cache
def _linear() -> Reals:
    """(256,) linear light of sRGB values."""
    srgb = np.arange(256) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _halved(linear: Reals) -> Reals:
    """Means of two by two pixels; the last of an odd number stands for two."""
    rows, columns = linear.shape[1:]
    if rows % 2 or columns % 2:
        linear = np.pad(linear, ((0, 0), (0, rows % 2), (0, columns % 2)), mode="edge")
    pairs = linear[:, ::2] + linear[:, 1::2]
    halved: Reals = (pairs[:, :, ::2] + pairs[:, :, 1::2]) * np.float32(0.25)
    return halved


def _xyb(linear: Reals) -> Reals:
    """(3, rows, columns) linear RGB -> X, Y and B minus Y, moved and scaled to lie above zero."""
    matrix = np.array(ABSORBANCE, np.float32)
    cones = (matrix @ linear.reshape(3, -1)).reshape(linear.shape)
    cones += np.float32(ABSORBANCE_BIAS)
    np.log(cones, out=cones)  # above zero; logarithm and power of e are several times as fast as a cube root
    cones *= np.float32(1 / 3)
    np.exp(cones, out=cones)
    cones -= np.float32(ABSORBANCE_BIAS ** (1 / 3))
    long, middle, short = cones
    light = (long + middle) * np.float32(0.5)
    short -= light
    short += np.float32(0.55)
    long -= middle
    long *= np.float32(7)
    long += np.float32(0.42)
    np.add(light, np.float32(0.01), out=middle)
    return cones


def _compared(first: Reals, second: Reals) -> NDArray[np.float64]:
    """(3 colours, 6 numbers) of two pictures of one size, in the order of WEIGHTS."""
    colours, rows, columns = first.shape
    sums = np.zeros((colours, 6))
    for colour in range(colours):
        for top in range(0, rows, ROWS):
            sums[colour] += _strip_sums(first[colour], second[colour], top, min(top + ROWS, rows))
    sums /= rows * columns
    sums[:, 3:] **= 0.25
    return sums


def _strip_sums(first: Reals, second: Reals, top: int, bottom: int) -> NDArray[np.float64]:
    """(6,) sums over some rows of one colour: SSIM, artefacts, detail, and of their fourth powers."""
    reach = len(window_taps(SIGMA)) // 2
    above, below = max(top - reach, 0), min(bottom + reach, len(first))
    one, other = first[above:below], second[above:below]
    maps = np.empty((5, *one.shape), np.float32)
    maps[0], maps[1] = one, other
    np.multiply(one, one, out=maps[2])
    np.multiply(other, other, out=maps[3])
    np.multiply(one, other, out=maps[4])
    high = _window_rows(len(first), top, bottom) @ maps
    local = np.empty_like(high)
    columns = first.shape[1]
    for left in range(0, columns, COLUMNS):
        right = min(left + COLUMNS, columns)
        before, behind = max(left - reach, 0), min(right + reach, columns)
        np.matmul(high[:, :, before:behind], _window_rows(columns, left, right).T, out=local[:, :, left:right])
    one_mean, other_mean, one_square, other_square, product = local
    edge, one_edge = second[top:bottom] - other_mean, first[top:bottom] - one_mean
    ssim = _dissimilarity(one_mean, other_mean, one_square, other_square, product)
    np.abs(edge, out=edge)
    np.abs(one_edge, out=one_edge)
    edge -= one_edge
    one_edge += np.float32(1)
    edge /= one_edge  # (1 + other) / (1 + one) - 1
    artefacts = np.maximum(edge, np.float32(0))
    detail = np.subtract(artefacts, edge, out=edge)
    found = np.stack([ssim, artefacts, detail]).reshape(3, -1)
    sums = found.sum(1, dtype=np.float64)
    found *= found
    return np.concatenate([sums, [float(squares @ squares) for squares in found]])


def _dissimilarity(one: Reals, other: Reals, one_square: Reals, other_square: Reals, product: Reals) -> Reals:
    """1 - SSIM, at least 0, from local means; overwrites those of products."""
    both = one * other
    product -= both
    product *= np.float32(2)
    product += np.float32(STRUCTURE_FLOOR)
    one_square += other_square
    one_square -= one * one
    one_square -= np.multiply(other, other, out=both)
    one_square += np.float32(STRUCTURE_FLOOR)
    product /= one_square
    light = np.subtract(one, other, out=both)
    light *= light
    np.subtract(np.float32(1), light, out=light)
    product *= light
    np.subtract(np.float32(1), product, out=product)
    return np.maximum(product, np.float32(0), out=product)


@cache
def _window_rows(side: int, start: int, end: int) -> Reals:
    """(end - start, places that are reached): rows of the banded matrix that makes local means of a side."""
    taps = window_taps(SIGMA)
    reach = len(taps) // 2
    places = np.arange(max(start - reach, 0), min(end + reach, side))
    offsets = places[None, :] - np.arange(start, end)[:, None] + reach
    inside = (offsets >= 0) & (offsets < len(taps))
    return np.where(inside, taps[offsets.clip(0, len(taps) - 1)], 0).astype(np.float32)


@cache
def window_taps(sigma: float) -> NDArray[np.float64]:
    """What libjxl's recursive filter makes of one: a short sum of three cosines that is nearly a Gaussian.

    The cosines end where they are zero, `radius` pixels from the middle. Their weights are those that give the window
    the sum 1 and the Gaussian's variance, and bring it nearest to the Gaussian.

    Args:
        sigma: standard deviation in pixels.

    Returns:
        (2 * radius - 1,) weights of neighbours, symmetric; their sum is 1.
    """
    radius = round(3.2795 * sigma + 0.2546)  # equation 57
    turn = np.array([1.0, 3.0, 5.0]) * math.pi / (2 * radius)
    sign = np.array([1.0, -1.0, 1.0])
    area = sign / np.tan(turn / 2)  # 37: sums of the cosines
    spread = sign * area**2 / np.sin(turn)  # 44: what makes up their variance
    match = np.exp(-(sigma**2) * turn**2 / 2) / radius  # 50: the Gaussian's own parts
    minors = np.array([area[1] * spread[2] - spread[1] * area[2], area[2] * spread[0] - spread[2] * area[0]])
    share = minors / (area[0] * spread[1] - spread[0] * area[1])  # 52
    system = np.array([area, spread, [share[0], share[1], 1.0]])
    wanted = np.array([1.0, radius**2 - sigma**2, share[0] * match[0] + share[1] * match[1] + match[2]])
    weights = np.linalg.solve(system, wanted)  # 53
    offsets = np.arange(1 - radius, radius)
    taps: NDArray[np.float64] = (weights[:, None] * np.cos(turn[:, None] * offsets)).sum(0)
    return taps
