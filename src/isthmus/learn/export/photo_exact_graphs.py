"""ONNX graphs of the photo codec's entropy networks: whole numbers in float32."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from isthmus.entropy.exact import ACTIVATION_LIMIT, LATENT_LIMIT, MEAN_BITS, PARTS, PASSES, SCALE_LEVELS, ExactLayer
from isthmus.learn.export.graph_builder import GraphBuilder


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
