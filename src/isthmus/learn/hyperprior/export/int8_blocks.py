"""Blocks of the photo codec's transforms: on 8-bit numbers where ranges were measured, otherwise on floats.

Bytes are two to four times as fast where processors multiply them. They are written with ONNX's QuantizeLinear and
DequantizeLinear around ordinary products, which engines that can do so turn into products of bytes; all others compute
nearly the same in floats. Activations are bytes of a measured range, weights have a scale for each output. Values are
laid out channels last, as products of bytes want them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.learn.hyperprior.export.graph_builder import GraphBuilder
from isthmus.learn.hyperprior.networks.transforms import (
    LEAK,
    CoarseBlock,
    FineBlock,
    FineDetail,
    QuantisedBlock,
    scale_and_zero_point,
    weight_scales,
)


@dataclass(frozen=True)
class ScaleAndZeroPoint:
    """Real numbers as unsigned bytes: step * (byte - zero)."""

    step: np.float32
    zero: np.uint8

    @classmethod
    def of(cls, measured: Tensor) -> ScaleAndZeroPoint | None:
        """From a measured range, (2,); None if it was not measured."""
        if measured[0] == measured[1]:
            return None
        step, zero = scale_and_zero_point(measured)
        return cls(np.float32(step), np.uint8(zero))


def fine_block(builder: GraphBuilder, x: str, block: FineBlock) -> str:
    """See `FineBlock`; `x` and the result are (1, channels, rows, columns) float32."""
    at_spatial, at_expand, spatial_out = _scales(block)
    x = builder.channels_last(x)
    hidden = _neighbours(builder, _bytes(builder, x, at_spatial), at_spatial, block, "spatial", spatial_out)
    return _with_expand(builder, x, leak(builder, hidden), at_expand, block)


def coarse_block(builder: GraphBuilder, x: str, block: CoarseBlock, quality_bias: str | None = None) -> str:
    """See `CoarseBlock`; `x` and the result are (1, channels, rows, columns) float32."""
    at_reduce, at_spatial, at_expand, spatial_out = _scales(block)
    x = builder.channels_last(x)
    hidden = _bytes(builder, _product(builder, _bytes(builder, x, at_reduce), block, "reduce"), at_spatial)
    hidden = _neighbours(builder, hidden, at_spatial, block, "spatial", spatial_out)
    if quality_bias is not None:
        hidden = builder.node("Add", hidden, builder.channels_last(quality_bias))
    return _with_expand(builder, x, leak(builder, hidden), at_expand, block)


def fine_detail(builder: GraphBuilder, reads: Sequence[str], block: FineDetail, quality_biases: Sequence[str]) -> str:
    """All but the last layer of a `FineDetail`.

    Args:
        builder: of the graph.
        reads: what its two 3x3 layers read, (1, rows, columns, channels) each, but for what one tells the other.
        block: measured or not.
        quality_biases: (1, hidden, 1, 1) of each of the two.

    Returns:
        (1, rows, columns, 2 * hidden), for `expand_of`: bytes if measured.
    """
    at_first, at_skip, at_second, at_expand, first_sums, second_sums = _scales(block)
    to_first, to_second = reads
    first_bias, second_bias = (builder.channels_last(quality_bias) for quality_bias in quality_biases)
    first = _neighbours(builder, _bytes(builder, to_first, at_first), at_first, block, "first", first_sums)
    first = leak(builder, builder.node("Add", first, first_bias))
    told = builder.node("Add", to_second, _product(builder, _bytes(builder, first, at_skip), block, "skip"))
    second = _neighbours(builder, _bytes(builder, told, at_second), at_second, block, "second", second_sums)
    second = leak(builder, builder.node("Add", second, second_bias))
    return builder.join(3, *(_to_bytes(builder, hidden, at_expand) for hidden in (first, second)))


def expand_of(builder: GraphBuilder, hidden: str, block: FineDetail, order: NDArray[np.int64]) -> str:
    """The last layer, its outputs in some order."""
    scale = ScaleAndZeroPoint.of(block.ranges[block.INT8_INPUTS.index("expand")])
    return _product(builder, _to_floats(builder, hidden, scale), block, "expand", order=order)


def array(values: Tensor | None) -> NDArray[np.float32]:
    """A layer's weight or bias."""
    assert values is not None, "every layer here has one"  # noqa: S101
    numbers: NDArray[np.float32] = values.detach().numpy()
    return numbers


def leak(builder: GraphBuilder, x: str) -> str:
    """The activation of both transforms."""
    return builder.node("LeakyRelu", x, alpha=LEAK)


def int8_weight(block: QuantisedBlock, name: str) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A layer's weight as bytes, (outputs, inputs, side, side), and the steps of its outputs.

    The bytes are those that were measured to suit; the nearest ones where nothing was.
    """
    weight = block.get_submodule(name).get_parameter("weight")
    steps = array(weight_scales(weight))
    rounded: NDArray[np.int8] = block.get_buffer(f"int8_{name}").numpy()
    if not rounded.any():
        rounded = np.rint(array(weight) / steps[:, None, None, None]).astype(np.int8)
    return rounded, steps


def _scales(block: QuantisedBlock) -> list[ScaleAndZeroPoint | None]:
    return [ScaleAndZeroPoint.of(measured) for measured in block.ranges]


def _with_expand(
    builder: GraphBuilder, x: str, hidden: str, scale: ScaleAndZeroPoint | None, block: FineBlock | CoarseBlock
) -> str:
    """What a residual block ends in: `x` and `hidden` are channels last, the result is channels first."""
    product = _product(builder, _bytes(builder, hidden, scale), block, "expand")
    return builder.channels_first(builder.node("Add", x, product))


def _product(
    builder: GraphBuilder,
    x: str,
    block: QuantisedBlock,
    name: str,
    order: NDArray[np.int64] | None = None,
) -> str:
    """1x1 convolution of bytes to floats: engines have no other that ends in floats."""
    chosen = slice(None) if order is None else order
    if block.ranges.any():
        whole, steps = int8_weight(block, name)
        bytes_ = builder.constant(whole[chosen, :, 0, 0].T), builder.constant(steps[chosen])
        weight = builder.node("DequantizeLinear", *bytes_, axis=1)
    else:
        weight = builder.half(array(block.get_submodule(name).get_parameter("weight"))[chosen, :, 0, 0].T)
    return builder.shifted(builder.node("MatMul", x, weight), _bias(block, name)[chosen])


def _neighbours(
    builder: GraphBuilder,
    x: str,
    scale: ScaleAndZeroPoint | None,
    block: QuantisedBlock,
    name: str,
    sums: ScaleAndZeroPoint | None,
) -> str:
    """3x3 convolution of bytes to bytes: engines have no fast one that ends in floats."""
    x, values = builder.channels_first(x), _bias(block, name)
    if scale is None:
        real = array(block.get_submodule(name).get_parameter("weight"))
        return builder.channels_last(builder.convolution(x, real, values))
    whole, steps = int8_weight(block, name)
    weight = builder.node("DequantizeLinear", builder.constant(whole), builder.constant(steps), axis=0)
    units = steps * scale.step
    shift = np.rint(values / units).astype(np.int32)
    bias = builder.node("DequantizeLinear", builder.constant(shift), builder.constant(units), axis=0)
    made = builder.node("Conv", x, weight, bias, kernel_shape=[3, 3], pads=[1] * 4)
    return _bytes(builder, builder.channels_last(made), sums)


def _bias(block: QuantisedBlock, name: str) -> NDArray[np.float32]:
    layer = cast("nn.Conv2d", block.get_submodule(name))
    return np.zeros(layer.out_channels, np.float32) if layer.bias is None else array(layer.bias)


def _bytes(builder: GraphBuilder, x: str, scale: ScaleAndZeroPoint | None) -> str:
    """What is left of `x` in bytes: engines keep them as such up to the product behind."""
    return _to_floats(builder, _to_bytes(builder, x, scale), scale)


def _to_bytes(builder: GraphBuilder, x: str, scale: ScaleAndZeroPoint | None) -> str:
    if scale is None:
        return x
    return builder.node("QuantizeLinear", x, builder.constant(scale.step), builder.constant(scale.zero))


def _to_floats(builder: GraphBuilder, x: str, scale: ScaleAndZeroPoint | None) -> str:
    if scale is None:
        return x
    return builder.node("DequantizeLinear", x, builder.constant(scale.step), builder.constant(scale.zero))
