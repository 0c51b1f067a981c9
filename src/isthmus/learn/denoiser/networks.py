"""The denoiser's two networks.

    pixels -> space to depth -> U-Net of residual blocks, told the noise level -> depth to space -> noise / level
    pixels -> wavelets -> log energies -> a few convolutions -> log level of each place, and how far to trust it

What is removed is the network's output times the level: at level 0 a picture stays as it is, bit for bit.

Source: the U-Net without normalisation follows Zhang et al. 2021, "Plug-and-Play Image Restoration with Deep Denoiser
Prior" (DRUNet, arXiv 2008.13751), at a thirtieth of its size; space to depth and the level as an input are FFDNet's
(arXiv 1710.04026).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.codec.photo_denoiser import LEAST_TRUST, LEVEL_UNIT, PLACE, SHORT
from isthmus.learn.denoiser.settings import NetworkSettings

LEAST_ENERGY = 5e-7
"""A quarter of what rounding to 8 bits leaves; below it all energies look alike."""
MIDDLE_ENERGY, ENERGY_SPREAD = -8.0, 4.0
"""Of the logarithms, which networks learn from best when they are about -1..1."""
LEVEL_SCALE = 4.0
"""The level's plane is multiplied by it: 55 grey levels become 0.86."""


class ResidualBlock(nn.Module):
    """x + convolution(relu(convolution(x))); the second one starts at zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, rows, columns) to the same shape."""
        changed: Tensor = x + self.second(functional.relu(self.first(x)))
        return changed


class NoiseNetwork(nn.Module):
    """The U-Net: noise of a picture, over its level.

    Symbols: h is what flows, at 1/2, 1/4, ... of the resolution.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        widths, depths = settings.widths, settings.depths
        self.head = nn.Conv2d(3 * SHORT**2 + 1, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(_blocks(width, depth) for width, depth in zip(widths, depths, strict=True))
        self.up_blocks = nn.ModuleList(_blocks(width, depth) for width, depth in zip(widths[:-1], depths, strict=False))
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairs)
        self.up = nn.ModuleList(nn.Conv2d(coarse, 4 * fine, 1) for fine, coarse in pairs)
        self.tail = nn.Conv2d(widths[0], 3 * SHORT**2, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    def forward(self, pixels: Tensor, level: Tensor) -> Tensor:
        """Noise over its level.

        Args:
            pixels: (batch, 3, rows, columns) float32, -0.5..0.5 and beyond; sides are multiples of the stride.
            level: (batch, 1, 1, 1) float32: standard deviation of the noise, white at 1.

        Returns:
            The shape of `pixels`.
        """
        short = functional.pixel_unshuffle(pixels, SHORT)  # (batch, 12, rows / 2, columns / 2)
        plane = (LEVEL_SCALE * level).expand(len(short), 1, *short.shape[2:])
        h = self.head(torch.cat([short, plane], 1).contiguous(memory_format=torch.channels_last))
        kept = []
        for blocks, down in zip(self.down_blocks, self.down, strict=False):
            h = blocks(h)
            kept.append(h)
            h = down(h)
        h = self.down_blocks[-1](h)
        for blocks, up, skip in zip(reversed(self.up_blocks), reversed(self.up), reversed(kept), strict=True):
            h = blocks(functional.pixel_shuffle(up(h), 2) + skip)
        return functional.pixel_shuffle(self.tail(h), SHORT)


class LevelNetwork(nn.Module):
    """Estimates the noise level of each place of 8x8 pixels, from the energies of what changes between neighbours.

    Its filters start as Haar wavelets at two scales of luma and two differences of colours: noise has energy in all of
    them, what a photograph shows seldom has.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        width = settings.estimator
        wavelets = haar_filters()
        self.fine = nn.Conv2d(3, len(wavelets), 2, stride=2)
        self.coarse = nn.Conv2d(3, len(wavelets), 4, stride=4)
        self.fine.weight.data = wavelets
        self.coarse.weight.data = wavelets.repeat_interleave(2, 2).repeat_interleave(2, 3) / 2
        for layer in (self.fine, self.coarse):
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.first = nn.Conv2d(2 * len(wavelets), width, 1)
        self.second = nn.Conv2d(width, width, 3)  # not padded: it would learn where windows end
        self.last = nn.Conv2d(width, 2, 1)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Level and trust of each place.

        Args:
            pixels: (batch, 3, rows, columns) float32, -0.5..0.5 and beyond; sides are multiples of 8, 24 or more.

        Returns:
            Both (batch, 1, rows / 8 - 2, columns / 8 - 2): `log_level` of the level; a weight in 0..1.
        """
        return self.judge(self.energies(pixels))

    def energies(self, pixels: Tensor) -> Tensor:
        """Logarithms of what each filter finds in each place, about -1..1: (batch, 24, rows / 8, columns / 8)."""
        found = [
            functional.avg_pool2d(layer(pixels).square(), PLACE // layer.stride[0])
            for layer in (self.fine, self.coarse)
        ]
        return (torch.log(torch.cat(found, 1) + LEAST_ENERGY) - MIDDLE_ENERGY) / ENERGY_SPREAD

    def judge(self, energies: Tensor) -> tuple[Tensor, Tensor]:
        """Level and trust of each place, from its energies and those around it."""
        h = self.last(functional.relu(self.second(functional.relu(self.first(energies)))))
        return h[:, :1], torch.sigmoid(h[:, 1:])


def haar_filters() -> Tensor:
    """(12, 3, 2, 2): for luma and two differences of colours, the mean of 2x2 pixels and three differences."""
    colours = torch.tensor([[1.0, 1, 1], [1, 0, -1], [1, -2, 1]])
    signs = torch.tensor([[[1.0, 1], [1, 1]], [[1, -1], [1, -1]], [[1, 1], [-1, -1]], [[1, -1], [-1, 1]]])
    colours = colours / colours.norm(dim=1, keepdim=True)
    return torch.einsum("ci,brk->cbirk", colours, signs / 2).reshape(-1, 3, 2, 2).contiguous()


class Denoiser(nn.Module):
    """Both networks."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.noise = NoiseNetwork(settings)
        self.level = LevelNetwork(settings)

    def denoise(self, pixels: Tensor, level: Tensor) -> Tensor:
        """Pixels (batch, 3, rows, columns) without the noise of a level (batch, 1, 1, 1)."""
        clean: Tensor = pixels - level * self.noise(pixels, level)
        return clean

    def log_estimate(self, pixels: Tensor) -> Tensor:
        """`log_level` of each picture, (batch, 1, 1, 1), from places weighed by how far they can be trusted."""
        return mean_level(*self.level(pixels))

    def estimate(self, pixels: Tensor) -> Tensor:
        """Level of each picture, (batch, 1, 1, 1), white at 1."""
        return LEVEL_UNIT * torch.expm1(self.log_estimate(pixels).clamp_min(0))


def mean_level(level: Tensor, trust: Tensor) -> Tensor:
    """(batch, 1, 1, 1): the mean of places, by how far they can be trusted."""
    weight = trust + LEAST_TRUST
    return (level * weight).mean((1, 2, 3), keepdim=True) / weight.mean((1, 2, 3), keepdim=True)


def log_level(level: Tensor) -> Tensor:
    """The logarithm that levels are estimated by: 0 for none."""
    return torch.log1p(level / LEVEL_UNIT)


def _blocks(width: int, depth: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(width) for _ in range(depth)))
