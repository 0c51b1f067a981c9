"""ONNX graphs of the photo codec's transforms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import nn

from isthmus.learn.export import eight_bit
from isthmus.learn.export.block_parts import array, guided, leak
from isthmus.learn.export.graph_builder import GUIDES, GraphBuilder, block_order
from isthmus.learn.export.mirrored_split import class_order, mirrored_split
from isthmus.learn.models.photo_codec import PhotoCodec
from isthmus.learn.models.photo_prior import CODED_FROM, CODED_SHARE
from isthmus.learn.models.photo_rewriting import reordered
from isthmus.learn.models.photo_transforms import CoarseBlock, FineBlock, NarrowBlock, ScaledConvolution


def analysis_graph(model: PhotoCodec) -> bytes:
    """Pixels (1, 3, rows, columns) -0.5..0.5 -> latents, about unit variance."""
    builder = GraphBuilder("analysis", {"pixels": 3})
    x = builder.convolution("pixels", _blocks(model.analysis.stem, 3, 8), _bias(model.analysis.stem), stride=8)
    for block in cast("Iterable[FineBlock]", model.analysis.fine):
        x = _fine(builder, x, block, None)
    x = builder.convolution(x, _blocks(model.analysis.merge, 192, 2), _bias(model.analysis.merge), stride=2)
    for coarse in cast("Iterable[CoarseBlock]", model.analysis.coarse):
        x = _coarse(builder, x, coarse, None)
    return builder.finish({"latents": x})


def hyper_analysis_graph(model: PhotoCodec) -> bytes:
    """Latents in quantisation steps -> hyper-latents, to be rounded and clipped."""
    net = model.hyper_analysis
    builder = GraphBuilder("hyper_analysis", {"steps": model.settings.latents})
    size = builder.node("Abs", "steps")
    coded = builder.node("Floor", builder.node("Add", size, builder.constant(np.float32(1 - CODED_FROM))))
    left = builder.node("Mul", size, builder.constant(np.float32(1 - CODED_SHARE)))
    size = builder.node("Add", left, builder.node("Mul", coded, builder.constant(np.float32(CODED_SHARE))))
    size = builder.node("Log", builder.node("Add", size, builder.constant(np.float32(1))))
    large = builder.node("Mul", "steps", builder.constant(np.float32(2.0**100)))
    x = builder.node("Mul", builder.clip(large, -1, 1), size)  # the sign: ONNX Runtime's Sign takes four times as long
    x = builder.node("Relu", _layer(builder, builder.join(1, x, size), net.first))
    width = net.first.weight.shape[0]
    second = array(net.second.weight).reshape(-1, width, 2, 2)
    x = builder.node("Relu", builder.convolution(x, second, array(net.second.bias), stride=2))
    x = builder.node("Relu", _layer(builder, x, net.third))
    last = array(net.last.weight).reshape(-1, width, 2, 2)
    return builder.finish({"hyper": builder.convolution(x, last, array(net.last.bias), stride=2)})


def synthesis_graph(model: PhotoCodec) -> bytes:
    """Latents (1, channels, rows, columns) and guides (1, hidden widths in order, 1, 1) -> picture.

    That is bytes, square by square: (1, 2 rows, 2 columns, 8 x 8 x 3), each in the order row, column, colour.
    """
    net = model.synthesis
    widths = [table.table.shape[1] for table in (*net.coarse_guides, *net.fine_guides)]
    builder = GraphBuilder("synthesis", {"latents": model.settings.latents, GUIDES: sum(widths)})
    ends = np.cumsum(widths).tolist()
    guides = [builder.channels(GUIDES, end - width, end) for end, width in zip(ends, widths, strict=True)]
    classes = class_order(net.split)  # from here on, so that the split's parts lie behind one another
    x = builder.node("Gather", "latents", builder.constant(classes), axis=1)
    for coarse, guide in zip(cast("Iterable[CoarseBlock]", net.coarse), guides[: len(net.coarse)], strict=True):
        x = _coarse(builder, x, reordered(coarse, classes), guide)
    x = builder.channels_first(mirrored_split(builder, builder.channels_last(x), net.split))
    fines = cast("Iterable[FineBlock | NarrowBlock]", net.fine)
    for fine, guide in zip(fines, guides[len(net.coarse) :], strict=True):
        x = _fine(builder, x, fine, guide)
    order = block_order(3, 8)
    weight, bias = array(net.head.folded())[order, :, 0, 0], _bias(net.head)[order]
    head = builder.matrix(builder.channels_last(x), weight, bias + np.float32(0.5))
    units = builder.constant(np.float32(1 / 255)), builder.constant(np.uint8(0))
    return builder.finish({"picture": builder.node("QuantizeLinear", head, *units)})


def _fine(builder: GraphBuilder, x: str, block: FineBlock | NarrowBlock, guide: str | None) -> str:
    if isinstance(block, FineBlock) and block.ranges.any():
        return eight_bit.fine_block(builder, x, block, guide)
    last = builder.channels_last(x)
    if isinstance(block, NarrowBlock):
        weight = builder.half(array(block.narrow.weight)[:, :, 0, 0].T)
        x = builder.channels_first(builder.node("MatMul", last, weight))
    hidden = builder.channels_last(leak(builder, guided(builder, _layer(builder, x, block.gather), guide)))
    if block.ranges.any():
        return eight_bit.spread(builder, last, hidden, block, eight_bit.ByteScale.of(block.ranges[0]))
    spread = builder.matrix(hidden, array(block.spread.weight)[:, :, 0, 0], array(block.spread.bias))
    return builder.channels_first(builder.node("Add", last, spread))


def _coarse(builder: GraphBuilder, x: str, block: CoarseBlock, guide: str | None) -> str:
    if block.ranges.any():
        return eight_bit.coarse_block(builder, x, block, guide)
    hidden = leak(builder, guided(builder, _layer(builder, x, block.reduce), guide))
    hidden = leak(builder, _layer(builder, hidden, block.gather))
    return builder.node("Add", x, _layer(builder, hidden, block.spread))


def _layer(builder: GraphBuilder, x: str, layer: nn.Conv2d) -> str:
    return builder.convolution(x, array(layer.weight), array(layer.bias))


def _blocks(convolution: ScaledConvolution, channels: int, side: int) -> NDArray[np.float32]:
    """The weight behind a pixel_unshuffle as one of a strided convolution."""
    return array(convolution.folded()).reshape(-1, channels, side, side)


def _bias(convolution: ScaledConvolution) -> NDArray[np.float32]:
    return array(convolution.bias)
