"""Blocks of the transforms as ONNX: int8 where they are calibrated, otherwise floats.

Int8 is two to four times as fast where processors multiply it. It is written with ONNX's QuantizeLinear and
DequantizeLinear around ordinary products, which engines that can do so turn into integer products; all others compute
nearly the same in floats. Activations are unsigned bytes of a calibrated range, weights have a scale for each output.
Values are laid out channels last, as integer products want them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from isthmus.learn.export.graph_builder import GraphBuilder
from isthmus.learn.hyperprior.calibration.calibration import BlockCalibration
from isthmus.learn.hyperprior.networks.transforms import (
    LEAK,
    CoarseBlock,
    FineBlock,
    QuantisedBlock,
    scale_and_zero_point,
    weight_scales,
)


@dataclass(frozen=True)
class ScaleAndZeroPoint:
    """Real numbers as unsigned bytes: scale * (byte - zero point)."""

    scale: np.float32
    zero: np.uint8

    @classmethod
    def of(cls, measured: Tensor) -> ScaleAndZeroPoint:
        """From a calibrated range, (2,)."""
        scale, zero = scale_and_zero_point(measured)
        return cls(np.float32(scale), np.uint8(zero))


@dataclass(frozen=True)
class BlockGraph:
    """The layers of one block in a graph.

    Attributes:
        builder: of the graph.
        block: whose layers they are.
        calibration: None: they compute in floats.
        order: of the channels that the block reads and adds to; None: as they are.
    """

    builder: GraphBuilder
    block: QuantisedBlock
    calibration: BlockCalibration | None
    order: NDArray[np.int64] | None = None

    def to_int8(self, x: str, layer: str) -> str:
        """What a layer reads, as int8; as it is where the block is not calibrated."""
        scale = self._input(layer)
        return x if scale is None else self._quantise(x, scale)

    def to_float(self, x: str, layer: str) -> str:
        """`to_int8` backwards: engines keep int8 up to the product behind."""
        scale = self._input(layer)
        return x if scale is None else self._dequantise(x, scale)

    def read(self, x: str, layer: str) -> str:
        """`to_int8` and `to_float`."""
        return self.to_float(self.to_int8(x, layer), layer)

    def product(self, x: str, layer: str, rows: NDArray[np.int64] | None = None) -> str:
        """1x1 convolution of int8 to floats: engines have no other that ends in floats.

        Args:
            x: of `read`, channels last.
            layer: its name.
            rows: which outputs, in which order; None: as they are.
        """
        chosen = slice(None) if rows is None else rows
        weight, bias = self._weight(layer)[chosen, :, 0, 0].T, self._bias(layer)[chosen]
        if self.calibration is None:
            real = self.builder.half(weight)
        else:
            constants = self.builder.constant(weight), self.builder.constant(self._steps(layer)[chosen])
            real = self.builder.node("DequantizeLinear", *constants, axis=1)
        return self.builder.shifted(self.builder.node("MatMul", x, real), bias)

    def neighbours(self, x: str, layer: str) -> str:
        """3x3 convolution of int8 to int8: engines have no fast one that ends in floats; channels last."""
        builder, weight, values = self.builder, self._weight(layer), self._bias(layer)
        scale, x = self._input(layer), builder.channels_first(x)
        if self.calibration is None or scale is None:
            return builder.channels_last(builder.convolution(x, weight, values))
        steps = self._steps(layer)
        real = builder.node("DequantizeLinear", builder.constant(weight), builder.constant(steps), axis=0)
        units = steps * scale.scale
        shift = np.rint(values / units).astype(np.int32)
        bias = builder.node("DequantizeLinear", builder.constant(shift), builder.constant(units), axis=0)
        made = builder.node("Conv", x, real, bias, kernel_shape=[3, 3], pads=[1] * 4)
        output = ScaleAndZeroPoint.of(self.block.output_range(self.calibration.ranges, layer))
        return self._dequantise(self._quantise(builder.channels_last(made), output), output)

    def _input(self, layer: str) -> ScaleAndZeroPoint | None:
        if self.calibration is None:
            return None
        return ScaleAndZeroPoint.of(self.block.input_range(self.calibration.ranges, layer))

    def _quantise(self, x: str, scale: ScaleAndZeroPoint) -> str:
        return self.builder.node(
            "QuantizeLinear", x, self.builder.constant(scale.scale), self.builder.constant(scale.zero)
        )

    def _dequantise(self, x: str, scale: ScaleAndZeroPoint) -> str:
        return self.builder.node(
            "DequantizeLinear", x, self.builder.constant(scale.scale), self.builder.constant(scale.zero)
        )

    def _weight(self, layer: str) -> NDArray[Any]:
        """(outputs, inputs, side, side) float32, int8 if calibrated."""
        weight: NDArray[Any] = array(self.block.layer(layer).weight)
        if self.calibration is not None:
            weight = int8_weight(self.block, layer, self.calibration)
        if self.order is None:
            return weight
        return weight[self.order] if layer == "expand" else weight[:, self.order] if layer == "reduce" else weight

    def _steps(self, layer: str) -> NDArray[np.float32]:
        """(outputs,) what one is worth among the int8 weights of each output."""
        return self._reordered(array(weight_scales(self.block.layer(layer).weight)), layer)

    def _bias(self, layer: str) -> NDArray[np.float32]:
        convolution = self.block.layer(layer)
        if convolution.bias is None:
            return np.zeros(convolution.out_channels, np.float32)
        return self._reordered(array(convolution.bias), layer)

    def _reordered(self, values: NDArray[np.float32], layer: str) -> NDArray[np.float32]:
        return values[self.order] if self.order is not None and layer == "expand" else values


def fine_block(builder: GraphBuilder, x: str, block: FineBlock, calibration: BlockCalibration | None) -> str:
    """See `FineBlock`; `x` and the result are (1, channels, rows, columns) float32."""
    layers = BlockGraph(builder, block, calibration)
    x = builder.channels_last(x)
    hidden = layers.neighbours(layers.read(x, "spatial"), "spatial")
    return _with_expand(layers, x, leak(builder, hidden))


def coarse_block(
    builder: GraphBuilder,
    x: str,
    block: CoarseBlock,
    calibration: BlockCalibration | None,
    *,
    quality_bias: str | None = None,
    order: NDArray[np.int64] | None = None,
) -> str:
    """See `CoarseBlock`; `x` and the result are (1, channels, rows, columns) float32, the channels in some order."""
    layers = BlockGraph(builder, block, calibration, order)
    x = builder.channels_last(x)
    hidden = layers.read(layers.product(layers.read(x, "reduce"), "reduce"), "spatial")
    hidden = layers.neighbours(hidden, "spatial")
    if quality_bias is not None:
        hidden = builder.node("Add", hidden, builder.channels_last(quality_bias))
    return _with_expand(layers, x, leak(builder, hidden))


def fine_detail(layers: BlockGraph, reads: Sequence[str], quality_biases: Sequence[str]) -> str:
    """All but the last layer of a `FineDetail`.

    Args:
        layers: of the detail.
        reads: what its two 3x3 layers read, (1, rows, columns, channels) each, but for the skip between them.
        quality_biases: (1, hidden, 1, 1) of each of the two.

    Returns:
        (1, rows, columns, 2 * hidden), for `expand_of`: int8 if calibrated.
    """
    builder = layers.builder
    to_first, to_second = reads
    first_bias, second_bias = (builder.channels_last(quality_bias) for quality_bias in quality_biases)
    first = layers.neighbours(layers.read(to_first, "first"), "first")
    first = leak(builder, builder.node("Add", first, first_bias))
    skipped = layers.product(layers.read(first, "skip"), "skip")
    second = layers.neighbours(layers.read(builder.node("Add", to_second, skipped), "second"), "second")
    second = leak(builder, builder.node("Add", second, second_bias))
    return builder.join(3, *(layers.to_int8(hidden, "expand") for hidden in (first, second)))


def expand_of(layers: BlockGraph, hidden: str, rows: NDArray[np.int64]) -> str:
    """The last layer of a detail, its outputs in some order."""
    return layers.product(layers.to_float(hidden, "expand"), "expand", rows)


def array(values: Tensor | None) -> NDArray[np.float32]:
    """A layer's weight or bias."""
    assert values is not None, "every layer here has one"  # noqa: S101
    numbers: NDArray[np.float32] = values.detach().numpy()
    return numbers


def leak(builder: GraphBuilder, x: str) -> str:
    """The activation of both transforms."""
    return builder.node("LeakyRelu", x, alpha=LEAK)


def int8_weight(block: QuantisedBlock, layer: str, calibration: BlockCalibration) -> NDArray[np.int8]:
    """(outputs, inputs, side, side): those of the calibration, or the nearest ones where it has none of the layer."""
    if layer in calibration.int8_weights:
        rounded: NDArray[np.int8] = calibration.int8_weights[layer].cpu().numpy()
        return rounded
    weight = block.layer(layer).weight
    nearest: NDArray[np.int8] = np.rint(array(weight) / array(weight_scales(weight))[:, None, None, None]).astype(
        np.int8
    )
    return nearest


def _with_expand(layers: BlockGraph, x: str, hidden: str) -> str:
    """What a residual block ends in: `x` and `hidden` are channels last, the result is channels first."""
    product = layers.product(layers.read(hidden, "expand"), "expand")
    return layers.builder.channels_first(layers.builder.node("Add", x, product))
