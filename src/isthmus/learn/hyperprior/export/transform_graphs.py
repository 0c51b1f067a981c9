"""ONNX graphs of the photo codec's transforms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import nn

from isthmus.codec.hyperprior.layout import SQUARE
from isthmus.learn.export.graph_builder import QUALITY_BIAS, GraphBuilder, block_order
from isthmus.learn.hyperprior.calibration.calibration import BlockCalibration
from isthmus.learn.hyperprior.export.int8_blocks import (
    BlockGraph,
    array,
    coarse_block,
    expand_of,
    fine_block,
    fine_detail,
)
from isthmus.learn.hyperprior.export.mirrored_split import mirrored_split
from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec
from isthmus.learn.hyperprior.networks.entropy_model import DEAD_ZONE_EDGE, DEAD_ZONE_STRENGTH
from isthmus.learn.hyperprior.networks.quality import QualityTable
from isthmus.learn.hyperprior.networks.transforms import CoarseBlock, FineBlock, ScaledConvolution, Synthesis

Blocks = Mapping[str, BlockCalibration]
"""Calibrations by the name of the block; those that are not here compute in floats."""


def analysis_graph(model: HyperpriorCodec, blocks: Blocks) -> bytes:
    """Pixels (1, 3, rows, columns) -0.5..0.5 -> latents, about unit variance."""
    builder = GraphBuilder("analysis", {"pixels": 3})
    x = builder.convolution("pixels", _blocks(model.analysis.stem, 3, 8), _bias(model.analysis.stem), stride=8)
    for number, block in enumerate(cast("Iterable[FineBlock]", model.analysis.fine)):
        x = fine_block(builder, x, block, blocks.get(f"analysis.fine.{number}"))
    x = builder.convolution(x, _blocks(model.analysis.merge, 192, 2), _bias(model.analysis.merge), stride=2)
    for number, coarse in enumerate(cast("Iterable[CoarseBlock]", model.analysis.coarse)):
        x = coarse_block(builder, x, coarse, blocks.get(f"analysis.coarse.{number}"))
    return builder.finish({"latents": x})


def hyper_analysis_graph(model: HyperpriorCodec) -> bytes:
    """Latents in quantisation steps -> hyper-latents, to be rounded and clipped."""
    net = model.hyper_analysis
    builder = GraphBuilder("hyper_analysis", {"steps": model.settings.latents})
    size = builder.node("Abs", "steps")
    coded = builder.node("Floor", builder.node("Add", size, builder.constant(np.float32(1 - DEAD_ZONE_EDGE))))
    left = builder.node("Mul", size, builder.constant(np.float32(1 - DEAD_ZONE_STRENGTH)))
    size = builder.node("Add", left, builder.node("Mul", coded, builder.constant(np.float32(DEAD_ZONE_STRENGTH))))
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


def synthesis_graph(model: HyperpriorCodec, blocks: Blocks) -> bytes:
    """Latents (1, channels, rows, columns) and quality_biases (1, hidden widths in order, 1, 1) -> picture.

    That is bytes, square by square: (1, 2 rows, 2 columns, 8 x 8 x 3), each in the order row, column, colour.

    Args:
        model: of `fold_for_export`, so that split and detail end in pixels.
        blocks: calibrations by block; those that are not here compute in floats.
    """
    net = model.synthesis
    hidden = net.detail.first.out_channels
    tables = cast("Iterable[QualityTable]", net.coarse_quality_biases)
    widths = [*(table.table.shape[1] for table in tables), hidden, hidden]
    builder = GraphBuilder("synthesis", {"latents": model.settings.latents, QUALITY_BIAS: sum(widths)})
    ends = np.cumsum(widths).tolist()
    quality_biases = [builder.channels(QUALITY_BIAS, end - width, end) for end, width in zip(ends, widths, strict=True)]
    turns = net.turns.numpy()
    order = np.argsort(turns, kind="stable")  # from here on, so that both halves of the splits lie together
    x = builder.node("Gather", "latents", builder.constant(order), axis=1)
    coarse_blocks = zip(cast("Iterable[CoarseBlock]", net.coarse), quality_biases, strict=False)
    for number, (coarse, quality_bias) in enumerate(coarse_blocks):
        calibration = blocks.get(f"synthesis.coarse.{number}")
        x = coarse_block(builder, x, coarse, calibration, quality_bias=quality_bias, order=order)
    halves = builder.split(builder.channels_last(x), np.bincount(turns, minlength=2))
    layers = BlockGraph(builder, net.detail, blocks.get("synthesis.detail"))
    detail = fine_detail(layers, _detail_reads(builder, halves, net), quality_biases[-2:])
    return builder.finish({"picture": _picture(layers, halves, net, _rows_apart(builder, detail, 2 * hidden))})


def _detail_reads(builder: GraphBuilder, halves: list[str], net: Synthesis) -> list[str]:
    """What the two layers of the detail read, (1, 2 rows, 2 columns, channels) each."""
    reduce = net.detail.reduce
    matrix = array(reduce.folded()).reshape(len(reduce.signs), 2, 2, -1)
    bias = array(reduce.bias).reshape(len(reduce.signs), 2, 2)
    signs = array(reduce.signs[:, ~net.turns][:, 0])
    reads = []
    for part in np.split(np.arange(len(signs)), 2):
        turned = np.stack([bias[part, 0], bias[part, 1] * signs[part, None]], 1)
        upper, lower = mirrored_split(builder, halves, net.turns.numpy(), matrix[part], turned)
        lower = builder.node("Mul", lower, builder.constant(signs[part]))
        reads.append(builder.interleaved_rows([upper, lower], len(part)))
    return reads


def _rows_apart(builder: GraphBuilder, x: str, channels: int) -> list[str]:
    """(1, 2 rows, columns, channels) -> the even and the odd rows, (1, rows, columns, channels) each."""
    pairs = builder.node("Reshape", x, builder.constant(np.array([-1, 2, 0, channels], np.int64)))
    rows = builder.constant(np.array([1, -1, 0, channels], np.int64))
    return [builder.node("Reshape", part, rows) for part in builder.split(pairs, np.array([1, 1]), axis=1)]


def _picture(layers: BlockGraph, halves: list[str], net: Synthesis, details: list[str]) -> str:
    """Split and detail, rounded; where a pair's lower row of squares is made, squares are upside down."""
    builder, pixels = layers.builder, block_order(3, SQUARE)
    upside_down = pixels.reshape(SQUARE, -1)[::-1].ravel()
    matrix = array(net.split.folded()).reshape(len(pixels), 2, 2, -1)
    bias = array(net.split.bias).reshape(len(pixels), 2, 2) + np.float32(0.5)
    ordered = np.stack([bias[pixels, 0], bias[upside_down, 1]], 1)
    parts = mirrored_split(builder, halves, net.turns.numpy(), matrix[pixels], ordered)
    units = builder.constant(np.float32(1 / 255)), builder.constant(np.uint8(0))
    upper, lower = (
        builder.node("QuantizeLinear", builder.node("Add", part, expand_of(layers, detail, order)), *units)
        for part, detail, order in zip(parts, details, (pixels, upside_down), strict=True)
    )
    runs = builder.constant(np.array([0, 0, -1, SQUARE, SQUARE * 3], np.int64))
    squares = builder.constant(np.array([0, 0, -1, len(pixels)], np.int64))
    rising = builder.constant(np.arange(SQUARE)[::-1])
    lower = builder.node("Gather", builder.node("Reshape", lower, runs), rising, axis=3)
    return builder.interleaved_rows([upper, builder.node("Reshape", lower, squares)], len(pixels))


def _layer(builder: GraphBuilder, x: str, layer: nn.Conv2d) -> str:
    return builder.convolution(x, array(layer.weight), array(layer.bias))


def _blocks(convolution: ScaledConvolution, channels: int, side: int) -> NDArray[np.float32]:
    """The weight behind a pixel_unshuffle as one of a strided convolution."""
    return array(convolution.folded()).reshape(-1, channels, side, side)


def _bias(convolution: ScaledConvolution) -> NDArray[np.float32]:
    return array(convolution.bias)
