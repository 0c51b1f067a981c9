"""The photo codec's entropy networks in exact integers: hyper-latents and decoded latents -> scale levels and means.

The version to read: NumPy, float64 matrix products of whole numbers, far below 2^53. The version to use is the ONNX
graphs of `codec.hyperprior.integer_networks`; a test holds both to equal integers. Flow and names are those of
`learn.hyperprior.networks.entropy_model`.

Fixed point: activations are multiples of 1/32 (0..255), decoded latents and means multiples of 1/64 of a quantisation
step, scale levels whole numbers 0..63. A layer is floor(sum * 2^-shift + 1/2), clipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from isthmus.values import QUALITIES

KNOTS = 9
ACTIVATION_LIMIT = 255
READ_BITS, READ_LIMIT = 4, 127
"""What networks read of decoded latents: multiples of 1/16, within this many."""
MEAN_BITS = 6
"""Means are multiples of 1/64 of a quantisation step. With 1/16, the 384 rounded means of a block cost 0.3 dB at low
rates, where nearly every symbol is zero and the mean is what the decoder shows."""
LATENT_LIMIT = 511
"""Latents and means are kept within this many quantisation steps."""
DECODED_LIMIT = (LATENT_LIMIT + 1) << MEAN_BITS
"""Largest magnitude of a decoded latent, in 64ths."""
SCALE_LEVELS = 64
LAYERS = (
    "hyper.first", "hyper.second", "hyper.last",
    "second_context", "second_line", "third_context", "third_line", "fourth_context",
    "first_pass.first", "first_pass.last", "second_pass.first", "second_pass.last",
    "third_pass.first", "third_pass.last", "fourth_pass.first", "fourth_pass.last",
)  # fmt: skip
PASSES = ("first_pass", "second_pass", "third_pass", "fourth_pass")
PARTS = (((0, 0),), ((1, 1),), ((0, 1), (1, 0)))
"""(row, column) modulo 2 of the positions that passes 1 to 3 code, all strong channels. Pass 4 codes the weak ones."""

Integers = NDArray[np.int32]
Whole = NDArray[np.integer[Any]]
"""Whole numbers of any type that holds them."""
Reals = NDArray[np.float32]


class PriorPasses(Protocol):
    """One picture's way through the passes, in their order."""

    def estimate(self, number: int, read: Reals, decoded: Reals) -> tuple[Whole, Whole]:
        """(levels, means) of what a pass codes, (channels, count) each in the order of `gather`; means in 64ths.

        Args:
            number: of the pass, 0..3.
            read: what `squash` makes of decoded strong channels, (strong, rows, columns) float32; zero: not yet known.
            decoded: the same channels in 64ths of a quantisation step, whole numbers as well.
        """
        ...


class PriorNetworks(Protocol):
    """The networks of one model."""

    def begin(self, hyper: Integers, quality: int) -> PriorPasses:
        """Start with a picture's hyper-latents (channels, rows, columns) and quality 1..100."""
        ...


@dataclass(frozen=True)
class QualityBias:
    """What a layer adds to its sums, and how far it shifts them; all of it depends on nothing but the quality.

    Attributes:
        shift: (outputs,) int8: sums are multiplied by 2^-shift. May be negative.
        bias: (knots, outputs) int32, in the units of the sums.
    """

    shift: NDArray[np.int8]
    bias: NDArray[np.int32]

    def at(self, quality: int) -> NDArray[np.int64]:
        """(outputs,) between two knots, floor(x + 1/2) in whole 99ths: a half cannot occur, 99 is odd."""
        low, share = divmod((quality - 1) * (KNOTS - 1), QUALITIES - 1)
        if low == KNOTS - 1:
            low, share = KNOTS - 2, QUALITIES - 1
        below, above = self.bias[low].astype(np.int64), self.bias[low + 1].astype(np.int64)
        mixed: NDArray[np.int64] = (2 * (below * (QUALITIES - 1 - share) + above * share) + QUALITIES - 1) // (
            2 * (QUALITIES - 1)
        )
        return mixed

    def offset_at(self, quality: int) -> NDArray[np.float32]:
        """Bias * 2^-shift + 1/2, exactly: what a graph adds before it takes the floor."""
        return np.asarray(np.ldexp(self.at(quality).astype(np.float64), -self.shift.astype(int)) + 0.5, np.float32)


@dataclass(frozen=True)
class ExactLayer:
    """A convolution on integers.

    Attributes:
        weight: (outputs, inputs or 1, side, side) int16; the second is 1 where each channel has its own kernel.
        bias: with its shift.
    """

    weight: NDArray[np.int16]
    bias: QualityBias

    def run(self, values: NDArray[Any], quality: int) -> NDArray[np.float64]:
        """(inputs, rows, columns) whole -> (outputs, rows, columns) whole, not clipped."""
        weight = self.weight.astype(np.float64)
        side, (rows, columns) = weight.shape[2], values.shape[1:]
        padded = np.pad(values.astype(np.float64), ((0, 0), (side // 2,) * 2, (side // 2,) * 2))
        sums = np.zeros((len(weight), rows, columns))
        for row in range(side):
            for column in range(side):
                part = padded[:, row : row + rows, column : column + columns]
                kernel = weight[:, :, row, column]
                if kernel.shape[1] == 1:
                    sums += kernel[:, :, None] * part
                else:
                    sums += (kernel @ part.reshape(len(part), -1)).reshape(sums.shape)
        sums += self.bias.at(quality)[:, None, None]
        scaled: NDArray[np.float64] = np.floor(np.ldexp(sums, -self.bias.shift.astype(int)[:, None, None]) + 0.5)
        return scaled

    def activate(self, values: NDArray[Any], quality: int) -> NDArray[np.float64]:
        """`run`, clipped to an activation."""
        return np.clip(self.run(values, quality), 0, ACTIVATION_LIMIT)


def squash_table() -> NDArray[np.int16]:
    """floor(16 log(1 + y / 64) + 1/2) for y = 0..DECODED_LIMIT: made once, stored in the model file."""
    y = np.arange(DECODED_LIMIT + 1) / (1 << MEAN_BITS)
    return np.minimum(np.floor((1 << READ_BITS) * np.log1p(y) + 0.5), READ_LIMIT).astype(np.int16)


def signed_squash(table: NDArray[np.int16]) -> Reals:
    """What networks read instead of decoded latents, sign and logarithm, at the index of the latent.

    That is 0..DECODED_LIMIT, -DECODED_LIMIT..-1: NumPy counts negative indices from the end.
    """
    return np.concatenate([table, -table[:0:-1]]).astype(np.float32)


def split_estimate(level: NDArray[Any], mean: NDArray[Any]) -> tuple[Integers, Integers]:
    """Whole levels and means, clipped to what the coder takes."""
    limit = LATENT_LIMIT << MEAN_BITS
    return np.clip(level, 0, SCALE_LEVELS - 1).astype(np.int32), np.clip(mean, -limit, limit).astype(np.int32)


def gather(number: int, grid: NDArray[Any]) -> NDArray[Any]:
    """What a pass codes: (channels, rows, columns) -> (channels, count), part by part, each row by row."""
    if number == len(PARTS):
        return grid.reshape(len(grid), -1)
    return np.concatenate([grid[:, row::2, column::2].reshape(len(grid), -1) for row, column in PARTS[number]], axis=1)


def scatter(number: int, grid: NDArray[Any], values: NDArray[Any]) -> None:
    """`gather` backwards: (channels * count,) values into their places of the grid."""
    channels, rows, columns = grid.shape
    if number == len(PARTS):
        grid[:] = values.reshape(grid.shape)
        return
    parts = PARTS[number]
    quarters = values.reshape(channels, len(parts), rows // 2, columns // 2)
    for index, (row, column) in enumerate(parts):
        grid[:, row::2, column::2] = quarters[:, index]


def depth_to_space(values: NDArray[Any]) -> NDArray[Any]:
    """(4 channels, rows, columns) -> (channels, 2 rows, 2 columns): the order is channel, row, column."""
    channels, rows, columns = values.shape[0] // 4, values.shape[1], values.shape[2]
    parts = values.reshape(channels, 2, 2, rows, columns)
    return parts.transpose(0, 3, 1, 4, 2).reshape(channels, 2 * rows, 2 * columns)


class ReferenceNetworks:
    """The layers by name."""

    def __init__(self, layers: Mapping[str, ExactLayer]) -> None:
        self.layers = dict(layers)

    def begin(self, hyper: Integers, quality: int) -> ReferencePasses:
        """See `PriorNetworks.begin`."""
        return ReferencePasses(self.layers, hyper, quality)


class ReferencePasses:
    """See `PriorPasses`."""

    def __init__(self, layers: Mapping[str, ExactLayer], hyper: Integers, quality: int) -> None:
        self._layers, self._quality = layers, quality
        x = depth_to_space(self._activate("hyper.first", hyper))
        x = self._activate("hyper.second", x)
        self._features = depth_to_space(self._activate("hyper.last", x))

    def estimate(self, number: int, read: Reals, decoded: Reals) -> tuple[Whole, Whole]:
        """See `PriorPasses.estimate`."""
        name = PASSES[number]
        order = name.removesuffix("pass")
        inputs = self._features
        if number > 0:
            inputs = np.concatenate([inputs, self._activate(order + "context", read)])
        hidden = self._activate(name + ".first", inputs)
        raw_level, raw_mean = np.split(self._layers[name + ".last"].run(hidden, self._quality), 2)
        if order + "line" in self._layers:
            raw_mean = raw_mean + self._layers[order + "line"].run(decoded, self._quality)
        level, mean = split_estimate(raw_level, raw_mean)
        return gather(number, level), gather(number, mean)

    def _activate(self, name: str, values: NDArray[Any]) -> NDArray[np.float64]:
        return self._layers[name].activate(values, self._quality)
