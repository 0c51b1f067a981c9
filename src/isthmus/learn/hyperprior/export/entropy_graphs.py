"""ONNX graphs of the photo codec's entropy networks: products of bytes, sums and biases as whole numbers in float32.

Written with ONNX's DequantizeLinear in front of ordinary matrix products, which engines turn into products of bytes, or
compute in floats: every step is a power of two and no sum reaches 2^24, so both are exact. Weights of most layers have
more bits, so they are two bytes and two products. Bytes are laid out channels last; a 3x3 layer is one product with
the neighbours that have weights side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from isthmus.entropy.fixed_point import COMPANDED_LIMIT, LATENT_LIMIT, MEAN_BITS, SCALES
from isthmus.entropy.hyper_latents import HYPER_LIMIT
from isthmus.entropy.passes import HYPER_LAYERS, PASSES, Pass
from isthmus.entropy.reference_networks import IntegerLayer
from isthmus.learn.export.graph_builder import GraphBuilder, block_order
from isthmus.learn.hyperprior.networks.integer import INT8_LIMIT

Part = tuple[int | None, int | None]
"""Which positions: row and column modulo 2, as in `entropy.passes.Pass.positions`; None: all."""
ALL: Part = (None, None)
_END = np.iinfo(np.int64).max
HIGH_UNIT = 64
"""A weight is so many times one byte, and another byte. Both are within half of it, so that processors without VNNI,
which add two products of bytes in 16 bits, are exact as well."""


@dataclass(frozen=True)
class _Bytes:
    """A value of whole numbers: (1, rows, columns, channels) unsigned bytes minus `zero`."""

    name: str
    zero: int = 0


def entropy_graphs_of(layers: dict[str, IntegerLayer]) -> dict[str, bytes]:
    """The hyper-synthesis and the four passes. All values are whole; "offset.N" inputs are `QualityBias.offset_at`."""
    exact = _EntropyGraphBuilder(layers)
    return {
        "hyper_synthesis": exact.hyper_synthesis(),
        **{one.network: exact.one_pass(one) for one in PASSES},
    }


class _EntropyGraphBuilder:
    """Adds integer layers to the graph that was started last."""

    def __init__(self, layers: dict[str, IntegerLayer]) -> None:
        self._layers = layers

    def hyper_synthesis(self) -> bytes:
        """Hyper-latents (1, channels, rows, columns) float32 -> features (1, 4 rows, 4 columns, channels) bytes."""
        width = self._layers["hyper.first"].weight.shape[1]
        builder = self._start("hyper_synthesis", {"hyper": width}, HYPER_LAYERS)
        x = self._activate_twice_as_fine("hyper.first", self._to_bytes("hyper", HYPER_LIMIT))
        x = self._activate("hyper.second", self._read("hyper.second", x, ALL))
        x = self._activate_twice_as_fine("hyper.last", x)
        return builder.finish({"features": x.name})

    def one_pass(self, one: Pass) -> bytes:
        """Features and the decoded first group -> scale indices and means of what a pass codes."""
        first, last = f"{one.network}.first", f"{one.network}.last"
        group = self._layers["second_mean_predictor"].weight.shape[0]
        needed = (("companded", one.context), ("decoded", one.mean_predictor))
        inputs = {name: group for name, layer in needed if layer is not None}
        builder = self._start(one.network, inputs, one.layers, has_features=True)
        parts: tuple[Part, ...] = one.positions or (ALL,)
        known = builder.join(1, *(self._some("features", part) for part in parts))
        if one.context is not None:
            nearby = self._read(one.context, self._to_bytes("companded", COMPANDED_LIMIT), *parts)
            known = builder.join(3, known, self._activate(one.context, nearby).name)
        hidden = self._activate(first, _Bytes(known))
        half = len(self._layers[last].weight) // 2
        scales, means = (self._sums(last, hidden, rows=np.arange(start, start + half)) for start in (0, half))
        means = builder.node("Floor", means)
        if one.mean_predictor is not None:
            means = builder.node("Add", means, self._mean_predictor(one.mean_predictor, one.positions))
        limit = LATENT_LIMIT << MEAN_BITS
        return builder.finish(
            {
                "scale_indices": self._narrow(scales, 0, SCALES - 1, TensorProto.UINT8),
                "means": self._narrow(means, -limit, limit, TensorProto.INT16),
            }
        )

    def _start(
        self, name: str, inputs: dict[str, int], layers: tuple[str, ...], *, has_features: bool = False
    ) -> GraphBuilder:
        offsets = {f"offset.{layer}": self._layers[layer].weight.shape[0] for layer in layers}
        byte_inputs = {"features": self._layers["hyper.last"].weight.shape[0] // 4} if has_features else {}
        self._builder = GraphBuilder(name, {**inputs, **offsets}, byte_inputs=byte_inputs, is_half=False)
        return self._builder

    def _to_bytes(self, x: str, limit: int) -> _Bytes:
        """Of whole numbers within ±limit, (1, channels, rows, columns) float32."""
        zero = limit + 1
        return _Bytes(self._builder.channels_last(self._quantised(x, zero)), zero)

    def _quantised(self, x: str, zero: int = 0) -> str:
        """The nearest bytes, of numbers that are not halfway between two."""
        return self._builder.node("QuantizeLinear", x, *self._units(zero))

    def _units(self, zero: int) -> tuple[str, str]:
        return self._builder.constant(np.float32(1)), self._builder.constant(np.uint8(zero))

    def _read(self, name: str, x: _Bytes, *parts: Part) -> _Bytes:
        """What a layer reads at or around some positions, part by part: (1, rows, columns, read places * channels)."""
        if self._layers[name].weight.shape[-1] == 1:
            return _Bytes(self._builder.join(1, *(self._some(x.name, part) for part in parts)), x.zero)
        zero = self._builder.constant(np.uint8(x.zero))
        pads = self._builder.constant(np.array([0, 1, 1, 0, 0, 1, 1, 0], np.int64))
        padded = self._builder.node("Pad", x.name, pads, zero)
        shifts = [(int(row), int(column)) for row, column in np.argwhere(_is_read(self._layers[name]))]
        sides = [self._builder.join(3, *(self._some(padded, part, shift) for shift in shifts)) for part in parts]
        return _Bytes(self._builder.join(1, *sides), x.zero)

    def _some(self, x: str, part: Part, shift: tuple[int, int] | None = None) -> str:
        """Positions of a part; with a shift of 0 to 2 each way, of what was padded by 1."""
        if part == ALL and shift is None:
            return x
        starts, ends = [start or 0 for start in part], [_END, _END]
        if shift is not None:
            starts = [start + many for start, many in zip(starts, shift, strict=True)]
            ends = [many - 2 if many < 2 else _END for many in shift]
        steps = [1 if start is None else 2 for start in part]
        bounds = (starts, ends, [1, 2], steps)
        return self._builder.node(
            "Slice", x, *(self._builder.constant(np.array(values, np.int64)) for values in bounds)
        )

    def _sums(self, name: str, x: _Bytes, *, rows: NDArray[np.int64] | None = None, to_nearest: bool = False) -> str:
        """Of a layer with its offset, channels last float32: what the floor is taken of.

        Args:
            name: of the layer.
            x: bytes, of 3x3 layers from `_read`.
            rows: which outputs, in which order; all of them as they are.
            to_nearest: lowered by half a step less than a half: where the floor is within a byte, it is then the
                nearest whole number, and none is as near. Steps are 2^-14 at least, so a float32 holds half of one.
        """
        layer, builder = self._layers[name], self._builder
        weight = layer.weight.transpose(2, 3, 1, 0)[_is_read(layer)].reshape(-1, len(layer.weight))
        steps, offset = np.ldexp(np.float32(1), -layer.bias.shift.astype(int)), f"offset.{name}"
        offset = builder.node("Reshape", offset, builder.constant(np.array([-1], np.int64)))
        if rows is not None:
            weight, steps = weight[:, rows], steps[rows]
            offset = builder.node("Gather", offset, builder.constant(rows))
        if to_nearest:
            less = np.minimum(steps, np.float32(0.5)) / 2 - np.float32(0.5)
            offset = builder.node("Add", offset, builder.constant(less))
        real = builder.node("DequantizeLinear", x.name, *self._units(x.zero))
        first, *others = (builder.node("MatMul", real, self._matrix(*part)) for part in _bytes_of(weight, steps))
        for other in others:
            first = builder.node("Add", first, other)
        return builder.node("Add", first, offset)

    def _matrix(self, weight: NDArray[np.int16], steps: NDArray[np.float32]) -> str:
        """(inputs, outputs) bytes times a step for each output."""
        whole, units = (self._builder.constant(values) for values in (weight.astype(np.int8), steps.astype(np.float32)))
        return self._builder.node("DequantizeLinear", whole, units, axis=1)

    def _activate(self, name: str, x: _Bytes, *, rows: NDArray[np.int64] | None = None) -> _Bytes:
        """A layer, rounded down and clipped to an activation, which is any byte."""
        return _Bytes(self._quantised(self._sums(name, x, rows=rows, to_nearest=True)))

    def _activate_twice_as_fine(self, name: str, x: _Bytes) -> _Bytes:
        """A layer whose outputs (channel, row, column) become twice as many rows and columns."""
        channels = len(self._layers[name].weight) // 4
        x = self._activate(name, x, rows=block_order(channels, 2))
        return _Bytes(self._builder.depth_to_space(x.name, channels, 2))

    def _narrow(self, x: str, low: int, high: int, wanted: int) -> str:
        """Clipped, rounded towards zero, channels first."""
        narrow = self._builder.node("Cast", self._builder.clip(x, low, high), to=wanted)
        return self._builder.channels_first(narrow)

    def _mean_predictor(self, name: str, parts: tuple[tuple[int, int], ...]) -> str:
        """A guess of means from decoded neighbours of the same channel, which are more than bytes; channels last."""
        layer, builder = self._layers[name], self._builder
        # a power of two moves into the weights: every product and sum stays a multiple of it, so nothing is rounded
        weight = np.ldexp(layer.weight.astype(np.float64), -layer.bias.shift.astype(int)[:, None, None, None])
        kernel = weight.astype(np.float32)
        sums = builder.join(
            2, *(builder.convolution("decoded", kernel, groups=len(kernel), part=part) for part in parts)
        )
        return builder.channels_last(builder.node("Floor", builder.node("Add", sums, f"offset.{name}")))


def _is_read(layer: IntegerLayer) -> NDArray[np.bool_]:
    """(rows, columns) of the kernel: which of its places have weights."""
    places: NDArray[np.bool_] = np.abs(layer.weight).max((0, 1)) > 0
    return places if places.any() else np.ones_like(places)


def _bytes_of(
    weight: NDArray[np.int16], steps: NDArray[np.float32]
) -> list[tuple[NDArray[np.int16], NDArray[np.float32]]]:
    """The parts whose sum a weight is, each within a byte, and the steps of their outputs."""
    if np.abs(weight).max() <= INT8_LIMIT:
        return [(weight, steps)]
    high = (weight + HIGH_UNIT // 2) // HIGH_UNIT
    return [(high, steps * HIGH_UNIT), (weight - high * HIGH_UNIT, steps)]
