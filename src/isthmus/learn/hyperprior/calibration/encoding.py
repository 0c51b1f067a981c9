"""All of the photo codec's encoder, for windows at some qualities: what counts, ranges and samples are taken of."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec
from isthmus.learn.hyperprior.networks.entropy_model import Estimate
from isthmus.learn.hyperprior.networks.quality import knot_weights

AT_ONCE = 8
"""Windows that go through the networks together."""


class Encoded(NamedTuple):
    """Windows at one quality."""

    pixels: Tensor
    """(windows, 3, rows, columns)."""
    knots: Tensor
    """(windows, knots) interpolation weights of the quality."""
    estimate: Estimate
    """Of the latents, in quantisation steps, as the decoder will know them."""


@torch.no_grad()
def encoded(model: HyperpriorCodec, pixels: Tensor, places: Sequence[float], thresholds: Tensor) -> Iterator[Encoded]:
    """AT_ONCE windows at each of the qualities, then the next.

    Args:
        model: trained.
        pixels: (windows, 3, rows, columns), -0.5..0.5, sides multiples of 64.
        places: of the qualities, between the lowest (0) and the highest (1).
        thresholds: of `decode_rdo`.
    """
    for part in torch.split(pixels, AT_ONCE):
        latents = model.analysis(part)
        for place in places:
            knots = knot_weights(torch.full((len(part),), place, device=part.device))
            steps = model.limited_steps(latents, knots)
            estimate = model.estimate(model.rounded_hyper(steps), steps, knots, quantise=True, thresholds=thresholds)
            yield Encoded(part, knots, estimate)
