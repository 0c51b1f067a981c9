"""Analysis and synthesis transforms of the photo codec: a block DCT that learned to do better.

Flow of the analysis (sizes relative to the picture; the synthesis is its mirror):

    pixels 3 -> unshuffle 8 -> 1x1 (8x8 DCT) 192 at 1/8 -> residual blocks
           -> unshuffle 2 -> 1x1 (16x16 DCT, the strongest coefficients) at 1/16 -> residual blocks -> latents

Every residual block ends in zeros, so training starts from the orthonormal transform. Features between the layers are
normalised to about unit variance by fixed scales which the export folds into the weights.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.learn.models.block_cosine import colour_block_matrix, merge_matrix
from isthmus.learn.models.quality import QualityTable

FINE = 192
"""Channels at 1/8 resolution: the 3 x 8 x 8 values of a block."""


LEAK = 0.1
"""Slope below zero. With plain ReLUs, Muon and a few outlying pictures, every unit was dead after 5,000 steps."""


def leak(x: Tensor) -> Tensor:
    """The activation of both transforms."""
    return nn.functional.leaky_relu(x, LEAK)


@dataclass(frozen=True)
class TransformStart:
    """What the untrained transforms are made of, measured once on training pictures."""

    fine_scale: np.ndarray
    """(192,) root mean square of the 8x8 DCT coefficients, for pixels in -0.5..0.5, floored."""
    latent_scale: np.ndarray
    """(latents,) the same of the kept 16x16 DCT coefficients."""
    kept: np.ndarray
    """(latents,) which of the 768 coefficients each latent channel starts as."""


class ScaledConvolution(nn.Module):
    """1x1 convolution whose weight is a trained matrix times fixed scales of its inputs and outputs."""

    def __init__(self, matrix: np.ndarray, input_scale: np.ndarray, output_scale: np.ndarray) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(matrix.astype(np.float32)))
        self.bias = nn.Parameter(torch.zeros(matrix.shape[0]))
        scale = output_scale[:, None] * input_scale[None, :]
        self.scale: Tensor
        self.register_buffer("scale", torch.from_numpy(scale.astype(np.float32)))

    def folded(self) -> Tensor:
        """(outputs, inputs, 1, 1): the weight with its scales."""
        return (self.weight * self.scale)[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, rows, columns) -> (batch, outputs, rows, columns)."""
        return nn.functional.conv2d(x, self.folded(), self.bias)


class MirroredSplit(ScaledConvolution):
    """From 1/16 to 1/8: each position becomes four. Of mirrored latents it makes mirrored positions, exactly.

    That is what the cosine transforms that it starts from do, and it lets export compute it with a quarter of the
    products: latents that a mirror leaves alone and those whose sign it turns do not mix (see `export.mirrored_split`).
    The bias is any.

    Attributes:
        turns: (2, latents) bool: those whose sign a mirror turns, one that swaps rows and one that swaps columns.
        fine_turns: (2, FINE) the same of the outputs.
    """

    def __init__(self, matrix: np.ndarray, input_scale: np.ndarray, output_scale: np.ndarray, kept: np.ndarray) -> None:
        super().__init__(matrix, input_scale, output_scale)
        self.turns: Tensor
        self.fine_turns: Tensor
        self.register_buffer("turns", torch.from_numpy(odd_frequencies(kept, 16)), persistent=False)
        self.register_buffer("fine_turns", torch.from_numpy(odd_frequencies(np.arange(FINE), 8)), persistent=False)

    def folded(self) -> Tensor:
        """The mean of the matrix and its mirror images."""
        squares = super().folded().reshape(FINE, 2, 2, -1)
        for axis, (fine, latents) in enumerate(zip(self.fine_turns, self.turns, strict=True)):
            signs = 1 - 2.0 * (fine[:, None] ^ latents[None, :])
            squares = (squares + squares.flip(1 + axis) * signs[:, None, None, :]) / 2
        return squares.reshape(4 * FINE, -1, 1, 1)


def odd_frequencies(coefficients: np.ndarray, side: int) -> np.ndarray:
    """(2, coefficients) bool: whether the vertical frequency is odd, and the horizontal one.

    Args:
        coefficients: places in the outputs of `block_cosine.colour_block_matrix(side)`.
        side: even.
    """
    odd: np.ndarray = np.stack([coefficients // side % 2, coefficients % 2]).astype(bool)
    return odd


def _keep_bytes(block: nn.Module, names: tuple[str, ...]) -> None:
    """Room for what is measured of a block whose layers of these names multiply bytes: zeros until then.

    Buffers: `ranges`, (layers + 1, 2) the least and largest input of each, and in the end the output of gather; and
    `rounded_NAME`, int8 of each layer's weight's shape, that weight as bytes.
    """
    block.register_buffer("ranges", torch.zeros(len(names) + 1, 2))
    for name in names:
        weight = block.get_submodule(name).get_parameter("weight")
        block.register_buffer(f"rounded_{name}", torch.zeros_like(weight, dtype=torch.int8))


def _zeros(convolution: nn.Conv2d) -> nn.Conv2d:
    """The convolution with nothing in it: a residual block that ends in it does nothing yet."""
    for parameter in convolution.parameters():
        nn.init.zeros_(parameter)
    return convolution


class FineBlock(nn.Module):
    """Residual block at 1/8 resolution: 3x3 down to few channels, 1x1 back.

    Symbols:
        BYTES: the layers that multiply bytes, see `_keep_bytes`.
    """

    BYTES = ("gather", "spread")
    ranges: Tensor

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.gather = nn.Conv2d(channels, hidden, 3, padding=1)
        self.spread = _zeros(nn.Conv2d(hidden, channels, 1))
        _keep_bytes(self, self.BYTES)

    def forward(self, x: Tensor, guide: Tensor | None = None) -> Tensor:
        """`guide`: (batch, hidden, 1, 1), added before the activation."""
        hidden = self.gather(x)
        if guide is not None:
            hidden = hidden + guide
        return x + self.spread(leak(hidden))


class NarrowBlock(nn.Module):
    """Residual block at 1/8 resolution, 1x1 to fewer channels, 3x3, 1x1 back: no byte is good enough for its 3x3 layer.

    Nothing bends between the first two: they are one 3x3 layer of lower rank, with half of its products.

    Symbols:
        BYTES: the layers that multiply bytes, see `_keep_bytes`.
    """

    BYTES = ("spread",)
    ranges: Tensor

    def __init__(self, channels: int, narrow: int, hidden: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels, narrow, 1, bias=False)
        self.gather = nn.Conv2d(narrow, hidden, 3, padding=1)
        self.spread = _zeros(nn.Conv2d(hidden, channels, 1))
        _keep_bytes(self, self.BYTES)

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        """`guide`: (batch, hidden, 1, 1), added before the activation."""
        return x + self.spread(leak(self.gather(self.narrow(x)) + guide))


class CoarseBlock(nn.Module):
    """Residual block at 1/16 resolution: 1x1, 3x3, 1x1.

    Symbols:
        BYTES: the layers that multiply bytes, see `_keep_bytes`.
    """

    BYTES = ("reduce", "gather", "spread")
    ranges: Tensor

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.gather = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.spread = _zeros(nn.Conv2d(hidden, channels, 1))
        _keep_bytes(self, self.BYTES)

    def forward(self, x: Tensor, guide: Tensor | None = None) -> Tensor:
        """`guide`: (batch, hidden, 1, 1), added before the first activation."""
        hidden = self.reduce(x)
        if guide is not None:
            hidden = hidden + guide
        hidden = leak(self.gather(leak(hidden)))
        return x + self.spread(hidden)


class Analysis(nn.Module):
    """Pixels (batch, 3, rows, columns), -0.5..0.5 -> latents (batch, latents, rows/16, columns/16).

    Attributes:
        fine_balance: (192,) what export divides the channels at 1/8 by, see `photo_rewriting`; ones until measured.
    """

    def __init__(self, start: TransformStart, fine_hidden: tuple[int, ...], coarse_hidden: tuple[int, ...]) -> None:
        super().__init__()
        latents = len(start.kept)
        self.stem = ScaledConvolution(colour_block_matrix(8), np.ones(FINE), 1 / start.fine_scale)
        self.fine = nn.Sequential(*[FineBlock(FINE, hidden) for hidden in fine_hidden])
        self.merge = ScaledConvolution(
            merge_matrix(8)[start.kept], np.repeat(start.fine_scale, 4), 1 / start.latent_scale
        )
        self.coarse = nn.Sequential(*[CoarseBlock(latents, hidden) for hidden in coarse_hidden])
        self.fine_balance: Tensor
        self.register_buffer("fine_balance", torch.ones(FINE))

    def forward(self, pixels: Tensor) -> Tensor:
        """See the class."""
        fine = self.fine(self.stem(nn.functional.pixel_unshuffle(pixels, 8)))
        return self.coarse(self.merge(nn.functional.pixel_unshuffle(fine, 2)))


class Synthesis(nn.Module):
    """Latents (batch, latents, rows, columns) and quality -> pixels (batch, 3, 16*rows, 16*columns).

    Every block's first layer has a bias that depends on quality: at low rates more has to be smoothed.

    Attributes:
        fine_balance: as the analysis' one.
    """

    def __init__(
        self, start: TransformStart, fine_hidden: tuple[int, ...], coarse_hidden: tuple[int, ...], last_narrow: int
    ) -> None:
        super().__init__()
        latents = len(start.kept)
        self.coarse = nn.ModuleList([CoarseBlock(latents, hidden) for hidden in coarse_hidden])
        self.coarse_guides = nn.ModuleList([QualityTable.zeros(hidden) for hidden in coarse_hidden])
        self.split = MirroredSplit(
            merge_matrix(8)[start.kept].T.copy(), start.latent_scale, 1 / np.repeat(start.fine_scale, 4), start.kept
        )
        blocks = [FineBlock(FINE, hidden) for hidden in fine_hidden[:-1]]
        self.fine = nn.ModuleList([*blocks, NarrowBlock(FINE, last_narrow, fine_hidden[-1])])
        self.fine_guides = nn.ModuleList([QualityTable.zeros(hidden) for hidden in fine_hidden])
        self.head = ScaledConvolution(colour_block_matrix(8).T.copy(), start.fine_scale, np.ones(FINE))
        self.fine_balance: Tensor
        self.register_buffer("fine_balance", torch.ones(FINE))

    def forward(self, latents: Tensor, knots: Tensor) -> Tensor:
        """`knots`: (batch, knots) interpolation weights of the quality."""
        x = latents
        for block, guide in zip(self.coarse, self.coarse_guides, strict=True):
            x = block(x, guide(knots))
        x = nn.functional.pixel_shuffle(self.split(x), 2)
        for block, guide in zip(self.fine, self.fine_guides, strict=True):
            x = block(x, guide(knots))
        return nn.functional.pixel_shuffle(self.head(x), 8)
