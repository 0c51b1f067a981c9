"""The same transforms with other weights, that are cheaper to compute: what export makes graphs of.

Pixels: the inverse DCT that the synthesis ends in is multiplied into the layers in front of it.

Biases: what a block adds to all positions alike goes into the biases behind the layers that read it. A 3x3 layer would
need another padding for that; without it, a picture's outermost blocks are worth 0.001 to 0.01 dB less.
"""

from collections.abc import Iterable
from copy import deepcopy
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.learn.hyperprior.networks.codec import PhotoCodec
from isthmus.learn.hyperprior.networks.transforms import (
    CoarseBlock,
    FineBlock,
    ScaledConvolution,
    Split,
    Synthesis,
)

Residual = FineBlock | CoarseBlock


@torch.no_grad()
def rewritten(model: PhotoCodec) -> PhotoCodec:
    """A copy that computes the same, but for the padding's sake; rewritten once more, it stays as it is."""
    twin = deepcopy(model)
    _carry_biases(twin)
    _end_in_pixels(twin.synthesis)
    return twin


def reordered(block: CoarseBlock, order: NDArray[np.int64]) -> CoarseBlock:
    """A copy that works on the channels in another order, its bytes too."""
    twin, places = deepcopy(block), torch.from_numpy(order)
    for name, axis in (("reduce", 1), ("spread", 0)):
        weight = twin.get_submodule(name).get_parameter("weight")
        weight.data = weight.data.index_select(axis, places)
        twin.register_buffer(f"rounded_{name}", block.get_buffer(f"rounded_{name}").index_select(axis, places))
    bias = cast("Tensor", twin.spread.bias)
    bias.data = bias.data[places]
    return twin


def _carry_biases(model: PhotoCodec) -> None:
    analysis, synthesis = model.analysis, model.synthesis
    _read_shifted(analysis.merge, _carry_through(analysis.fine).repeat_interleave(4))
    carried = _carry_through(analysis.coarse)
    cast("Tensor", cast("CoarseBlock", analysis.coarse[-1]).spread.bias).copy_(carried)  # nothing reads the latents
    carried = _carry_through(synthesis.coarse)
    _read_shifted(synthesis.split, carried)
    _read_shifted(synthesis.detail.narrow, carried)
    synthesis.split.bias.add_(_taken_bias(synthesis.detail.spread).repeat_interleave(4))


def _carry_through(blocks: nn.Module) -> Tensor:
    """What all of the blocks add to all positions alike, each knowing what those before it would have added."""
    first, *others = cast("Iterable[Residual]", blocks)
    carried = _taken_bias(first.spread)
    for block in others:
        _read_shifted_block(block, carried)
        carried = carried + _taken_bias(block.spread)
    return carried


def _end_in_pixels(synthesis: Synthesis) -> None:
    """The inverse DCT, multiplied into the layers in front of it."""
    head, split = synthesis.head.clone(), synthesis.split
    matrix = torch.einsum("ij,jpl->ipl", head, split.folded().reshape(len(head), 4, -1)).flatten(0, 1)
    ones = (np.ones(size) for size in reversed(matrix.shape))
    synthesis.split = Split(matrix.numpy(), *ones).requires_grad_(split.weight.requires_grad)
    synthesis.split.bias.copy_((head @ split.bias.reshape(len(head), 4)).flatten())
    spread = synthesis.detail.spread.weight
    spread.copy_(torch.einsum("ij,jkrc->ikrc", head, spread))
    synthesis.head.copy_(torch.eye(len(head)))


def _taken_bias(layer: nn.Conv2d) -> Tensor:
    """The layer's bias, which is zero from now on."""
    bias = cast("Tensor", layer.bias)
    taken = bias.clone()
    bias.zero_()
    return taken


def _read_shifted_block(block: Residual, shift: Tensor) -> None:
    """The same of a block. Its first bias is behind the 3x3 layer."""
    if isinstance(block, CoarseBlock):
        shift = block.reduce.weight[:, :, 0, 0] @ shift
    _read_shifted(block.gather, shift)


def _read_shifted(layer: ScaledConvolution | nn.Conv2d, shift: Tensor) -> None:
    """Work for inputs that lack `shift`, (inputs,)."""
    weight = layer.folded() if isinstance(layer, ScaledConvolution) else layer.weight
    cast("Tensor", layer.bias).add_(weight.sum((2, 3)) @ shift)
