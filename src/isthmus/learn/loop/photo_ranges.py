"""What range the activations of the transforms' 8-bit blocks have, measured on pictures."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from isthmus.learn.models.photo_codec import PhotoCodec
from isthmus.learn.models.photo_prior import thrifty_thresholds
from isthmus.learn.models.photo_transforms import CoarseBlock, FineBlock
from isthmus.learn.models.quality import knot_weights

EIGHT_BIT = ("analysis.fine", "synthesis.coarse")
"""Stages whose blocks bear it best (docs/decisions/0007-eight-bit-blocks.md)."""
OUTSIDE = 1e-4
"""Share of activations that a range leaves out on either side."""
LOOKED_AT = 500_000
"""Activations of a layer and batch from which that is estimated."""
PLACES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the qualities, between the lowest and the highest."""
AT_ONCE = 8


@torch.no_grad()
def measure_ranges(model: PhotoCodec, pixels: Tensor) -> None:
    """Measure activations and keep their ranges in the blocks: from then on these are exported as 8-bit blocks.

    Args:
        model: trained.
        pixels: (windows, 3, rows, columns), -0.5..0.5, sides multiples of 64.
    """
    handles = []
    for name, block in model.named_modules():
        if isinstance(block, FineBlock | CoarseBlock):
            block.ranges.zero_()
            if name.startswith(EIGHT_BIT):
                handles += _watch(block)
    thresholds = thrifty_thresholds().to(pixels.device)
    for part in torch.split(pixels, AT_ONCE):
        latents = model.analysis(part)
        for place in PLACES:
            knots = knot_weights(torch.full((len(part),), place, device=part.device))
            steps = model.limited_steps(latents, knots)
            estimate = model.estimate(model.whole_hyper(steps), steps, knots, quantise=True, thresholds=thresholds)
            model.decode(estimate.decoded, knots)
    for handle in handles:
        handle.remove()


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
