"""The transforms' 8-bit blocks on pictures: what ranges their activations have, and what bytes suit as weights."""

from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from isthmus.learn.loop.weight_rounding import Moments, round_weights
from isthmus.learn.models.photo_codec import PhotoCodec
from isthmus.learn.models.photo_prior import thrifty_thresholds
from isthmus.learn.models.photo_rewriting import STREAMS, Block, balance_for, rewritten
from isthmus.learn.models.photo_transforms import OUTSIDE_IN_TRAINING, WEIGHT_LIMIT, FineDetail, byte_steps
from isthmus.learn.models.quality import knot_weights

OUTSIDE = 1e-4
"""Share of activations that a range leaves out on either side."""
LOOKED_AT = 500_000
"""Activations of a layer and batch from which that is estimated."""
PLACES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the qualities, between the lowest and the highest."""
AT_ONCE = 8


@torch.no_grad()
def measure_ranges(model: PhotoCodec, pixels: Tensor) -> None:
    """Measure activations and keep their balance and ranges, and weights rounded for them, in the model.

    From then on it is exported in 8 bits.

    Args:
        model: trained.
        pixels: (windows, 3, rows, columns), -0.5..0.5, sides multiples of 64.
    """
    sizes = _stream_sizes(model, pixels)
    model.analysis.fine_balance.copy_(balance_for(sizes["analysis.fine"]))
    model.latent_balance.copy_(balance_for(torch.maximum(sizes["analysis.coarse"], sizes["synthesis.coarse"])))
    twin = rewritten(model)
    moments: dict[str, Moments] = {}
    handles = []
    for name, block in twin.named_modules():
        if isinstance(block, Block):
            block.ranges.zero_()
            handles += _watch(block)
            for layer in block.BYTES:
                moments[f"{name}.{layer}"] = Moments(_layer(block, layer).kernel_size[0])
                handles.append(
                    _layer(block, layer).register_forward_pre_hook(partial(_add, moments[f"{name}.{layer}"]))
                )
    _run(twin, pixels)
    for handle in handles:
        handle.remove()
    for name, block in twin.named_modules():
        if isinstance(block, Block):
            measured = model.get_submodule(name)
            cast("Tensor", measured.ranges).copy_(block.ranges)
            for layer_name in block.BYTES:
                weight = _layer(block, layer_name).weight
                seen = moments[f"{name}.{layer_name}"].mean()
                rounded = round_weights(weight.flatten(1), byte_steps(weight), seen, WEIGHT_LIMIT)
                measured.get_buffer(f"rounded_{layer_name}").copy_(rounded.reshape(weight.shape))


@torch.no_grad()
def forget_rounded(model: PhotoCodec) -> None:
    """Of weights that are about to change: until they are measured again, they are exported as the nearest bytes."""
    for block in model.modules():
        if isinstance(block, Block):
            for name in block.BYTES:
                block.get_buffer(f"rounded_{name}").zero_()


def _stream_sizes(model: PhotoCodec, pixels: Tensor) -> dict[str, Tensor]:
    """The largest magnitude of each channel in front of the blocks of each stage."""
    sizes: dict[str, Tensor] = {}
    handles = []
    for name in STREAMS:

        def widen(_block: nn.Module, inputs: tuple[Tensor, ...], name: str = name) -> None:
            largest = inputs[0].abs().amax((0, 2, 3))
            sizes[name] = torch.maximum(sizes.get(name, largest), largest)

        handles += [block.register_forward_pre_hook(widen) for block in model.get_submodule(name).children()]
    _run(model, pixels)
    for handle in handles:
        handle.remove()
    return sizes


def _run(model: PhotoCodec, pixels: Tensor) -> None:
    """All of the transforms, at some qualities."""
    thresholds = thrifty_thresholds().to(pixels.device)
    for part in torch.split(pixels, AT_ONCE):
        latents = model.analysis(part)
        for place in PLACES:
            knots = knot_weights(torch.full((len(part),), place, device=part.device))
            steps = model.limited_steps(latents, knots)
            estimate = model.estimate(model.whole_hyper(steps), steps, knots, quantise=True, thresholds=thresholds)
            model.decode(estimate.decoded, knots)


def _layer(block: Block, name: str) -> nn.Conv2d:
    return cast("nn.Conv2d", block.get_submodule(name))


def _watch(block: Block) -> list[RemovableHandle]:
    """Widen the block's ranges with whatever goes through its layers."""
    inputs = [
        _layer(block, name).register_forward_pre_hook(partial(_on_input, measured, _outside(block, name)))
        for name, measured in zip(block.BYTES, block.ranges, strict=False)
    ]
    sums = [
        _layer(block, name).register_forward_hook(partial(_on_output, measured, _outside(block, name)))
        for name, measured in zip(block.SUMS, block.ranges[len(inputs) :], strict=True)
    ]
    return inputs + sums


def _outside(block: Block, name: str) -> float:
    is_trained = isinstance(block, FineDetail) and name in block.TRAINED_IN_BYTES
    return OUTSIDE_IN_TRAINING if is_trained else OUTSIDE


def _add(moments: Moments, _layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    moments.add(inputs[0])


def _on_input(measured: Tensor, outside: float, _layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    _widen(measured, outside, inputs[0])


def _on_output(
    measured: Tensor, outside: float, _layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor
) -> None:
    _widen(measured, outside, output)


def _widen(measured: Tensor, outside: float, values: Tensor) -> None:
    """Make a range, (2,), hold all but a share of the values on either side."""
    seed = torch.Generator().manual_seed(0)
    some = torch.randint(values.numel(), (LOOKED_AT,), generator=seed).to(values.device)
    ends = torch.quantile(values.float().flatten()[some], torch.tensor([outside, 1 - outside], device=values.device))
    measured[0], measured[1] = torch.minimum(measured[0], ends[0]), torch.maximum(measured[1], ends[1])
