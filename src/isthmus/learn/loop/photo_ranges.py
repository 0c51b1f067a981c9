"""What range the activations of the transforms' 8-bit blocks have, measured on pictures."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from isthmus.learn.models.photo_codec import PhotoCodec
from isthmus.learn.models.photo_prior import thrifty_thresholds
from isthmus.learn.models.photo_rewriting import STREAMS, balance_for, rewritten
from isthmus.learn.models.photo_transforms import CoarseBlock, FineBlock
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
    """Measure activations and keep their balance and ranges in the model: from then on it is exported in 8 bits.

    Args:
        model: trained.
        pixels: (windows, 3, rows, columns), -0.5..0.5, sides multiples of 64.
    """
    sizes = _stream_sizes(model, pixels)
    model.analysis.fine_balance.copy_(balance_for(sizes["analysis.fine"]))
    model.synthesis.fine_balance.copy_(balance_for(sizes["synthesis.fine"]))
    model.latent_balance.copy_(balance_for(torch.maximum(sizes["analysis.coarse"], sizes["synthesis.coarse"])))
    twin = rewritten(model)
    handles = []
    for block in twin.modules():
        if isinstance(block, FineBlock | CoarseBlock):
            block.ranges.zero_()
            handles += _watch(block)
    _run(twin, pixels)
    for name, block in twin.named_modules():
        if isinstance(block, FineBlock | CoarseBlock):
            model.get_submodule(name).ranges.copy_(block.ranges)  # type: ignore[operator]
    for handle in handles:
        handle.remove()


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


def _watch(block: FineBlock | CoarseBlock) -> list[RemovableHandle]:
    """Widen the block's ranges with whatever goes through its layers."""
    layers = [layer for layer in block.children() if isinstance(layer, nn.Conv2d)]
    handles = [
        layer.register_forward_pre_hook(partial(_on_input, measured))
        for layer, measured in zip(layers, block.ranges, strict=False)
    ]
    return [*handles, block.gather.register_forward_hook(partial(_on_output, block.ranges[-1]))]


def _on_input(measured: Tensor, _layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    _widen(measured, inputs[0])


def _on_output(measured: Tensor, _layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
    _widen(measured, output)


def _widen(measured: Tensor, values: Tensor) -> None:
    """Make a range, (2,), hold all but `OUTSIDE` of the values."""
    seed = torch.Generator().manual_seed(0)
    some = torch.randint(values.numel(), (LOOKED_AT,), generator=seed).to(values.device)
    ends = torch.quantile(values.float().flatten()[some], torch.tensor([OUTSIDE, 1 - OUTSIDE], device=values.device))
    measured[0], measured[1] = torch.minimum(measured[0], ends[0]), torch.maximum(measured[1], ends[1])
