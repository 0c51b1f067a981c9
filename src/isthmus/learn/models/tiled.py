"""Any autoencoder on tiles: spatial blocks of a picture of any size, each with its own code, joined or blended.

    pictures -> edge padding (overlap / 2) -> blocks of tile × tile every (tile - overlap) pixels -> network's analysis
    latents -> network's synthesis and output -> blocks, weighted by a ramp over the overlap -> sum / sum of weights

Cutting and joining are a convolution and a transposed one with fixed kernels, so that the exported graphs do them too.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.learn.models.autoencoder import Autoencoder
from isthmus.learn.recipes.settings import ModelSettings
from isthmus.values import LatentSpec, PictureSpec


class _Analysis(nn.Module):
    blocks: Tensor

    def __init__(self, network: nn.Module, settings: ModelSettings) -> None:
        super().__init__()
        self.network = network
        self.channels, self.tile, self.margin = settings.channels, settings.tile, settings.overlap // 2
        self.step, self.numbers = settings.tile - settings.overlap, settings.code_numbers
        self.register_buffer("blocks", _block_kernel(settings))

    def forward(self, pictures: Tensor) -> Tensor:
        """(batch, channels, rows, columns), sides multiples of the step -> (batch, numbers, rows', columns')."""
        if self.margin:
            pictures = nn.functional.pad(pictures, (self.margin,) * 4, mode="replicate")
        blocks = nn.functional.conv2d(pictures, self.blocks, stride=self.step)
        batch, _, rows, columns = blocks.shape
        tiles = blocks.permute(0, 2, 3, 1).reshape(-1, self.channels, self.tile, self.tile)
        codes: Tensor = self.network(tiles).reshape(batch, rows, columns, self.numbers)
        return codes.permute(0, 3, 1, 2)


class _Synthesis(nn.Module):
    blocks: Tensor
    window: Tensor

    def __init__(self, network: nn.Module, output: nn.Module, settings: ModelSettings) -> None:
        super().__init__()
        self.network, self.output = network, output
        self.margin, self.step = settings.overlap // 2, settings.tile - settings.overlap
        self.pixels = settings.channels * settings.tile**2
        self.numbers, self.code_shape = settings.code_numbers, _code_shape(settings)
        window = _window(settings.tile, settings.overlap)
        self.register_buffer("blocks", _block_kernel(settings) * window)
        self.register_buffer("window", window[None, None])

    def forward(self, latents: Tensor) -> Tensor:
        """The opposite of the analysis."""
        batch, _, rows, columns = latents.shape
        codes = latents.permute(0, 2, 3, 1).reshape(-1, *self.code_shape)
        tiles = self.output(self.network(codes)).reshape(batch, rows, columns, self.pixels)
        pictures = nn.functional.conv_transpose2d(tiles.permute(0, 3, 1, 2), self.blocks, stride=self.step)
        if not self.margin:
            return pictures
        weights = nn.functional.conv_transpose2d(torch.ones_like(latents[:, :1]), self.window, stride=self.step)
        inner = slice(self.margin, -self.margin)
        return (pictures / weights)[:, :, inner, inner]


def tile_model(network: Autoencoder, settings: ModelSettings) -> Autoencoder:
    """A network for tiles as a model for whole pictures; it shares the network's weights."""
    return Autoencoder(
        _Analysis(network.analysis, settings),
        _Synthesis(network.synthesis, network.output, settings),
        nn.Identity(),
        picture=PictureSpec(settings.channels, None, None),
        latents=LatentSpec(settings.code_numbers, stride=settings.tile - settings.overlap),
    )


def cut_tiles(pictures: NDArray[np.uint8], *, tile: int, overlap: int) -> NDArray[np.uint8]:
    """All tiles of pictures (count, rows, columns, channels), as the model cuts them: (tiles, tile, tile, channels)."""
    step, margin = tile - overlap, overlap // 2
    rows, columns = (-side % step for side in pictures.shape[1:3])
    padded = np.pad(pictures, ((0, 0), (margin, margin + rows), (margin, margin + columns), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (tile, tile), axis=(1, 2))[:, ::step, ::step]
    # (count, rows', columns', channels, tile, tile) -> (tiles, tile, tile, channels)
    return np.ascontiguousarray(windows.transpose(0, 1, 2, 4, 5, 3)).reshape(-1, tile, tile, pictures.shape[3])


def _block_kernel(settings: ModelSettings) -> Tensor:
    """(pixels, channels, tile, tile): each output channel is one pixel of the block, channel first."""
    pixels = settings.channels * settings.tile**2
    return torch.eye(pixels).reshape(pixels, settings.channels, settings.tile, settings.tile)


def _window(tile: int, overlap: int) -> Tensor:
    """(tile, tile) weights: 1 inside, falling towards the edges over the overlap."""
    distance = torch.minimum(torch.arange(tile), torch.arange(tile - 1, -1, -1)).float()
    ramp = ((distance + 0.5) / overlap).clamp(max=1.0) if overlap else torch.ones(tile)
    return ramp[:, None] * ramp[None, :]


def _code_shape(settings: ModelSettings) -> tuple[int, int, int]:
    if settings.is_whole:
        return settings.code, 1, 1
    side = settings.tile // settings.stride - settings.code_kernel + 1
    return settings.code, side, side
