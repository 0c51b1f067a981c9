"""Residual blocks of the photo codec on 8-bit numbers: two to four times as fast where processors multiply bytes.

Written with ONNX's QuantizeLinear and DequantizeLinear around ordinary products, which engines that can do so turn
into products of bytes; all others compute nearly the same in floats. Activations are bytes of a measured range,
weights have a scale for each output. Values are laid out channels last, as products of bytes want them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.learn.export.block_parts import array, guided, leak
from isthmus.learn.export.graph_builder import GraphBuilder
from isthmus.learn.models.photo_transforms import CoarseBlock, FineBlock, NarrowBlock

WEIGHT_LIMIT = 63
"""Seven bits: processors without VNNI add two products of bytes in 16 bits, which would overflow with eight."""


@dataclass(frozen=True)
class ByteScale:
    """Real numbers as unsigned bytes: step * (byte - zero)."""

    step: np.float32
    zero: np.uint8

    @classmethod
    def of(cls, measured: Tensor) -> ByteScale:
        """From a measured range, (2,)."""
        low, high = measured.tolist()
        step = np.float32((high - low) / 255)
        return cls(step, np.uint8(np.clip(np.rint(-low / step), 0, 255)))


def fine_block(builder: GraphBuilder, x: str, block: FineBlock | NarrowBlock, guide: str | None) -> str:
    """See the two; `x` and the result are (1, channels, rows, columns) float32."""
    at_gather, at_spread, gathered = (ByteScale.of(measured) for measured in block.ranges)
    x = read = builder.channels_last(x)
    rounded = None
    if isinstance(block, NarrowBlock):
        read = builder.node("MatMul", x, builder.half(array(block.narrow.weight)[:, :, 0, 0].T))
        rounded = block.rounded.numpy()
    hidden = _gather(builder, _to_bytes(builder, read, at_gather), at_gather, block.gather, gathered, rounded)
    hidden = _to_floats(builder, hidden, gathered)
    hidden = guided(builder, hidden, None if guide is None else builder.channels_last(guide))
    hidden = _to_bytes(builder, leak(builder, hidden), at_spread)
    return builder.channels_first(builder.node("Add", x, _product(builder, hidden, at_spread, block.spread)))


def coarse_block(builder: GraphBuilder, x: str, block: CoarseBlock, guide: str | None) -> str:
    """See `CoarseBlock`; `x` and the result are (1, channels, rows, columns) float32."""
    at_reduce, at_gather, at_spread, gathered = (ByteScale.of(measured) for measured in block.ranges)
    x = builder.channels_last(x)
    hidden = _product(builder, _to_bytes(builder, x, at_reduce), at_reduce, block.reduce, guide)
    hidden = _to_bytes(builder, leak(builder, hidden), at_gather)
    hidden = _gather(builder, hidden, at_gather, block.gather, gathered)
    hidden = _to_bytes(builder, leak(builder, _to_floats(builder, hidden, gathered)), at_spread)
    return builder.channels_first(builder.node("Add", x, _product(builder, hidden, at_spread, block.spread)))


def _product(builder: GraphBuilder, x: str, scale: ByteScale, layer: nn.Conv2d, guide: str | None = None) -> str:
    """1x1 convolution of bytes to floats: engines have no other that ends in floats."""
    weight, _ = _weight(builder, array(layer.weight)[:, :, 0, 0].T, axis=1)
    product, bias = builder.node("MatMul", _to_floats(builder, x, scale), weight), array(layer.bias)
    if guide is None:
        return builder.shifted(product, bias)
    return builder.node("Add", product, builder.shifted(builder.channels_last(guide), bias))


def _gather(
    builder: GraphBuilder,
    x: str,
    scale: ByteScale,
    layer: nn.Conv2d,
    gathered: ByteScale,
    rounded: NDArray[np.int8] | None = None,
) -> str:
    """3x3 convolution of bytes to bytes: engines have no fast one that ends in floats."""
    weight, steps = _weight(builder, array(layer.weight), axis=0, rounded=rounded)
    units = steps * scale.step
    whole = np.rint(array(layer.bias) / units).astype(np.int32)
    bias = builder.node("DequantizeLinear", builder.constant(whole), builder.constant(units), axis=0)
    first = builder.channels_first(_to_floats(builder, x, scale))
    sums = builder.node("Conv", first, weight, bias, kernel_shape=[3, 3], pads=[1] * 4)
    return _to_bytes(builder, builder.channels_last(sums), gathered)


def _weight(
    builder: GraphBuilder, weight: NDArray[np.float32], *, axis: int, rounded: NDArray[np.int8] | None = None
) -> tuple[str, NDArray[np.float32]]:
    """The weight as bytes, the nearest ones or those `rounded` to, times steps; and those: one for each output."""
    outputs = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
    steps = (np.maximum(np.abs(outputs).max(1), 1e-12) / WEIGHT_LIMIT).astype(np.float32)
    shape = [-1 if place == axis else 1 for place in range(weight.ndim)]
    whole = rounded
    if whole is None:
        whole = np.clip(np.rint(weight / steps.reshape(shape)), -WEIGHT_LIMIT, WEIGHT_LIMIT).astype(np.int8)
    return builder.node("DequantizeLinear", builder.constant(whole), builder.constant(steps), axis=axis), steps


def _to_bytes(builder: GraphBuilder, x: str, scale: ByteScale) -> str:
    return builder.node("QuantizeLinear", x, builder.constant(scale.step), builder.constant(scale.zero))


def _to_floats(builder: GraphBuilder, x: str, scale: ByteScale) -> str:
    return builder.node("DequantizeLinear", x, builder.constant(scale.step), builder.constant(scale.zero))
