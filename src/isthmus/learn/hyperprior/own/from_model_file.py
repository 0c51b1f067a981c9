"""A hyperprior model file back to networks that train on: what the file computes, but for what its steps rounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.container.model_file import ModelFile
from isthmus.entropy.fixed_point import KNOTS, MEAN_BITS
from isthmus.entropy.passes import LAYERS
from isthmus.errors import FormatError
from isthmus.learn.hyperprior.networks.codec import CodecSettings, HyperpriorCodec
from isthmus.learn.hyperprior.networks.integer import ACTIVATION_BITS, IntegerConvolution
from isthmus.learn.hyperprior.networks.quality import knot_weights, position_of
from isthmus.learn.hyperprior.networks.transforms import FINE, QuantisedBlock, Split, TransformStart
from isthmus.learn.hyperprior.own.stored_matrices import (
    PIXELS,
    TRANSFORMS,
    UPSIDE_DOWN,
    Constants,
    StoredMatrix,
    constants_of,
    latent_order,
    module_name,
    stored_matrices,
)
from isthmus.values import QUALITIES

MIDDLE = 0.5
"""What the graph of the synthesis adds: its pictures are 0..1."""


@dataclass(frozen=True)
class StoredCodec:
    """A model file's networks.

    Attributes:
        model: in evaluation mode, its inverse DCT multiplied into the layers in front of it; the density of its
            hyper-latents is not in the file and has to be fitted.
        matrices: where the file holds the weights.
        constants: of its graphs.
    """

    model: HyperpriorCodec
    matrices: list[StoredMatrix]
    constants: dict[str, dict[str, NDArray[np.generic]]]


@torch.no_grad()
def codec_of(file: ModelFile) -> StoredCodec:
    """The networks of a model file of the usual sizes.

    Raises:
        FormatError: of other sizes, or laid out in another way.
    """
    constants = {name: constants_of(data) for name, data in file.graphs.items()}
    try:
        order = latent_order(constants["synthesis"])
        turned = np.zeros(len(order), np.int64)
        turned[order[len(_halves(constants["synthesis"])[0].matrix) :]] = 1
        ones = np.ones(len(order))
        model = HyperpriorCodec(CodecSettings(), TransformStart(np.ones(FINE), ones, 16 * turned)).eval()
        matrices = stored_matrices(constants, model)
        for one in matrices:
            weight = model.get_parameter(one.parameter)
            flat = weight.data.reshape(-1)
            flat[torch.from_numpy(one.places.ravel().copy())] = _tensor(one.weights(constants[one.graph]).ravel())
            weight.data.copy_(flat.reshape(weight.shape))
        for name in ("analysis.stem", "analysis.merge"):  # their fixed scales are in the file's weights
            model.get_buffer(f"{name}.scale").fill_(1.0)
        _fill_transforms(model, matrices, constants)
        _fill_synthesis(model, constants["synthesis"], order)
        _fill_integer_layers(model, file.arrays, constants)
        _fill_tables(model, file.arrays)
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        raise FormatError(f"{file.name} is laid out in another way than this release trains on from") from error
    return StoredCodec(model.requires_grad_(requires_grad=False), matrices, constants)


def _tensor(values: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(np.array(values, np.float32))


def _fill_transforms(
    model: HyperpriorCodec, matrices: Sequence[StoredMatrix], constants: Mapping[str, Constants]
) -> None:
    """Biases of the analysis, the hyper-analysis and all blocks, and the blocks' activation ranges.

    In front of a block's matrix are scale and zero point of what it reads; behind it and its steps its bias.
    """
    ranges: dict[str, dict[str, list[float]]] = {}
    for one in matrices:
        if one.graph not in TRANSFORMS:
            continue
        graph, places = constants[one.graph], list(constants[one.graph])
        module, layer = one.parameter.removesuffix(".weight").rsplit(".", 1)
        at = places.index(one.constants[0])
        behind = [graph[name] for name in places[at + 1 : at + 6]]
        bias: Any = model.get_submodule(f"{module}.{layer}").bias
        if not one.steps:
            bias.copy_(_tensor(behind[0]))
            continue
        known = ranges.setdefault(module, {})
        known[f"in.{layer}"] = _range(*(graph[name] for name in places[at - 2 : at]))
        if one.places.ndim > 2:
            bias.copy_(_tensor(behind[1].astype(np.float64) * behind[2].astype(np.float64)))
            known[f"out.{layer}"] = _range(behind[3], behind[4])
        elif isinstance(bias, Tensor):
            outputs = one.places[0] // model.get_parameter(one.parameter).shape[1]
            has_bias = behind[1].dtype == np.float32 and behind[1].shape == (len(outputs),)
            bias[torch.from_numpy(outputs)] = _tensor(behind[1]) if has_bias else torch.zeros(len(outputs))
    for name, known in ranges.items():
        block = model.get_submodule(name)
        assert isinstance(block, QuantisedBlock)  # noqa: S101 - bytes of a transform belong to blocks
        rows = [
            *(known[f"in.{one}"] for one in block.INT8_INPUTS),
            *(known[f"out.{one}"] for one in block.INT8_OUTPUTS),
        ]
        block.ranges = torch.tensor(rows)


def _range(scale: NDArray[np.generic], zero: NDArray[np.generic]) -> list[float]:
    step, middle = float(scale.reshape(())), float(zero.reshape(()))
    return [-middle * step, (255 - middle) * step]


@dataclass(frozen=True)
class _Half:
    """Of a mirrored split: (latents, 2 * outputs), and the bias behind it."""

    matrix: NDArray[np.float64]
    bias: NDArray[np.float64]


def _halves(synthesis: Constants) -> list[_Half]:
    """All of the synthesis, in their order: of each layer of the detail two, then two of the split."""
    values, halves = list(synthesis.values()), []
    for value, behind in pairwise(values):
        if value.dtype == np.float16:
            has_bias = behind.dtype == np.float32 and behind.shape == value.shape[1:]
            bias = behind.astype(np.float64) if has_bias else np.zeros(value.shape[1])
            halves.append(_Half(value.astype(np.float64), bias))
    return halves


def _fill_synthesis(model: HyperpriorCodec, constants: Constants, order: NDArray[np.int64]) -> None:
    """The split and the detail's reduction, which are stored in halves."""
    halves = _halves(constants)
    reduce = model.synthesis.detail.reduce
    signs = reduce.signs.numpy()
    own = signs[:, order[0]]  # what the mirror does to the outputs
    parts = [_whole(halves[first : first + 2], order) for first in (0, 2)]
    weight, bias = (np.concatenate(values) for values in zip(*parts, strict=True))
    weight[:, 1] *= own[:, None, None]
    bias[:, 1] *= own[:, None]
    reduce.weight.copy_(_tensor(weight.reshape(-1, len(order))))
    reduce.bias.copy_(_tensor(bias.ravel()))
    stored, shifts = _whole(halves[4:6], order)
    weight, bias = np.empty_like(stored), np.empty_like(shifts)
    for row, rows in enumerate((PIXELS, UPSIDE_DOWN)):
        weight[rows, row], bias[rows, row] = stored[:, row], shifts[:, row]
    synthesis = model.synthesis
    synthesis.split = Split(weight.reshape(-1, len(order)), np.ones(len(order)), np.ones(4 * len(PIXELS)))
    synthesis.split.bias.copy_(_tensor(bias.ravel() - MIDDLE))
    synthesis.head.copy_(torch.eye(len(PIXELS)))


def _whole(halves: Sequence[_Half], order: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(outputs, 2 rows, 2 columns, latents) weights and (outputs, 2, 2) biases of `export.mirrored_split`."""
    outputs = halves[0].matrix.shape[1] // 2
    weight = np.empty((outputs, 2, 2, len(order)))
    ends = np.split(order, [len(halves[0].matrix)])
    for half, chosen, sign in zip(halves, ends, (1, -1), strict=True):
        stored = half.matrix.reshape(len(chosen), 2, outputs).transpose(0, 2, 1)  # (chosen, outputs, columns)
        weight[:, 0, :, chosen] = stored
        weight[:, 1, :, chosen] = stored * sign
    mean, half_difference = (half.bias.reshape(2, outputs).T for half in halves)
    return weight, np.stack([mean + half_difference, mean - half_difference], 1)


def _fill_integer_layers(
    model: HyperpriorCodec, arrays: Mapping[str, NDArray[np.generic]], constants: Mapping[str, Constants]
) -> None:
    """Biases, fixed shifts, and the mean predictors."""
    for layer in LAYERS:
        module = model.get_submodule(module_name(layer))
        assert isinstance(module, IntegerConvolution)  # noqa: S101 - all layers are
        shift = arrays[f"layer.{layer}.shift"].astype(np.int64)
        shifts = shift + output_bits(layer, len(shift)) - module.input_bits
        module.fixed_shifts = _tensor(shifts)
        biases = np.ldexp(arrays[f"layer.{layer}.bias"].astype(np.float64), -(shifts + module.input_bits).astype(int))
        module.bias.table.copy_(_tensor(biases))
        if layer.endswith("_mean_predictor"):
            graph = constants[layer.removesuffix("_mean_predictor") + "_pass"]
            kernel = next(value for value in graph.values() if value.shape == tuple(module.weight.shape))
            scale = np.float64(2.0) ** (module.input_bits - MEAN_BITS)
            module.weight.copy_(_tensor(kernel.astype(np.float64) * scale))


def output_bits(layer: str, outputs: int) -> NDArray[np.int64]:
    """(outputs,) the bits behind the point of what a layer makes."""
    bits = np.full(outputs, MEAN_BITS if layer.endswith("_mean_predictor") else ACTIVATION_BITS)
    if layer.endswith("_pass.last"):
        bits[: outputs // 2], bits[outputs // 2 :] = 0, MEAN_BITS
    return bits


def _fill_tables(model: HyperpriorCodec, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """What depends on the quality: gains, and biases of the synthesis."""
    model.log_gain.table.copy_(at_knots(np.log(arrays["gains"].astype(np.float64))))
    biases = at_knots(arrays["quality_bias"].astype(np.float64))
    tables = [*model.synthesis.coarse_quality_biases, model.synthesis.detail_quality_bias]
    widths = [table.table.shape[1] for table in tables]
    for table, part in zip(tables, biases.split(widths, 1), strict=True):
        table.table.copy_(part)


def at_knots(values: NDArray[np.float64]) -> Tensor:
    """(QUALITIES, channels) values that are linear between the knots -> (KNOTS, channels)."""
    hats = knot_weights(torch.from_numpy(position_of(np.arange(1, QUALITIES + 1)))).numpy()
    table = np.linalg.lstsq(hats, values, rcond=None)[0]
    if table.shape[0] != KNOTS:
        raise FormatError(f"{table.shape[0]} knots in place of {KNOTS}")
    return _tensor(table)
