"""What range the activations of the transforms' 8-bit blocks have, and how weights are best rounded: on pictures."""

from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from isthmus.learn.export.eight_bit import WEIGHT_LIMIT
from isthmus.learn.loop.weight_rounding import Moments, round_weights
from isthmus.learn.models.photo_codec import PhotoCodec
from isthmus.learn.models.photo_prior import thrifty_thresholds
from isthmus.learn.models.photo_rewriting import STREAMS, Block, balance_for, even_basis, rewritten
from isthmus.learn.models.photo_transforms import NarrowBlock
from isthmus.learn.models.quality import knot_weights

OUTSIDE = 1e-4
"""Share of activations that a range leaves out on either side."""
OUTSIDE_LEAK = 1e-3
"""The same below zero, where the activation behind them leaves a tenth."""
OUTSIDE_NARROW = 1e-3
"""The same of what the last block narrows to: its steps are seen sooner than what is clipped."""
LOOKED_AT = 500_000
"""Activations of a layer and batch from which that is estimated."""
PLACES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the qualities, between the lowest and the highest."""
AT_ONCE = 8


@torch.no_grad()
def measure_ranges(model: PhotoCodec, pixels: Tensor) -> None:
    """Measure activations and keep what export asks for in the model: from then on it is exported in 8 bits.

    Args:
        model: trained.
        pixels: (windows, 3, rows, columns), -0.5..0.5, sides multiples of 64.
    """
    last = cast("NarrowBlock", model.synthesis.fine[-1])
    narrowed = Moments(1)
    watching = last.narrow.register_forward_hook(lambda _layer, _inputs, output: narrowed.add(output))
    sizes = _stream_sizes(model, pixels)
    watching.remove()
    model.analysis.fine_balance.copy_(balance_for(sizes["analysis.fine"]))
    model.synthesis.fine_balance.copy_(balance_for(sizes["synthesis.fine"]))
    model.latent_balance.copy_(balance_for(torch.maximum(sizes["analysis.coarse"], sizes["synthesis.coarse"])))
    last.narrow_basis.copy_(even_basis(narrowed.mean(), last.gather.weight))

    twin = rewritten(model)
    twin_last, read = cast("NarrowBlock", twin.synthesis.fine[-1]), Moments(3)
    handles = [twin_last.gather.register_forward_pre_hook(lambda _layer, inputs: read.add(inputs[0]))]
    for block in twin.modules():
        if isinstance(block, Block):
            block.ranges.zero_()
            handles += _watch(block)
    _run(twin, pixels)
    for name, block in twin.named_modules():
        if isinstance(block, Block):
            model.get_submodule(name).ranges.copy_(block.ranges)  # type: ignore[operator]
    for handle in handles:
        handle.remove()
    rounded = round_weights(twin_last.gather.weight.flatten(1), read.mean(), WEIGHT_LIMIT)
    last.rounded.copy_(rounded.reshape(last.rounded.shape))


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


def _watch(block: Block) -> list[RemovableHandle]:
    """Widen the block's ranges with whatever goes through its layers that multiply bytes."""
    layers = [layer for name, layer in block.named_children() if name != "narrow"]
    outside = OUTSIDE_NARROW if isinstance(block, NarrowBlock) else OUTSIDE
    handles = [
        layer.register_forward_pre_hook(partial(_on_input, measured, outside if layer is block.gather else OUTSIDE))
        for layer, measured in zip(layers, block.ranges, strict=False)
    ]
    return [*handles, block.gather.register_forward_hook(partial(_on_output, block.ranges[-1]))]


def _on_input(measured: Tensor, outside: float, _layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    _widen(measured, inputs[0], outside, outside)


def _on_output(measured: Tensor, _layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
    _widen(measured, output, OUTSIDE_LEAK, OUTSIDE)


def _widen(measured: Tensor, values: Tensor, below: float, above: float) -> None:
    """Make a range, (2,), hold all but such shares of the values."""
    seed = torch.Generator().manual_seed(0)
    some = torch.randint(values.numel(), (LOOKED_AT,), generator=seed).to(values.device)
    ends = torch.quantile(values.float().flatten()[some], torch.tensor([below, 1 - above], device=values.device))
    measured[0], measured[1] = torch.minimum(measured[0], ends[0]), torch.maximum(measured[1], ends[1])
