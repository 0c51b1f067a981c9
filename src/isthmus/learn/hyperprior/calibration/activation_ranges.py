"""The transforms' 8-bit blocks on pictures: what ranges their activations have, and what bytes suit as weights."""

from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor, nn

from isthmus.learn.hyperprior.calibration.activation_samples import (
    LEAST_ERROR,
    Samples,
    encoded_at_places,
    run,
    samples,
    squared_errors,
)
from isthmus.learn.hyperprior.calibration.encoding import Encoded
from isthmus.learn.hyperprior.calibration.gptq import Moments, gptq
from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec
from isthmus.learn.hyperprior.networks.folding import fold_for_export
from isthmus.learn.hyperprior.networks.transforms import (
    LEAK,
    WEIGHT_LIMIT,
    QuantisedBlock,
    fake_quantise,
    set_fake_quantisation,
    weight_scales,
)

OUTSIDE = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
"""Shares of activations that a range may leave out on a side."""
POSITIONS = 500
"""Of `photo_samples`."""
NARROWER = 0.85
"""What a range of the synthesis is multiplied by as long as pictures gain."""
NARROWED_ON = 3
"""Every so many of the windows are looked at for that."""


@torch.no_grad()
def measure_ranges(model: HyperpriorCodec, pixels: Tensor) -> None:
    """Measure activations and keep their ranges, and weights rounded for them, in the model.

    From then on it is exported in 8 bits.

    Args:
        model: trained.
        pixels: (windows, 3, rows, columns), -0.5..0.5, sides multiples of 64.
    """
    twin = fold_for_export(model)
    blocks = {name: block for name, block in twin.named_modules() if isinstance(block, QuantisedBlock)}
    moments = _moments(twin, pixels, blocks)
    read = {f"{name}.{layer}": block.layer(layer) for name, block in blocks.items() for layer in block.INT8_INPUTS}
    made = {f"{name}.{layer}": block.layer(layer) for name, block in blocks.items() for layer in block.INT8_OUTPUTS}
    inputs = samples(twin, pixels, read, count=POSITIONS, of_inputs=True)
    sums = samples(twin, pixels, made, count=POSITIONS, of_inputs=False)
    for name, block in blocks.items():
        ranges = [
            best_range(inputs[f"{name}.{layer}"], _sensitivity(block.layer(layer))) for layer in block.INT8_INPUTS
        ]
        behind = _sensitivity(block.layer("expand")).chunk(len(block.INT8_OUTPUTS))
        ranges += [
            best_range(sums[f"{name}.{layer}"], sensitivity, slope=LEAK)
            for layer, sensitivity in zip(block.INT8_OUTPUTS, behind, strict=True)
        ]
        block.ranges.copy_(torch.stack(ranges))
    _narrow(twin, pixels[::NARROWED_ON])
    for name, block in blocks.items():
        measured = model.get_submodule(name)
        measured.get_buffer("ranges").copy_(block.ranges)
        for layer in block.INT8_INPUTS:
            weight = block.layer(layer).weight
            seen = moments[f"{name}.{layer}"].mean()
            rounded = gptq(weight.flatten(1), weight_scales(weight), seen, WEIGHT_LIMIT)
            measured.get_buffer(f"int8_{layer}").copy_(rounded.reshape(weight.shape))


@torch.no_grad()
def reset_int8_weights(model: HyperpriorCodec) -> None:
    """Of weights that are about to change: until they are measured again, they are exported as the nearest bytes."""
    for block in model.modules():
        if isinstance(block, QuantisedBlock):
            for name in block.INT8_INPUTS:
                block.get_buffer(f"int8_{name}").zero_()


def best_range(some: Samples, sensitivity: Tensor, *, slope: float = 1.0) -> Tensor:
    """(2,) the range in which bytes are nearest to the values, in the mean of squares.

    Wider ranges hold more of them, narrower ones have finer steps.

    Args:
        some: of what the bytes shall hold.
        sensitivity: (channels,) what an error of each channel is worth, in squares.
        slope: what is left of an error below zero.
    """
    flat, order = some.values.float().flatten().sort()
    weights = (sensitivity.cpu()[:, None] * some.weights).flatten()[order]
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


def _narrow(model: HyperpriorCodec, pixels: Tensor) -> None:
    """Narrow the synthesis' ranges as long as pictures gain by it, one after another.

    Layers behind forgive what is cut off, more than fine steps where a picture is smooth. Of the synthesis that can be
    seen at once, since latents stay the same.
    """
    set_fake_quantisation(model)
    windows = list(encoded_at_places(model, pixels))
    best = _decibels(model, windows)
    for block in model.synthesis.modules():
        for measured in block.ranges if isinstance(block, QuantisedBlock) else ():
            while True:
                before = measured.clone()
                measured.mul_(NARROWER)
                made = _decibels(model, windows)
                if made <= best:
                    measured.copy_(before)
                    break
                best = made


def _decibels(model: HyperpriorCodec, windows: Iterable[Encoded]) -> float:
    errors = torch.cat([squared_errors(model, one) for one in windows])
    return float(-10 * torch.log10(errors.clamp_min(LEAST_ERROR)).mean())


def _sensitivity(layer: nn.Conv2d) -> Tensor:
    """(inputs,) squares of the weights that read each."""
    return layer.weight.square().sum((0, 2, 3))


def _moments(model: HyperpriorCodec, pixels: Tensor, blocks: dict[str, QuantisedBlock]) -> dict[str, Moments]:
    """Of what each layer reads."""
    moments, handles = {}, []
    for name, block in blocks.items():
        for layer_name in block.INT8_INPUTS:
            layer = block.layer(layer_name)
            moments[f"{name}.{layer_name}"] = seen = Moments(layer.kernel_size[0])
            handles.append(layer.register_forward_pre_hook(partial(_add, seen)))
    for _ in run(model, pixels):
        pass
    for handle in handles:
        handle.remove()
    return moments


def _add(moments: Moments, _layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    moments.add(inputs[0])
