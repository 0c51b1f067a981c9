"""Builds ONNX graphs node by node: few operators, any picture size, nothing of PyTorch in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
OUTPUT_TYPES = {
    "scale_indices": TensorProto.UINT8,
    "means": TensorProto.INT16,
    "features": TensorProto.UINT8,
    "picture": TensorProto.UINT8,
}
"""Of the outputs that are no floats."""
QUALITY_BIAS = "quality_bias"
"""Input of the synthesis: what it is told of the quality."""


class GraphBuilder:
    """Collects nodes; every method takes and returns names of values, (1, channels, rows, columns) float32 each."""

    def __init__(
        self, name: str, inputs: dict[str, int], *, byte_inputs: dict[str, int] | None = None, is_half: bool = True
    ) -> None:
        """Start a graph.

        Args:
            name: of the graph.
            inputs: name -> channels.
            byte_inputs: the same of (1, rows, columns, channels) uint8.
            is_half: weights are stored in half precision; they are computed with in single.
        """
        self._name, self._inputs, self._byte_inputs, self._is_half = name, inputs, byte_inputs or {}, is_half
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
        """Zero-padded to the same size, or cut into blocks of `stride`, or 3x3 at the positions of one pass."""
        inputs = [x, self.half(weight) if self._is_half else self.constant(weight.astype(np.float32))]
        if bias is not None:
            inputs.append(self.constant(bias.astype(np.float32)))
        side = weight.shape[2]
        pads = [0 if stride > 1 else side // 2] * 4
        if part is not None:
            row, column = part
            stride, pads = 2, [1 - row, 1 - column, row, column]
        return self.node("Conv", *inputs, kernel_shape=[side, side], strides=[stride] * 2, pads=pads, group=groups)

    def matrix(self, x: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        """Weight (outputs, inputs) at every position; channels last."""
        return self.shifted(self.node("MatMul", x, self.half(weight.T)), bias)

    def shifted(self, x: str, bias: NDArray[np.float32]) -> str:
        """Plus a number for each channel, channels last; as it is where all of them are zero."""
        return self.node("Add", x, self.constant(bias.astype(np.float32))) if bias.any() else x

    def depth_to_space(self, x: str, channels: int, block: int) -> str:
        """(1, rows, columns, channels * block * block) -> (1, block * rows, block * columns, channels).

        In `block_order`, so that whole runs of block * channels values move.
        """
        first, last, some, every = (
            self.constant(np.array(sizes, np.int64)) for sizes in ([1, -1], [channels], [block, block * channels], [-1])
        )
        split = self.node("Reshape", x, self.join(0, every, self._columns(x), some))
        wider = self.node("Mul", self._columns(x), self.constant(np.array([block], np.int64)))
        return self.node("Reshape", self.node("Transpose", split, perm=[0, 2, 1, 3]), self.join(0, first, wider, last))

    def interleaved_rows(self, parts: Sequence[str], channels: int) -> str:
        """Rows by turns: (1, rows, columns, n * channels) each -> (1, parts * rows, n * columns, channels)."""
        axis = self.constant(np.array([2], np.int64))
        joined = self.join(2, *(self.node("Unsqueeze", part, axis) for part in parts))
        rows = self.node(
            "Mul", self.node("Shape", parts[0], start=1, end=2), self.constant(np.array([len(parts)], np.int64))
        )
        first, last = (self.constant(np.array(sizes, np.int64)) for sizes in ([1], [-1, channels]))
        return self.node("Reshape", joined, self.join(0, first, rows, last))

    def _columns(self, x: str) -> str:
        return self.node("Shape", x, start=2, end=3)

    def channels_last(self, x: str) -> str:
        """(1, channels, rows, columns) -> (1, rows, columns, channels); engines remove pairs that undo one another."""
        return self.node("Transpose", x, perm=[0, 2, 3, 1])

    def channels_first(self, x: str) -> str:
        """The other way."""
        return self.node("Transpose", x, perm=[0, 3, 1, 2])

    def clip(self, x: str, low: float, high: float) -> str:
        """Clamp."""
        return self.node("Clip", x, self.constant(np.float32(low)), self.constant(np.float32(high)))

    def channels(self, x: str, start: int, end: int) -> str:
        """Some channels."""
        return self.node("Slice", x, *(self.constant(np.array([value], np.int64)) for value in (start, end, 1)))

    def split(self, x: str, counts: NDArray[np.int64], *, axis: int = 3) -> list[str]:
        """In parts of so many, of its channels if they are last."""
        outputs = [f"v{len(self._nodes)}.{number}" for number in range(len(counts))]
        self._nodes.append(helper.make_node("Split", [x, self.constant(counts.astype(np.int64))], outputs, axis=axis))
        return outputs

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
            ]
            + [
                helper.make_tensor_value_info(name, TensorProto.UINT8, [1, None, None, channels])
                for name, channels in self._byte_inputs.items()
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


def block_order(channels: int, block: int) -> NDArray[np.int64]:
    """Outputs in the order row, column, channel of a block, where they are channel, row, column."""
    return np.arange(channels * block * block).reshape(channels, -1).T.ravel()


def _sides(name: str) -> tuple[int | None, int | None]:
    """Rows and columns of an input: one of what is the same at every position, else any number."""
    return (1, 1) if name == QUALITY_BIAS or name.startswith("offset.") else (None, None)
