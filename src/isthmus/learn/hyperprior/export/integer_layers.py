"""The trained entropy networks as integer layers, refused where a sum could leave what a float32 holds exactly."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus.entropy.fixed_point import MEAN_BITS
from isthmus.entropy.passes import LAYERS, PASSES
from isthmus.entropy.reference_networks import IntegerLayer, QualityBias
from isthmus.errors import TrainingError
from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec
from isthmus.learn.hyperprior.networks.integer import ACTIVATION_BITS, EXACT_LIMIT, WEIGHT_LIMIT, IntegerConvolution


def integer_layers(model: HyperpriorCodec) -> dict[str, IntegerLayer]:
    """Every layer of the entropy networks, by the names of `LAYERS`.

    Raises:
        TrainingError: a sum could reach 2^24.
    """
    return {name: _integer_layer(_find(model, name), name) for name in LAYERS}


def _find(model: HyperpriorCodec, name: str) -> IntegerConvolution:
    is_hyper = name.startswith("hyper.")
    module = (model.hyper_synthesis if is_hyper else model.passes).get_submodule(name.removeprefix("hyper."))
    if not isinstance(module, IntegerConvolution):
        raise TrainingError(f"{name} is not an integer layer")
    return module


def neighbours_read(name: str) -> NDArray[np.int64]:
    """(side, side) of a context's kernel, 1 where its pass knows a neighbour: other places are zeros, whatever their
    weights, and without weights they need not be read. Of other layers 1, all places.
    """
    for one in PASSES:
        if name == one.context and len(one.neighbours) > 1:
            places = np.zeros((3, 3), np.int64)
            places[tuple(np.transpose(one.neighbours))] = 1
            return places
    return np.ones((1, 1), np.int64)


@torch.no_grad()
def _integer_layer(module: IntegerConvolution, name: str) -> IntegerLayer:
    shifts = module.shifts()
    weight = torch.floor(module.weight * (2.0**shifts)[:, None, None, None] + 0.5).numpy() * neighbours_read(name)
    bias = torch.floor(module.bias.table * 2.0 ** (shifts + module.input_bits) + 0.5).numpy().astype(np.int64)
    half = len(shifts) // 2
    output_bits = np.full(len(shifts), ACTIVATION_BITS)
    if name.endswith("_mean_predictor"):
        output_bits[:] = MEAN_BITS
    elif name.endswith("_pass.last"):
        output_bits[:half], output_bits[half:] = 0, MEAN_BITS
    shift = shifts.numpy().astype(int) + module.input_bits - output_bits
    if np.abs(weight).max() > WEIGHT_LIMIT:
        raise TrainingError(f"{name}: a weight is {np.abs(weight).max():.0f}, beyond {WEIGHT_LIMIT}")
    largest = np.abs(weight).reshape(len(weight), -1).sum(1) * module.input_limit + np.abs(bias).max(0)
    largest = largest + 2.0 ** np.maximum(shift - 1, 0)
    if np.abs(bias).max() > EXACT_LIMIT // 2:  # a half of its unit is added to it
        raise TrainingError(f"{name}: a bias is {np.abs(bias).max()}, beyond {EXACT_LIMIT // 2}")
    if largest.max() > EXACT_LIMIT:
        raise TrainingError(f"{name}: a sum can reach {largest.max():.0f}, beyond {EXACT_LIMIT}")
    return IntegerLayer(weight.astype(np.int16), QualityBias(shift.astype(np.int8), bias.astype(np.int32)))
