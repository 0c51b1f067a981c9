"""The same transforms, the channels between their blocks divided by powers of two so that one range suits them all.

Blocks in bytes have one step for all channels of their input; a few channels that reach far would make it coarse for
the others. What a channel is divided by, its neighbours' weights are multiplied by: nothing else changes, and powers
of two round nothing.
"""

from collections.abc import Iterable
from copy import deepcopy
from typing import cast

import torch
from torch import Tensor, nn

from isthmus.learn.models.photo_codec import PhotoCodec
from isthmus.learn.models.photo_transforms import CoarseBlock, FineBlock, ScaledConvolution

STREAMS = ("analysis.fine", "analysis.coarse", "synthesis.coarse", "synthesis.fine")
"""Stages, whose blocks all read and add to the same channels. Those of the two coarse ones are the latents'."""


@torch.no_grad()
def balanced(model: PhotoCodec) -> PhotoCodec:
    """A copy with its balance worked into its weights: from then on it has none."""
    twin = deepcopy(model)
    analysis, synthesis = twin.analysis, twin.synthesis
    latent, fine, last = twin.latent_balance, analysis.fine_balance, synthesis.fine_balance
    _divide_outputs(analysis.stem, fine)
    _divide_blocks(analysis.fine, fine)
    _multiply_inputs(analysis.merge, fine.repeat_interleave(4))
    _divide_outputs(analysis.merge, latent)
    _divide_blocks(analysis.coarse, latent)
    twin.log_gain.table.add_(latent.log())  # of the quantisation steps, which stay what they are
    _divide_blocks(synthesis.coarse, latent)
    _multiply_inputs(synthesis.split, latent)
    _divide_outputs(synthesis.split, last.repeat_interleave(4))
    _divide_blocks(synthesis.fine, last)
    _multiply_inputs(synthesis.head, last)
    for balance in (latent, fine, last):
        balance.fill_(1)
    return twin


def balance_for(sizes: Tensor) -> Tensor:
    """(channels,) powers of two near the square root of the largest magnitudes, relative to the usual one.

    Halfway: with all channels of one size, the weights that make up for it would need more bits.
    """
    sizes = sizes.clamp_min(1e-3)
    return torch.exp2(torch.round(torch.log2(sizes / sizes.median()) / 2))


def _divide_blocks(blocks: nn.Module, balance: Tensor) -> None:
    for block in cast("Iterable[FineBlock | CoarseBlock]", blocks):
        first = block.gather if isinstance(block, FineBlock) else block.reduce
        first.weight.mul_(balance[None, :, None, None])
        for parameter in block.spread.parameters():
            parameter.div_(balance.reshape(-1, *[1] * (parameter.dim() - 1)))


def _divide_outputs(layer: ScaledConvolution, balance: Tensor) -> None:
    layer.weight.div_(balance[:, None])
    layer.bias.div_(balance)


def _multiply_inputs(layer: ScaledConvolution, balance: Tensor) -> None:
    layer.weight.mul_(balance)
