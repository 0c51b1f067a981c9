"""Residual blocks of the photo codec on 8-bit numbers: two to four times as fast where processors multiply bytes.

Written with ONNX's QuantizeLinear and DequantizeLinear around ordinary products, which engines that can do so turn
into products of bytes; all others compute nearly the same in floats. Activations are bytes of a measured range,
weights have a scale for each output. Values are laid out channels last, as products of bytes want them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from isthmus.learn.export.block_parts import array, guided, leak
from isthmus.learn.export.graph_builder import GraphBuilder
from isthmus.learn.models.photo_rewriting import Block
from isthmus.learn.models.photo_transforms import CoarseBlock, FineBlock

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


def fine_block(builder: GraphBuilder, x: str, block: FineBlock, guide: str | None) -> str:
    """See `FineBlock`; `x` and the result are (1, channels, rows, columns) float32."""
    at_gather, at_spread, gathered = (ByteScale.of(measured) for measured in block.ranges)
    x = builder.channels_last(x)
    hidden = _gather(builder, _to_bytes(builder, x, at_gather), at_gather, block, gathered)
    hidden = _to_floats(builder, hidden, gathered)
    hidden = leak(builder, guided(builder, hidden, None if guide is None else builder.channels_last(guide)))
    return spread(builder, x, hidden, block, at_spread)


def coarse_block(builder: GraphBuilder, x: str, block: CoarseBlock, guide: str | None) -> str:
    """See `CoarseBlock`; `x` and the result are (1, channels, rows, columns) float32."""
    at_reduce, at_gather, at_spread, gathered = (ByteScale.of(measured) for measured in block.ranges)
    x = builder.channels_last(x)
    hidden = _product(builder, _to_bytes(builder, x, at_reduce), at_reduce, block, "reduce", guide)
    hidden = _to_bytes(builder, leak(builder, hidden), at_gather)
    hidden = _gather(builder, hidden, at_gather, block, gathered)
    return spread(builder, x, leak(builder, _to_floats(builder, hidden, gathered)), block, at_spread)


def spread(builder: GraphBuilder, x: str, hidden: str, block: Block, scale: ByteScale) -> str:
    """What a block ends in: `x` and `hidden` are channels last, the result is channels first."""
    product = _product(builder, _to_bytes(builder, hidden, scale), scale, block, "spread")
    return builder.channels_first(builder.node("Add", x, product))


def _product(builder: GraphBuilder, x: str, scale: ByteScale, block: Block, name: str, guide: str | None = None) -> str:
    """1x1 convolution of bytes to floats: engines have no other that ends in floats."""
    whole, steps = _weight(block, name)
    weight = builder.node("DequantizeLinear", builder.constant(whole[:, :, 0, 0].T), builder.constant(steps), axis=1)
    product, bias = builder.node("MatMul", _to_floats(builder, x, scale), weight), _bias(block, name)
    if guide is None:
        return builder.shifted(product, bias)
    return builder.node("Add", product, builder.shifted(builder.channels_last(guide), bias))


def _gather(builder: GraphBuilder, x: str, scale: ByteScale, block: Block, gathered: ByteScale) -> str:
    """3x3 convolution of bytes to bytes: engines have no fast one that ends in floats."""
    whole, steps = _weight(block, "gather")
    weight = builder.node("DequantizeLinear", builder.constant(whole), builder.constant(steps), axis=0)
    units = steps * scale.step
    shift = np.rint(_bias(block, "gather") / units).astype(np.int32)
    bias = builder.node("DequantizeLinear", builder.constant(shift), builder.constant(units), axis=0)
    first = builder.channels_first(_to_floats(builder, x, scale))
    sums = builder.node("Conv", first, weight, bias, kernel_shape=[3, 3], pads=[1] * 4)
    return _to_bytes(builder, builder.channels_last(sums), gathered)


def _weight(block: Block, name: str) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A layer's weight as bytes, (outputs, inputs, side, side), and the steps of its outputs.

    The bytes are those that were measured to suit; the nearest ones where nothing was.
    """
    weight = array(block.get_submodule(name).get_parameter("weight"))
    steps = (np.maximum(np.abs(weight).reshape(len(weight), -1).max(1), 1e-12) / WEIGHT_LIMIT).astype(np.float32)
    rounded: NDArray[np.int8] = block.get_buffer(f"rounded_{name}").numpy()
    if not rounded.any():
        rounded = np.rint(weight / steps[:, None, None, None]).astype(np.int8)
    return rounded, steps


def _bias(block: Block, name: str) -> NDArray[np.float32]:
    return array(block.get_submodule(name).get_parameter("bias"))


def _to_bytes(builder: GraphBuilder, x: str, scale: ByteScale) -> str:
    return builder.node("QuantizeLinear", x, builder.constant(scale.step), builder.constant(scale.zero))


def _to_floats(builder: GraphBuilder, x: str, scale: ByteScale) -> str:
    return builder.node("DequantizeLinear", x, builder.constant(scale.step), builder.constant(scale.zero))
