"""Analysis and synthesis transforms of the photo codec: a block DCT that learned to do better.

Flow of the analysis (sizes relative to the picture):

    pixels 3 -> unshuffle 8 -> 1x1 (8x8 DCT) 192 at 1/8 -> residual blocks
           -> unshuffle 2 -> 1x1 (16x16 DCT, the strongest coefficients) at 1/16 -> residual blocks -> latents

Every residual block ends in zeros, so training starts from the orthonormal transform. Features between the layers are
normalised to about unit variance by fixed scales which the export folds into the weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.learn.hyperprior.networks.quality import QualityTable
from isthmus.learn.models.dct import colour_block_matrix, merge_matrix

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


class Split(ScaledConvolution):
    """From 1/16 to 1/8: each position becomes four."""

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, rows, columns) -> (batch, outputs / 4, 2 rows, 2 columns)."""
        return nn.functional.pixel_shuffle(super().forward(x), 2)


class MirroredSplit(Split):
    """The same that makes of latents upside down positions upside down, exactly.

    That is what the cosine transforms that it starts from do, and it lets export compute it with half of the
    products: latents that the mirror leaves alone and those whose sign it turns do not mix (see
    `export.mirrored_split`). The bias is any.

    Args:
        matrix: (4 * outputs, latents), outputs in the order of `torch.pixel_shuffle`: output, row, column.
        input_scale: (latents,).
        output_scale: (4 * outputs,).
        turns: (latents,) bool: those whose sign the mirror turns.
        fine_turns: (outputs,) the same of the outputs.
    """

    def __init__(
        self,
        matrix: np.ndarray,
        input_scale: np.ndarray,
        output_scale: np.ndarray,
        turns: np.ndarray,
        fine_turns: np.ndarray,
    ) -> None:
        super().__init__(matrix, input_scale, output_scale)
        signs = 1 - 2 * (fine_turns[:, None] ^ turns[None, :]).astype(np.float32)
        self.signs: Tensor
        self.register_buffer("signs", torch.from_numpy(signs), persistent=False)

    def folded(self) -> Tensor:
        """The mean of the matrix and its mirror image."""
        weight = super().folded()
        squares = weight.reshape(len(self.signs), 2, 2, -1)
        return ((squares + squares.flip(1) * self.signs[:, None, None, :]) / 2).reshape_as(weight)


def is_odd_vertically(coefficients: np.ndarray, side: int) -> np.ndarray:
    """(coefficients,) bool: whether the vertical frequency is odd.

    Args:
        coefficients: places in the outputs of `block_cosine.colour_block_matrix(side)`.
        side: even.
    """
    odd: np.ndarray = (coefficients // side % 2).astype(bool)
    return odd


WEIGHT_LIMIT = 63
"""Seven bits: processors without VNNI add two products of bytes in 16 bits, which would overflow with eight."""


def fake_quantise(x: Tensor, measured: Tensor) -> Tensor:
    """Fake quantisation to unsigned bytes; the gradient is passed straight through to what they can hold.

    Args:
        x: any shape.
        measured: (2,) the least and the largest that they hold.
    """
    step, zero = scale_and_zero_point(measured)
    low, high = -zero, 255 - zero
    held = torch.minimum(torch.maximum(x, low * step), high * step)
    return held + (step * torch.round(held / step) - held).detach()


def scale_and_zero_point(measured: Tensor) -> tuple[Tensor, Tensor]:
    """What one is worth among the bytes of a measured range, (2,), and which of them is zero, 0..255."""
    low, high = measured.double()
    step = ((high - low) / 255).float()
    return step, torch.round(-low.float() / step).clamp(0, 255)


def weight_scales(weight: Tensor) -> Tensor:
    """(outputs,) what one is worth among the bytes of each output's weights, whose largest is WEIGHT_LIMIT."""
    return weight.detach().float().flatten(1).abs().amax(1).clamp_min(1e-12) / WEIGHT_LIMIT


def _zeros(convolution: nn.Conv2d) -> nn.Conv2d:
    """The convolution with nothing in it: a residual block that ends in it does nothing yet."""
    for parameter in convolution.parameters():
        nn.init.zeros_(parameter)
    return convolution


class QuantisedBlock(nn.Module):
    """A block that runs in int8 once its activation ranges are calibrated.

    Attributes:
        INT8_INPUTS: the layers that read int8.
        INT8_OUTPUTS: those of them whose outputs become int8.
        ranges: (INT8_INPUTS + INT8_OUTPUTS, 2) of `BlockCalibration` while its activations are fake-quantised, in a
            trial or in training; else None. Weights stay as they are: GPTQ makes good what rounding does to them.
        is_mixed: whether the layers compute in bfloat16. What they add to, and all linear transforms, stay in float32:
            a bfloat16 holds 8 bits of a brightness, and a large coefficient not to a step.
    """

    INT8_INPUTS: tuple[str, ...] = ()
    INT8_OUTPUTS: tuple[str, ...] = ()
    ranges: Tensor | None = None
    is_mixed: bool = False

    def layer(self, name: str) -> nn.Conv2d:
        """One of the layers."""
        return cast("nn.Conv2d", self.get_submodule(name))

    def input_range(self, ranges: Tensor, name: str) -> Tensor:
        """(2,) of `ranges`: that of what a layer reads."""
        return ranges[self.INT8_INPUTS.index(name)]

    def output_range(self, ranges: Tensor, name: str) -> Tensor:
        """(2,) of `ranges`: that of what a layer of INT8_OUTPUTS makes."""
        return ranges[len(self.INT8_INPUTS) + self.INT8_OUTPUTS.index(name)]

    def through(self, name: str, x: Tensor) -> Tensor:
        """What a layer makes of `x`."""
        if self.ranges is not None:
            x = fake_quantise(x, self.input_range(self.ranges, name))
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.is_mixed):
            made: Tensor = self.layer(name)(x).float()
        if self.ranges is not None and name in self.INT8_OUTPUTS:
            made = fake_quantise(made, self.output_range(self.ranges, name))
        return made


def set_fake_quantisation(model: nn.Module, ranges: Mapping[str, Tensor]) -> None:
    """Fake-quantise the activations of some blocks, and of no others.

    Args:
        model: with `QuantisedBlock`s.
        ranges: of each block by its name, of `Calibration.ranges`.
    """
    for name, block in model.named_modules():
        if isinstance(block, QuantisedBlock):
            block.ranges = ranges[name].to(block.layer("expand").weight.device) if name in ranges else None


def set_mixed(model: nn.Module, *, is_mixed: bool) -> None:
    """Let the residual blocks of a model compute in bfloat16, or again in float32."""
    for block in model.modules():
        if isinstance(block, QuantisedBlock):
            block.is_mixed = is_mixed


class FineBlock(QuantisedBlock):
    """Residual block at 1/8 resolution: 3x3 down to few channels, 1x1 back."""

    INT8_INPUTS, INT8_OUTPUTS = ("spatial", "expand"), ("spatial",)

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(channels, hidden, 3, padding=1)
        self.expand = _zeros(nn.Conv2d(hidden, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, rows, columns) -> the same shape."""
        return x + self.through("expand", leak(self.through("spatial", x)))


class CoarseBlock(QuantisedBlock):
    """Residual block at 1/16 resolution: 1x1 down to few channels, 3x3, 1x1 back."""

    INT8_INPUTS, INT8_OUTPUTS = ("reduce", "spatial", "expand"), ("spatial",)

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, hidden, 1, bias=False)
        self.spatial = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.expand = _zeros(nn.Conv2d(hidden, channels, 1))

    def forward(self, x: Tensor, quality_bias: Tensor | None = None) -> Tensor:
        """`quality_bias`: (batch, hidden, 1, 1), added before the activation."""
        hidden = self.through("spatial", self.through("reduce", x))
        if quality_bias is not None:
            hidden = hidden + quality_bias
        return x + self.through("expand", leak(hidden))


class Analysis(nn.Module):
    """Pixels (batch, 3, rows, columns), -0.5..0.5 -> latents (batch, latents, rows/16, columns/16)."""

    def __init__(self, start: TransformStart, fine_hidden: tuple[int, ...], coarse_hidden: tuple[int, ...]) -> None:
        super().__init__()
        latents = len(start.kept)
        self.stem = ScaledConvolution(colour_block_matrix(8), np.ones(FINE), 1 / start.fine_scale)
        self.fine = nn.Sequential(*[FineBlock(FINE, hidden) for hidden in fine_hidden])
        self.merge = ScaledConvolution(
            merge_matrix(8)[start.kept], np.repeat(start.fine_scale, 4), 1 / start.latent_scale
        )
        self.coarse = nn.Sequential(*[CoarseBlock(latents, hidden) for hidden in coarse_hidden])

    def forward(self, pixels: Tensor) -> Tensor:
        """See the class."""
        fine = self.fine(self.stem(nn.functional.pixel_unshuffle(pixels, 8)))
        return self.coarse(self.merge(nn.functional.pixel_unshuffle(fine, 2)))


class FineDetail(QuantisedBlock):
    """What the synthesis adds at 1/8 resolution: two 3x3 layers, the second of which is told what the first found.

    They read few channels, which are made at 1/16 for the four positions that each position becomes.
    """

    INT8_INPUTS, INT8_OUTPUTS = ("first", "skip", "second", "expand"), ("first", "second")

    def __init__(self, read: int, hidden: int, turns: np.ndarray) -> None:
        super().__init__()
        random = np.random.default_rng(0)
        matrix = random.normal(0, len(turns) ** -0.5, (4 * 2 * read, len(turns)))
        halves = np.arange(2 * read) % read >= read // 2
        self.reduce = MirroredSplit(matrix, np.ones(len(turns)), np.ones(len(matrix)), turns, halves)
        self.first = nn.Conv2d(read, hidden, 3, padding=1)
        self.skip = nn.Conv2d(hidden, read, 1, bias=False)
        self.second = nn.Conv2d(read, hidden, 3, padding=1)
        self.expand = _zeros(nn.Conv2d(2 * hidden, FINE, 1))

    def forward(self, x: Tensor, quality_bias: Tensor) -> Tensor:
        """(batch, latents, rows, columns) and (batch, 2 * hidden, 1, 1) -> (batch, FINE, 2 rows, 2 columns).

        `quality_bias` is added before the activations.
        """
        to_first, to_second = self.reduce(x).chunk(2, 1)
        first_bias, second_bias = quality_bias.chunk(2, 1)
        first = leak(self.through("first", to_first) + first_bias)
        second = leak(self.through("second", to_second + self.through("skip", first)) + second_bias)
        return self.through("expand", torch.cat([first, second], 1))


class Synthesis(nn.Module):
    """Latents (batch, latents, rows, columns) and quality -> pixels (batch, 3, 16*rows, 16*columns).

    Flow:

        latents -> residual blocks -> split -> 192 cosine coefficients at 1/8 -> 8x8 inverse DCT -> shuffle 8 -> pixels
                                  `-> fine detail -> 192 more, added --------^

    The inverse DCT is fixed, and nothing bends in front of it: export multiplies it into the layers that end in it.
    Every block's 3x3 layer, and both of the detail's, have a bias that depends on quality: at low rates more has to be
    smoothed.

    Attributes:
        turns: (latents,) bool: those whose sign a mirror of rows turns.
    """

    def __init__(self, start: TransformStart, detail: tuple[int, int], coarse_hidden: tuple[int, ...]) -> None:
        super().__init__()
        latents = len(start.kept)
        self.coarse = nn.ModuleList([CoarseBlock(latents, hidden) for hidden in coarse_hidden])
        self.coarse_quality_biases = nn.ModuleList([QualityTable.zeros(hidden) for hidden in coarse_hidden])
        turns = is_odd_vertically(start.kept, 16)
        self.turns: Tensor
        self.register_buffer("turns", torch.from_numpy(turns), persistent=False)
        self.split: Split = MirroredSplit(
            merge_matrix(8)[start.kept].T.copy(), start.latent_scale, 1 / np.repeat(start.fine_scale, 4), turns,
            is_odd_vertically(np.arange(FINE), 8),
        )  # fmt: skip
        read, hidden = detail
        self.detail = FineDetail(read, hidden, turns)
        self.detail_quality_bias = QualityTable.zeros(2 * hidden)
        self.head: Tensor
        head = colour_block_matrix(8).T * start.fine_scale
        self.register_buffer("head", torch.from_numpy(head.astype(np.float32)), persistent=False)

    def forward(self, latents: Tensor, knots: Tensor) -> Tensor:
        """`knots`: (batch, knots) interpolation weights of the quality."""
        x = latents
        for block, quality_bias in zip(self.coarse, self.coarse_quality_biases, strict=True):
            x = block(x, quality_bias(knots))
        fine = self.split(x) + self.detail(x, self.detail_quality_bias(knots))
        return nn.functional.pixel_shuffle(nn.functional.conv2d(fine, self.head[:, :, None, None]), 8)
