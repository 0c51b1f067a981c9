"""The integer networks of the hyperprior in NumPy: hyper-latents and decoded latents -> scale indices and means.

The version to read: float64 matrix products of integers, far below 2^53. The version to use is the ONNX graphs of
`codec.hyperprior.integer_networks`; a test holds both to equal integers, and the model file has a checksum of theirs.
The differentiable version, with the same names, is `learn.hyperprior.networks.entropy_model`. `fixed_point` has the
number formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.fixed_point import (
    ACTIVATION_LIMIT,
    KNOTS,
    LATENT_LIMIT,
    MEAN_BITS,
    SCALES,
    AnyInt,
    Float32,
    Int32,
)  # fmt: skip
from isthmus.entropy.passes import Pass
from isthmus.values import QUALITIES


class PriorPasses(Protocol):
    """The passes over one tile, in their order."""

    def estimate(self, one: Pass, companded: Float32, decoded: Float32) -> tuple[AnyInt, AnyInt]:
        """Scale indices and means of what a pass codes.

        Args:
            one: of `passes.PASSES`.
            companded: (first group, rows, columns) decoded latents after `signed_companding`; zero: not yet known.
            decoded: the same latents in 64ths of a quantisation step, whole numbers as well.

        Returns:
            (channels, count) each, in the order of `Pass.gather`: scale indices 0..63; means in 64ths of a step.
        """
        ...


class PriorNetworks(Protocol):
    """The networks of one model."""

    def begin(self, hyper: Int32, quality: int) -> PriorPasses:
        """Start with the hyper-latents (channels, rows, columns) of a tile and the file's quality 1..100."""
        ...


@dataclass(frozen=True)
class QualityBias:
    """What a layer adds to its sums, and how far it shifts them: functions of the quality alone.

    Attributes:
        shift: (outputs,) int8: sums are multiplied by 2^-shift. May be negative.
        bias: (KNOTS, outputs) int32, in the units of the sums.
    """

    shift: NDArray[np.int8]
    bias: NDArray[np.int32]

    def at(self, quality: int) -> NDArray[np.int64]:
        """(outputs,) between two knots, floor(x + 1/2) in whole 99ths: a half cannot occur, since 99 is odd."""
        low, share = divmod((quality - 1) * (KNOTS - 1), QUALITIES - 1)
        if low == KNOTS - 1:
            low, share = KNOTS - 2, QUALITIES - 1
        below, above = self.bias[low].astype(np.int64), self.bias[low + 1].astype(np.int64)
        mixed: NDArray[np.int64] = (2 * (below * (QUALITIES - 1 - share) + above * share) + QUALITIES - 1) // (
            2 * (QUALITIES - 1)
        )
        return mixed

    def offset_at(self, quality: int) -> Float32:
        """(outputs,) bias * 2^-shift + 1/2, exactly: what a graph adds before it takes the floor."""
        return np.asarray(np.ldexp(self.at(quality).astype(np.float64), -self.shift.astype(int)) + 0.5, np.float32)


@dataclass(frozen=True)
class IntegerLayer:
    """A convolution on integers.

    Attributes:
        weight: (outputs, inputs or 1, side, side) int16; the second axis is 1 in depthwise layers.
        bias: with its shift.
    """

    weight: NDArray[np.int16]
    bias: QualityBias

    def run(self, values: NDArray[Any], quality: int) -> NDArray[np.float64]:
        """(inputs, rows, columns) integers -> (outputs, rows, columns) integers, not clipped."""
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
        """`run`, clipped to an activation 0..255."""
        return np.clip(self.run(values, quality), 0, ACTIVATION_LIMIT)


def clip_estimate(scale_indices: NDArray[Any], means: NDArray[Any]) -> tuple[Int32, Int32]:
    """Whole scale indices and means, clipped to what the coder takes."""
    limit = LATENT_LIMIT << MEAN_BITS
    return np.clip(scale_indices, 0, SCALES - 1).astype(np.int32), np.clip(means, -limit, limit).astype(np.int32)


def depth_to_space(values: NDArray[Any]) -> NDArray[Any]:
    """(4 channels, rows, columns) -> (channels, 2 rows, 2 columns): the order is channel, row, column."""
    channels, rows, columns = values.shape[0] // 4, values.shape[1], values.shape[2]
    parts = values.reshape(channels, 2, 2, rows, columns)
    return parts.transpose(0, 3, 1, 4, 2).reshape(channels, 2 * rows, 2 * columns)


class ReferenceNetworks:
    """The integer layers by name; see `PriorNetworks`."""

    def __init__(self, layers: Mapping[str, IntegerLayer]) -> None:
        self.layers = dict(layers)

    def begin(self, hyper: Int32, quality: int) -> ReferencePasses:
        """See `PriorNetworks.begin`."""
        return ReferencePasses(self.layers, hyper, quality)


class ReferencePasses:
    """See `PriorPasses`."""

    def __init__(self, layers: Mapping[str, IntegerLayer], hyper: Int32, quality: int) -> None:
        self._layers, self._quality = layers, quality
        x = depth_to_space(self._activate("hyper.first", hyper))
        x = self._activate("hyper.second", x)
        self._features = depth_to_space(self._activate("hyper.last", x))

    def estimate(self, one: Pass, companded: Float32, decoded: Float32) -> tuple[AnyInt, AnyInt]:
        """See `PriorPasses.estimate`."""
        inputs = self._features
        if one.context is not None:
            inputs = np.concatenate([inputs, self._activate(one.context, companded)])
        hidden = self._activate(f"{one.network}.first", inputs)
        scale_indices, means = np.split(self._layers[f"{one.network}.last"].run(hidden, self._quality), 2)
        if one.mean_predictor is not None:
            means = means + self._layers[one.mean_predictor].run(decoded, self._quality)
        clipped = clip_estimate(scale_indices, means)
        return one.gather(clipped[0]), one.gather(clipped[1])

    def _activate(self, name: str, values: NDArray[Any]) -> NDArray[np.float64]:
        return self._layers[name].activate(values, self._quality)
