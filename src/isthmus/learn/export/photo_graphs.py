"""ONNX graphs of the photo codec, built node by node: few operators, any picture size, nothing of PyTorch in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from isthmus.entropy.exact import (
    ACTIVATION_LIMIT,
    LATENT_LIMIT,
    MEAN_BITS,
    PARTS,
    PASSES,
    SCALE_LEVELS,
    ExactLayer,
)  # fmt: skip
from isthmus.learn.models.photo_codec import PhotoCodec
from isthmus.learn.models.photo_transforms import FINE, LEAK, CoarseBlock, FineBlock, ScaledConvolution

OPSET = 18
OUTPUT_TYPES = {"levels": TensorProto.UINT8, "means": TensorProto.INT16}
"""Of the outputs that are no floats."""
GUIDES = "guides"
"""Input of the synthesis: what it is told of the quality."""


class GraphBuilder:
    """Collects nodes; every method takes and returns names of values, (1, channels, rows, columns) float32 each."""

    def __init__(self, name: str, inputs: dict[str, int], *, is_half: bool = True) -> None:
        """Start a graph.

        Args:
            name: of the graph.
            inputs: name -> channels.
            is_half: weights are stored in half precision; they are computed with in single.
        """
        self._name, self._inputs, self._is_half = name, inputs, is_half
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """One operator with one output."""
        output = f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, values: NDArray[Any] | np.generic) -> str:
        """An initializer."""
        name = f"c{len(self._initializers)}"
        self._initializers[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def half(self, values: NDArray[np.float32]) -> str:
        """A float32 value stored as float16; engines turn it into float32 once, when they load the graph."""
        return self.node("Cast", self.constant(values.astype(np.float16)), to=TensorProto.FLOAT)

    def convolution(
        self,
        x: str,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32] | None = None,
        *,
        stride: int = 1,
        groups: int = 1,
        part: tuple[int, int] | None = None,
    ) -> str:
        """Zero-padded to the same size, or cut into blocks of `stride`, or 3x3 at one of `entropy.exact.PARTS`."""
        inputs = [x, self.half(weight) if self._is_half else self.constant(weight.astype(np.float32))]
        if bias is not None:
            inputs.append(self.constant(bias.astype(np.float32)))
        side = weight.shape[2]
        pads = [0 if stride > 1 else side // 2] * 4
        if part is not None:
            row, column = part
            stride, pads = 2, [1 - row, 1 - column, row, column]
        return self.node("Conv", *inputs, kernel_shape=[side, side], strides=[stride] * 2, pads=pads, group=groups)

    def depth_to_space(self, x: str, channels: int, block: int) -> str:
        """(1, channels * block * block, rows, columns) -> (1, channels, block * rows, block * columns).

        As two transpositions: columns, then rows. ONNX Runtime's DepthToSpace takes twice as long.
        """
        split = self.constant(np.array([channels * block, block, 0, 0], np.int64))
        columns = self.node("Transpose", self.node("Reshape", x, split), perm=[0, 2, 3, 1])
        count = self.constant(np.array([channels, block], np.int64))
        shape = self.join(0, count, self.node("Shape", x, start=2, end=3), self.constant(np.array([-1], np.int64)))
        rows = self.node("Transpose", self.node("Reshape", columns, shape), perm=[0, 2, 1, 3])
        return self.node("Reshape", rows, self.constant(np.array([1, channels, -1, 0], np.int64)))

    def clip(self, x: str, low: float, high: float) -> str:
        """Clamp."""
        return self.node("Clip", x, self.constant(np.float32(low)), self.constant(np.float32(high)))

    def channels(self, x: str, start: int, end: int) -> str:
        """Some channels."""
        return self.node("Slice", x, *(self.constant(np.array([value], np.int64)) for value in (start, end, 1)))

    def every_other(self, x: str, part: tuple[int, int]) -> str:
        """Every second row and column from some on."""
        last = np.iinfo(np.int64).max
        bounds = (list(part), [last, last], [2, 3], [2, 2])
        return self.node("Slice", x, *(self.constant(np.array(values, np.int64)) for values in bounds))

    def join(self, axis: int, *parts: str) -> str:
        """Behind one another."""
        return parts[0] if len(parts) == 1 else self.node("Concat", *parts, axis=axis)

    def finish(self, outputs: dict[str, str]) -> bytes:
        """The model's bytes; `outputs`: public name -> value."""
        nodes = [*self._nodes, *(helper.make_node("Identity", [value], [name]) for name, value in outputs.items())]
        graph = helper.make_graph(
            nodes, self._name,
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, *_sides(name)])
                for name, channels in self._inputs.items()
            ],
            [
                helper.make_tensor_value_info(name, OUTPUT_TYPES.get(name, TensorProto.FLOAT), [1, None, None, None])
                for name in outputs
            ],
            list(self._initializers.values()),
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.checker.check_model(model)
        data: bytes = model.SerializeToString(deterministic=True)
        return data


def _sides(name: str) -> tuple[int | None, int | None]:
    """Rows and columns of an input: one of what is the same at every position, else any number."""
    return (1, 1) if name == GUIDES or name.startswith("offset.") else (None, None)


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
    size = builder.node("Log", builder.node("Add", builder.node("Abs", "steps"), builder.constant(np.float32(1))))
    large = builder.node("Mul", "steps", builder.constant(np.float32(2.0**100)))
    x = builder.node("Mul", builder.clip(large, -1, 1), size)  # the sign: ONNX Runtime's Sign takes four times as long
    x = builder.node("Relu", builder.convolution(x, _array(net.first.weight), _array(net.first.bias)))
    width = net.first.weight.shape[0]
    second = _array(net.second.weight).reshape(-1, width, 2, 2)
    x = builder.node("Relu", builder.convolution(x, second, _array(net.second.bias), stride=2))
    x = builder.node("Relu", builder.convolution(x, _array(net.third.weight), _array(net.third.bias)))
    last = _array(net.last.weight).reshape(-1, width, 2, 2)
    return builder.finish({"hyper": builder.convolution(x, last, _array(net.last.bias), stride=2)})


def synthesis_graph(model: PhotoCodec) -> bytes:
    """Latents (1, channels, rows, columns) and guides (1, hidden widths in order, 1, 1) -> pixels."""
    net = model.synthesis
    widths = [table.table.shape[1] for table in (*net.coarse_guides, *net.fine_guides)]
    builder = GraphBuilder("synthesis", {"latents": model.settings.latents, GUIDES: sum(widths)})
    ends = np.cumsum(widths).tolist()
    guides = [builder.channels(GUIDES, end - width, end) for end, width in zip(ends, widths, strict=True)]
    x = "latents"
    for coarse, guide in zip(cast("Iterable[CoarseBlock]", net.coarse), guides[: len(net.coarse)], strict=True):
        x = _coarse(builder, x, coarse, guide)
    x = builder.depth_to_space(builder.convolution(x, _array(net.split.folded()), _bias(net.split)), FINE, 2)
    for fine, guide in zip(cast("Iterable[FineBlock]", net.fine), guides[len(net.coarse) :], strict=True):
        x = _fine(builder, x, fine, guide)
    x = builder.depth_to_space(builder.convolution(x, _array(net.head.folded()), _bias(net.head)), 3, 8)
    return builder.finish({"pixels": x})


def exact_graphs(layers: dict[str, ExactLayer]) -> dict[str, bytes]:
    """The hyper-synthesis and the four passes. All values are whole; "offset.N" inputs are `QualityBias.offset_at`."""
    exact = _ExactBuilder(layers)
    features, strong = layers["hyper.last"].weight.shape[0] // 4, layers["second_line"].weight.shape[0]
    width = layers["hyper.first"].weight.shape[1]
    builder = exact.start("hyper_synthesis", {"hyper": width}, ("hyper.first", "hyper.second", "hyper.last"))
    x = builder.depth_to_space(exact.activate("hyper.first", "hyper"), layers["hyper.second"].weight.shape[1], 2)
    x = exact.activate("hyper.last", exact.activate("hyper.second", x))
    graphs = {"hyper_synthesis": builder.finish({"features": builder.depth_to_space(x, features, 2)})}
    for number, name in enumerate(PASSES):
        order = name.removesuffix("pass")
        wanted = (order + "context", order + "line", name + ".first", name + ".last")
        names = tuple(layer for layer in wanted if layer in layers)
        inputs = {"features": features}
        if order + "context" in names:
            inputs["read"] = strong
        if order + "line" in names:
            inputs["decoded"] = strong
        builder = exact.start(name, inputs, names)
        parts = PARTS[number] if number < len(PARTS) else (None,)
        joined, lines = [], []
        for part in parts:
            one = "features" if part is None else builder.every_other("features", part)
            if "read" in inputs:
                one = builder.join(1, one, exact.activate(order + "context", "read", part))
            joined.append(one)
            if "decoded" in inputs:
                lines.append(exact.run(order + "line", "decoded", part))
        line = builder.join(2, *lines) if lines else None
        graphs[name] = builder.finish(exact.estimate(name, builder.join(2, *joined), line))
    return graphs


class _ExactBuilder:
    """Adds integer layers to the graph that was started last."""

    def __init__(self, layers: dict[str, ExactLayer]) -> None:
        self._layers = layers

    def start(self, name: str, inputs: dict[str, int], layers: tuple[str, ...]) -> GraphBuilder:
        offsets = {f"offset.{layer}": self._layers[layer].weight.shape[0] for layer in layers}
        self._builder = GraphBuilder(name, {**inputs, **offsets}, is_half=False)
        return self._builder

    def run(self, name: str, x: str, part: tuple[int, int] | None = None) -> str:
        layer = self._layers[name]
        # a power of two moves into the weights: every product and sum stays a multiple of it, so nothing is rounded
        weight = np.ldexp(layer.weight.astype(np.float64), -layer.bias.shift.astype(int)[:, None, None, None]).astype(
            np.float32
        )
        groups = len(weight) if weight.shape[1] == 1 else 1
        sums = self._builder.convolution(x, weight, groups=groups, part=part)
        return self._builder.node("Floor", self._builder.node("Add", sums, f"offset.{name}"))

    def activate(self, name: str, x: str, part: tuple[int, int] | None = None) -> str:
        return self._builder.clip(self.run(name, x, part), 0, ACTIVATION_LIMIT)

    def estimate(self, name: str, x: str, line: str | None) -> dict[str, str]:
        """Levels and means: (1, channels, rows, columns) each, in few bytes."""
        out = self.run(name + ".last", self.activate(name + ".first", x))
        half = self._layers[name + ".last"].weight.shape[0] // 2
        level, mean = self._builder.channels(out, 0, half), self._builder.channels(out, half, 2 * half)
        if line is not None:
            mean = self._builder.node("Add", mean, line)
        limit = LATENT_LIMIT << MEAN_BITS
        level, mean = self._builder.clip(level, 0, SCALE_LEVELS - 1), self._builder.clip(mean, -limit, limit)
        return {
            "levels": self._builder.node("Cast", level, to=TensorProto.UINT8),
            "means": self._builder.node("Cast", mean, to=TensorProto.INT16),
        }


def _fine(builder: GraphBuilder, x: str, block: FineBlock, guide: str | None) -> str:
    hidden = builder.convolution(x, _array(block.gather.weight), _array(block.gather.bias))
    if guide is not None:
        hidden = builder.node("Add", hidden, guide)
    hidden = builder.node("LeakyRelu", hidden, alpha=LEAK)
    return builder.node("Add", x, builder.convolution(hidden, _array(block.spread.weight), _array(block.spread.bias)))


def _coarse(builder: GraphBuilder, x: str, block: CoarseBlock, guide: str | None) -> str:
    hidden = builder.convolution(x, _array(block.reduce.weight), _array(block.reduce.bias))
    if guide is not None:
        hidden = builder.node("Add", hidden, guide)
    hidden = builder.node("LeakyRelu", hidden, alpha=LEAK)
    hidden = builder.node(
        "LeakyRelu", builder.convolution(hidden, _array(block.gather.weight), _array(block.gather.bias)), alpha=LEAK
    )
    return builder.node("Add", x, builder.convolution(hidden, _array(block.spread.weight), _array(block.spread.bias)))


def _blocks(convolution: ScaledConvolution, channels: int, side: int) -> NDArray[np.float32]:
    """The weight behind a pixel_unshuffle as one of a strided convolution."""
    return _array(convolution.folded()).reshape(-1, channels, side, side)


def _bias(convolution: ScaledConvolution) -> NDArray[np.float32]:
    return _array(convolution.bias)


def _array(values: Tensor | None) -> NDArray[np.float32]:
    assert values is not None, "every layer here has a bias"  # noqa: S101
    array: NDArray[np.float32] = values.detach().numpy()
    return array
