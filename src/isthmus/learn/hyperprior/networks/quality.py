"""From a quality to numbers: every quality-dependent value of the photo codec is a table over a few knots.

Quality 1..100 is linear in log lambda; between two knots a value is interpolated linearly, so it is continuous in
quality.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.entropy.fixed_point import KNOTS
from isthmus.values import QUALITIES

LOWEST_LAMBDA = 0.0002
HIGHEST_LAMBDA = 2.0
"""Weights of the squared error (on 0..255) against bits per pixel, at quality 1 and 100. With the steps of 0.3
photographs end at a SSIMULACRA2 of 88; with those of 2 at about 93; without any rounding at 94."""
LAMBDAS = (LOWEST_LAMBDA, HIGHEST_LAMBDA)


def position_of(quality: np.ndarray) -> np.ndarray:
    """Quality 1..100 -> place between the first knot (0) and the last (1), float64."""
    return (np.asarray(quality, np.float64) - 1) / (QUALITIES - 1)


def lambda_at(position: Tensor) -> Tensor:
    """The rate-distortion trade that a place between the knots stands for."""
    return LOWEST_LAMBDA * torch.exp(position * math.log(HIGHEST_LAMBDA / LOWEST_LAMBDA))


def knot_weights(position: Tensor) -> Tensor:
    """(batch,) places in 0..1 -> (batch, KNOTS) interpolation weights; each row sums to 1."""
    knots = torch.arange(KNOTS, device=position.device, dtype=position.dtype)
    return (1 - (position[:, None] * (KNOTS - 1) - knots).abs()).clamp_min(0)


def over_range(table: Tensor, before: tuple[float, float], now: tuple[float, float] = LAMBDAS) -> Tensor:
    """A table over the knots of one range of lambdas -> over those of another; its ends are continued straight.

    Args:
        table: (KNOTS, channels).
        before: lowest and highest lambda that its knots stand for.
        now: those that the new knots shall stand for.
    """
    span = math.log(before[1] / before[0])
    places = torch.linspace(math.log(now[0] / before[0]), math.log(now[1] / before[0]), KNOTS, dtype=torch.float64)
    places = places / span * (KNOTS - 1)
    left = places.floor().clamp(0, KNOTS - 2).long()
    share = (places - left)[:, None]
    wide = table.double()
    return (wide[left] * (1 - share) + wide[left + 1] * share).to(table.dtype)


class QualityTable(nn.Module):
    """One row of numbers for each knot.

    Symbols:
        table: (KNOTS, channels).
    """

    def __init__(self, start: np.ndarray) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.from_numpy(np.asarray(start, np.float32).copy()))

    @classmethod
    def zeros(cls, channels: int) -> "QualityTable":
        """All zeros."""
        return cls(np.zeros((KNOTS, channels), np.float32))

    def rounded(self, weights: Tensor, units: Tensor) -> Tensor:
        """The same with knots on multiples of 1/units (channels,), and between them too: exactly as integers would be.

        With weights of whole 99ths no sum is near a half, so float64 and integer arithmetic round alike.
        """
        knots = torch.floor(self.table * units + 0.5).double()
        between = (torch.floor(weights.double() @ knots + 0.5) / units).float()
        exact = weights.float() @ self.table
        return (exact + (between - exact).detach())[:, :, None, None]

    def forward(self, weights: Tensor) -> Tensor:
        """(batch, KNOTS) weights -> (batch, channels, 1, 1)."""
        return (weights.float() @ self.table.float())[:, :, None, None]
