"""Channels and hidden units of the photo codec's transforms in sizes that suit bytes; what they compute stays the same.

A layer in bytes has one step for all of its inputs: a few that reach far would make it coarse for the others. What an
input is divided by, its weights are multiplied by. Divisors are powers of two, which round nothing.
"""

import math
from collections.abc import Iterable, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from isthmus.learn.hyperprior.calibration.activation_samples import samples
from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec
from isthmus.learn.hyperprior.networks.folding import Residual
from isthmus.learn.hyperprior.networks.quality import QualityTable
from isthmus.learn.hyperprior.networks.transforms import LEAK, Analysis, CoarseBlock, ScaledConvolution

BAND = 1
"""How much farther than the usual channel's one may reach, or how much less far, as a binary logarithm.
With all of one size, the weights that make up for it would need more bits."""
CAPS = tuple(2.0 ** (step / 4) for step in range(-4, 28))
"""How many times as far as above zero units may reach below it: the best is chosen, or units stay as they are."""
POSITIONS = 2000
"""Of `activation_samples.samples`."""
OUTSIDE = 1e-4
"""Share of a channel's values beyond what counts as its reach, on either side."""


@torch.no_grad()
def equalise(model: HyperpriorCodec, pixels: Tensor) -> None:
    """Rescale the channels between blocks, and the hidden units within them.

    Args:
        model: trained.
        pixels: (windows, 3, rows, columns), -0.5..0.5, sides multiples of 64.
    """
    blocks = {name: block for name, block in model.named_modules() if isinstance(block, Residual)}
    streams = _reach(samples(model, pixels, blocks, count=POSITIONS, of_inputs=True))
    _rescale_fine(model.analysis, channel_scales(_largest(streams, "analysis.fine.")))
    coarse = torch.maximum(_largest(streams, "analysis.coarse."), _largest(streams, "synthesis.coarse."))
    _rescale_latents(model, channel_scales(coarse))
    quality_biases = dict(zip(model.synthesis.coarse, model.synthesis.coarse_quality_biases, strict=True))
    sums = samples(
        model, pixels, {name: block.spatial for name, block in blocks.items()}, count=POSITIONS, of_inputs=False
    )
    for name, block in blocks.items():
        sensitivity = block.expand.weight.square().sum((0, 2, 3))
        scales = hidden_scales(sums[name].to(sensitivity), sensitivity)
        _rescale_outputs(block.spatial, scales)
        block.expand.weight.mul_(scales[:, None, None])
        if block in quality_biases:
            cast("QualityTable", quality_biases[block]).table.div_(scales)


def channel_scales(reach: Tensor) -> Tensor:
    """(channels,) powers of two that bring them into the band around the usual one, or near to it.

    Args:
        reach: (channels,) largest magnitudes.
    """
    beyond = torch.log2(reach.clamp_min(1e-3) / reach.median())
    return torch.exp2(torch.round(beyond - beyond.clamp(-BAND, BAND)))


def hidden_scales(sums: Tensor, sensitivity: Tensor) -> Tensor:
    """(units,) powers of two with which bytes disturb least what a block adds.

    Bytes hold the sums in front of the activation, with one step for all units, and what is behind it, with another. So
    each unit shall reach as far as others do: above zero, or below it, where a cap is that many times as far.

    Args:
        sums: (units, samples) in front of the activation.
        sensitivity: (units,) what an error of each is worth, in squares: of the weights that read it.
    """
    below, above = (reach.clamp_min(1e-3) for reach in (_quantile(-sums), _quantile(sums)))
    is_above = (sums > 0).float().mean(1)
    passed_on = is_above + LEAK**2 * (1 - is_above)
    best, least = torch.ones_like(above), math.inf
    for cap in (0.0, *CAPS):
        scales = torch.maximum(above, below / cap) if cap else torch.ones_like(above)
        scales = torch.exp2(torch.round(torch.log2(scales / scales.median())))
        up, down = (above / scales).max(), (below / scales).max()
        errors = passed_on * (up + down) ** 2 + (up + LEAK * down) ** 2
        disturbed = float((sensitivity * scales**2 * errors).sum())
        if disturbed < least:
            best, least = scales, disturbed
    return best


def _reach(seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """(channels,) of each."""
    return {name: _quantile(some.float().abs()) for name, some in seen.items()}


def _largest(reach: Mapping[str, Tensor], prefix: str) -> Tensor:
    return torch.stack([values for name, values in reach.items() if name.startswith(prefix)]).amax(0)


def _quantile(values: Tensor) -> Tensor:
    """(channels, samples) -> (channels,): all but the share OUTSIDE are smaller."""
    beyond = max(1, int(values.shape[1] * OUTSIDE))
    return values.topk(beyond, dim=1).values[:, -1]


def _rescale_fine(analysis: Analysis, scales: Tensor) -> None:
    scales = scales.to(analysis.stem.bias)
    _rescale_scaled(analysis.stem, scales)
    _rescale_stream(analysis.fine, scales)
    analysis.merge.weight.mul_(scales.repeat_interleave(4))


def _rescale_latents(model: HyperpriorCodec, scales: Tensor) -> None:
    analysis, synthesis = model.analysis, model.synthesis
    scales = scales.to(analysis.merge.bias)
    _rescale_scaled(analysis.merge, scales)
    _rescale_stream(analysis.coarse, scales)
    model.log_gain.table.add_(scales.log())  # of the quantisation steps, which stay what they are
    _rescale_stream(synthesis.coarse, scales)
    for layer in (synthesis.split, synthesis.detail.reduce):
        layer.weight.mul_(scales)


def _rescale_stream(blocks: nn.Module, scales: Tensor) -> None:
    for block in cast("Iterable[Residual]", blocks):
        first = block.reduce if isinstance(block, CoarseBlock) else block.spatial
        first.weight.mul_(scales[:, None, None])
        _rescale_outputs(block.expand, scales)


def _rescale_outputs(layer: nn.Conv2d, scales: Tensor) -> None:
    layer.weight.div_(scales[:, None, None, None])
    cast("Tensor", layer.bias).div_(scales)


def _rescale_scaled(layer: ScaledConvolution, scales: Tensor) -> None:
    layer.weight.div_(scales[:, None])
    layer.bias.div_(scales)
