"""The rate of a code while it is learnt: noise in place of rounding, and the bits that an entropy model would take.

    latents -> a gain for each channel -> + uniform noise of one step -> synthesis
                                       -> - log2 of the probability of each noisy latent -> bits

It is the last layer of an analysis transform. Outside training it only applies the gain: rounding takes the place of
the noise, and the tables of a model file, fitted to the rounded codes afterwards, that of the probabilities.

Source: Ballé et al. 2017, "End-to-end optimized image compression"; a mixture of logistic densities in place of its
piecewise linear one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

COMPONENTS = 3  # of each channel's mixture: enough for a peak on one value beside a wide body
FIRST_GAIN = 8.0  # an analysis transform's first codes are about 1 wide, those of a useful number about 8 steps
LEAST_PROBABILITY = 1e-9


class RateNoise(nn.Module):
    """Adds half a step of noise either way while training, and keeps the bits that the noisy latents take.

    Args:
        channels: of the latents.

    Attributes:
        bits: a scalar, bits of one picture's code, mean over the last training batch; differentiable.
    """

    bits: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        scales = math.log(FIRST_GAIN) - torch.arange(COMPONENTS) * math.log(3.0)
        self.log_gains = nn.Parameter(torch.full((channels, 1, 1), math.log(FIRST_GAIN)))
        self.shares = nn.Parameter(torch.zeros(channels, COMPONENTS))
        self.means = nn.Parameter(torch.zeros(channels, COMPONENTS))
        self.log_scales = nn.Parameter(scales.repeat(channels, 1))
        self.bits = torch.zeros(())

    def forward(self, latents: Tensor) -> Tensor:
        """(batch, channels, rows, columns) -> the same shape, in quantisation steps."""
        latents = latents.float() * torch.exp(self.log_gains)
        if not self.training:
            return latents
        noisy = latents + torch.rand_like(latents) - 0.5
        self.bits = self._bits(noisy) / len(latents)
        return noisy

    def _bits(self, noisy: Tensor) -> Tensor:
        """All bits of noisy latents: each one's probability is that of the step around it."""
        values = noisy.transpose(0, 1).flatten(1)[:, None]  # (channels, 1, batch * rows * columns)
        centred = values - FIRST_GAIN * self.means[:, :, None]
        inverse = torch.exp(-self.log_scales)[:, :, None]
        # of both tails the thin one, where differences of sigmoids keep their digits
        side = -centred.detach().sign()
        upper = torch.sigmoid(side * (centred + 0.5) * inverse)
        lower = torch.sigmoid(side * (centred - 0.5) * inverse)
        shares = torch.softmax(self.shares, dim=1)[:, :, None]
        probability = (shares * (upper - lower).abs()).sum(dim=1)
        return -torch.log2(probability.clamp_min(LEAST_PROBABILITY)).sum()


def rate_of(model: nn.Module) -> RateNoise | None:
    """The rate layer of a network that learns with its rate in the loss; None of any other."""
    return next((layer for layer in model.modules() if isinstance(layer, RateNoise)), None)
