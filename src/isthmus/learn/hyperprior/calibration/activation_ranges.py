"""The transforms' int8 blocks on pictures: the ranges of their activations, and the int8 weights that suit them."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from isthmus.learn.hyperprior.calibration.activation_samples import run_transforms, samples
from isthmus.learn.hyperprior.calibration.calibration import BlockCalibration
from isthmus.learn.hyperprior.calibration.gptq import Moments, gptq
from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec
from isthmus.learn.hyperprior.networks.folding import fold_for_export
from isthmus.learn.hyperprior.networks.transforms import (
    LEAK,
    WEIGHT_LIMIT,
    QuantisedBlock,
    fake_quantise,
    weight_scales,
)

OUTSIDE = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
"""Shares of activations that a range may leave out on a side."""
POSITIONS = 500
"""Of `activation_samples.samples`."""


@torch.no_grad()
def calibrate_blocks(model: HyperpriorCodec, pixels: Tensor) -> dict[str, BlockCalibration]:
    """Ranges and int8 weights of each block, by its name; the blocks as export folds them.

    Args:
        model: trained; blocks that are fake-quantised keep their ranges, those in floats shall be equalised.
        pixels: (windows, 3, rows, columns), -0.5..0.5, sides multiples of 64.
    """
    twin = fold_for_export(model)
    blocks = {name: block for name, block in twin.named_modules() if isinstance(block, QuantisedBlock)}
    moments = _moments(twin, pixels, blocks)
    measured = _measured(twin, pixels, {name: block for name, block in blocks.items() if block.ranges is None})
    calibrated = {}
    for name, block in blocks.items():
        weights = {layer: _int8(block.layer(layer).weight, moments[f"{name}.{layer}"]) for layer in block.INT8_INPUTS}
        calibrated[name] = BlockCalibration(measured[name] if block.ranges is None else block.ranges, weights)
    return calibrated


def _measured(twin: HyperpriorCodec, pixels: Tensor, blocks: Mapping[str, QuantisedBlock]) -> dict[str, Tensor]:
    """The best ranges of blocks that have none."""
    if not blocks:
        return {}
    read = {f"{name}.{layer}": block.layer(layer) for name, block in blocks.items() for layer in block.INT8_INPUTS}
    made = {f"{name}.{layer}": block.layer(layer) for name, block in blocks.items() for layer in block.INT8_OUTPUTS}
    inputs = samples(twin, pixels, read, count=POSITIONS, of_inputs=True)
    outputs = samples(twin, pixels, made, count=POSITIONS, of_inputs=False)
    measured = {}
    for name, block in blocks.items():
        ranges = [
            best_range(inputs[f"{name}.{layer}"], _sensitivity(block.layer(layer))) for layer in block.INT8_INPUTS
        ]
        behind = _sensitivity(block.layer("expand")).chunk(len(block.INT8_OUTPUTS))
        ranges += [
            best_range(outputs[f"{name}.{layer}"], sensitivity, slope=LEAK)
            for layer, sensitivity in zip(block.INT8_OUTPUTS, behind, strict=True)
        ]
        measured[name] = torch.stack(ranges)
    return measured


def best_range(values: Tensor, sensitivity: Tensor, *, slope: float = 1.0) -> Tensor:
    """The range in which int8 is nearest to the values, in the mean of squares.

    Wider ranges hold more of them, narrower ones have finer steps.

    Args:
        values: (channels, samples) of what shall be int8.
        sensitivity: (channels,) what an error of each channel is worth, in squares.
        slope: what is left of an error below zero.

    Returns:
        (2,) the least and the largest value.
    """
    flat, order = values.float().flatten().sort()
    weights = sensitivity.cpu()[:, None].expand(values.shape).flatten()[order]
    weights = torch.where(flat > 0, weights, weights * slope**2)
    beyond = [int(len(flat) * share) for share in OUTSIDE]
    lows, highs = [flat[index] for index in beyond], [flat[-1 - index] for index in beyond]

    def error(low: Tensor, high: Tensor) -> float:
        return float((weights * (fake_quantise(flat, torch.stack([low, high])) - flat).square()).sum())

    low, high = lows[0], highs[0]
    for _ in range(2):
        low = min(lows, key=lambda end: error(end, high))
        high = min(highs, key=lambda end: error(low, end))
    return torch.stack([low, high])


def _int8(weight: Tensor, moments: Moments) -> Tensor:
    """(outputs, inputs, side, side) int8."""
    return gptq(weight.flatten(1), weight_scales(weight), moments.mean(), WEIGHT_LIMIT).reshape(weight.shape)


def _sensitivity(layer: nn.Conv2d) -> Tensor:
    """(inputs,) squares of the weights that read each."""
    return layer.weight.square().sum((0, 2, 3))


def _moments(model: HyperpriorCodec, pixels: Tensor, blocks: Mapping[str, QuantisedBlock]) -> dict[str, Moments]:
    """Of what each layer reads."""
    moments, handles = {}, []
    for name, block in blocks.items():
        for layer_name in block.INT8_INPUTS:
            layer = block.layer(layer_name)
            moments[f"{name}.{layer_name}"] = seen = Moments(layer.kernel_size[0])
            handles.append(layer.register_forward_pre_hook(partial(_add, seen)))
    run_transforms(model, pixels, handles)
    return moments


def _add(moments: Moments, _layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    moments.add(inputs[0])
