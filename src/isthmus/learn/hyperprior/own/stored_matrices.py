"""Where a hyperprior model file holds the weight matrices of its networks: the exporters' layouts, read backwards.

A matrix may be there in parts, transposed, in another order, as bytes with a step for each output, or as two bytes.
Each `StoredMatrix` says of one part which constants hold it, and which weight each of their values is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from isthmus.container.model_difference import HIGH_UNIT, real_values
from isthmus.entropy.fixed_point import COMPANDED_BITS, MEAN_BITS
from isthmus.entropy.passes import HYPER_LAYERS, PASSES
from isthmus.errors import FormatError
from isthmus.learn.export.graph_builder import block_order
from isthmus.learn.hyperprior.export.integer_layers import neighbours_read
from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec
from isthmus.learn.hyperprior.networks.integer import ACTIVATION_BITS

Constants = Mapping[str, NDArray[np.generic]]
"""A graph's, by name, in their order."""
TRANSFORMS = ("analysis", "hyper_analysis", "synthesis")
"""Graphs that compute in real numbers; all others are exact layers."""
PIXELS = block_order(3, 8)
UPSIDE_DOWN = PIXELS.reshape(8, -1)[::-1].ravel()
"""Outputs of the synthesis as its graph has them, and as the lower row of a pair of squares has them."""
WIDE = 64
"""Longer than any list of whole numbers in a synthesis but the order of its latents."""


@dataclass(frozen=True)
class StoredMatrix:
    """A part of a weight matrix.

    Attributes:
        parameter: its name in `HyperpriorCodec`.
        graph: of the model file.
        constants: one; or two: the first times `HIGH_UNIT` and the second add up.
        steps: the constant with what one is worth, for each output; empty: the constant holds real numbers.
        places: of the constant's shape: which value of the flattened weight each of its own is.
        scale: weights are so many times the graph's real numbers.
    """

    parameter: str
    graph: str
    constants: tuple[str, ...]
    steps: str
    places: NDArray[np.int64]
    scale: float = 1.0

    def weights(self, constants: Constants) -> NDArray[np.float64]:
        """The part's weights, in the constant's shape."""
        return self.scale * real_values(constants, self.constants, self.steps)


def constants_of(graph: bytes) -> dict[str, NDArray[np.generic]]:
    """A graph's constants by name, in their order."""
    return {one.name: numpy_helper.to_array(one) for one in onnx.load_from_string(graph).graph.initializer}


def stored_matrices(graphs: Mapping[str, Constants], model: HyperpriorCodec) -> list[StoredMatrix]:
    """All matrices of a model but those of the split and of the detail's reduction.

    Args:
        graphs: constants by graph.
        model: of the sizes of the stored one.

    Raises:
        FormatError: constants that are not as the exporters of this release lay them out.
    """
    try:
        parts = {name: _Parts(name, constants, model) for name, constants in graphs.items()}
        return [
            *_analysis(parts["analysis"], model),
            *(
                parts["hyper_analysis"].next(f"hyper_analysis.{name}.weight")
                for name in ("first", "second", "third", "last")
            ),
            *_synthesis(parts["synthesis"], latent_order(graphs["synthesis"]), model),
            *(part for name in HYPER_LAYERS for part in _layer(parts["hyper_synthesis"], name)),
            *(part for one in PASSES for name in one.layers for part in _layer(parts[one.network], name)),
        ]
    except (KeyError, IndexError, ValueError, StopIteration, RuntimeError) as error:
        raise FormatError("the model's graphs are laid out in another way than this release trains on from") from error


def latent_order(synthesis: Constants) -> NDArray[np.int64]:
    """The order in which the synthesis has latents: those that a mirror leaves alone, then those that it turns."""
    return next(value.astype(np.int64) for value in synthesis.values() if value.dtype == np.int64 and value.size > WIDE)


class _Parts:
    """A graph's matrices one by one, each with its steps."""

    def __init__(self, graph: str, constants: Constants, model: HyperpriorCodec) -> None:
        self._graph, self._constants, self._names, self._model = graph, constants, list(constants), model
        self._matrices = [
            index for index, name in enumerate(self._names) if constants[name].dtype in (np.int8, np.float16)
        ]

    def shape(self, parameter: str) -> tuple[int, ...]:
        """Of a weight."""
        return tuple(self._model.get_parameter(parameter).shape)

    def skip(self, count: int) -> None:
        """Leave some matrices out."""
        del self._matrices[:count]

    def next(self, parameter: str, places: NDArray[np.int64] | None = None, *, scale: float = 1.0) -> StoredMatrix:
        """The next matrix, in two bytes where another of the same shape and of a 64th of its steps follows."""
        index = self._matrices.pop(0)
        name, first = self._names[index], self._constants[self._names[index]]
        if places is None:
            places = np.arange(first.size).reshape(first.shape)
            if first.size != np.prod(self.shape(parameter)):
                raise FormatError(f"{parameter} has another size than {first.shape}")
        if first.shape != places.shape:
            raise FormatError(f"{parameter} is stored as {first.shape}, not as {places.shape}")
        if first.dtype != np.int8:
            return StoredMatrix(parameter, self._graph, (name,), "", places, scale)
        steps, parts = self._names[index + 1], [name]
        if self._matrices and self._matrices[0] == index + 2:
            second, finer = self._names[index + 2 : index + 4]
            coarse, fine = (self._constants[one].astype(np.float64) for one in (steps, finer))
            if self._constants[second].shape == first.shape and np.array_equal(coarse, fine * HIGH_UNIT):
                self.skip(1)
                steps, parts = finer, [name, second]
        return StoredMatrix(parameter, self._graph, tuple(parts), steps, places, scale)

    def product(self, parameter: str, *, rows: NDArray[np.int64] | slice = slice(None),
                columns: NDArray[np.int64] | slice = slice(None)) -> StoredMatrix:  # fmt: skip
        """The next matrix, which is stored (inputs, outputs)."""
        outputs, inputs = self.shape(parameter)[:2]
        return self.next(parameter, np.arange(outputs * inputs).reshape(outputs, inputs)[rows][:, columns].T)


def _analysis(parts: _Parts, model: HyperpriorCodec) -> Iterator[StoredMatrix]:
    yield parts.next("analysis.stem.weight")
    for number in range(len(model.settings.analysis_fine)):
        yield parts.next(f"analysis.fine.{number}.spatial.weight")
        yield parts.product(f"analysis.fine.{number}.expand.weight")
    yield parts.next("analysis.merge.weight")
    for number in range(len(model.settings.analysis_coarse)):
        yield from _coarse(parts, f"analysis.coarse.{number}", np.arange(model.settings.latents))


def _coarse(parts: _Parts, name: str, order: NDArray[np.int64]) -> Iterator[StoredMatrix]:
    yield parts.product(f"{name}.reduce.weight", columns=order)
    yield parts.next(f"{name}.spatial.weight")
    yield parts.product(f"{name}.expand.weight", rows=order)


def _synthesis(parts: _Parts, order: NDArray[np.int64], model: HyperpriorCodec) -> Iterator[StoredMatrix]:
    for number in range(len(model.settings.synthesis_coarse)):
        yield from _coarse(parts, f"synthesis.coarse.{number}", order)
    parts.skip(4)  # both halves of what each layer of the detail reads
    yield parts.next("synthesis.detail.first.weight")
    yield parts.product("synthesis.detail.skip.weight")
    yield parts.next("synthesis.detail.second.weight")
    parts.skip(2)  # both halves of the split
    yield parts.product("synthesis.detail.expand.weight", rows=PIXELS)
    yield parts.product("synthesis.detail.expand.weight", rows=UPSIDE_DOWN)


def _layer(parts: _Parts, name: str) -> Iterator[StoredMatrix]:
    """An integer layer, see `export.entropy_graphs`; scale indices and means of a pass are two parts."""
    if name.endswith("_mean_predictor"):
        return
    parameter = weight_name(name)
    shape = parts.shape(parameter)
    numbers = np.arange(np.prod(shape), dtype=np.int64).reshape(shape)
    read = np.broadcast_to(neighbours_read(name) > 0, shape[2:])
    places = numbers.transpose(2, 3, 1, 0)[read].reshape(-1, shape[0])
    input_bits = 0 if name == "hyper.first" else COMPANDED_BITS if name.endswith("_context") else ACTIVATION_BITS
    outputs = [(np.arange(shape[0]), ACTIVATION_BITS)]
    if name in ("hyper.first", "hyper.last"):
        outputs = [(block_order(shape[0] // 4, 2), ACTIVATION_BITS)]
    elif name.endswith("_pass.last"):
        halves = np.split(np.arange(shape[0]), 2)
        outputs = [(halves[0], 0), (halves[1], MEAN_BITS)]
    for rows, output_bits in outputs:
        yield parts.next(parameter, places[:, rows], scale=2.0 ** (input_bits - output_bits))


def weight_name(layer: str) -> str:
    """Of a layer of `entropy.passes.LAYERS`, in `HyperpriorCodec`."""
    return f"{module_name(layer)}.weight"


def module_name(layer: str) -> str:
    """Of a layer of `entropy.passes.LAYERS`, in `HyperpriorCodec`."""
    is_hyper = layer.startswith("hyper.")
    return f"hyper_synthesis.{layer.removeprefix('hyper.')}" if is_hyper else f"passes.{layer}"
