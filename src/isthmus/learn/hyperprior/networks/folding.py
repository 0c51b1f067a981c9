"""Folding for export: the inverse DCT that the synthesis ends in is multiplied into the layers in front of it."""

from copy import deepcopy
from typing import cast

import numpy as np
import torch
from torch import Tensor

from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec
from isthmus.learn.hyperprior.networks.transforms import (
    CoarseBlock,
    FineBlock,
    Split,
    Synthesis,
)

Residual = FineBlock | CoarseBlock


@torch.no_grad()
def fold_for_export(model: HyperpriorCodec) -> HyperpriorCodec:
    """A copy that computes the same, without the inverse DCT of its own; folded once more, it stays as it is."""
    twin = deepcopy(model)
    _fold_inverse_dct(twin.synthesis)
    return twin


def _fold_inverse_dct(synthesis: Synthesis) -> None:
    """The inverse DCT, multiplied into the layers in front of it."""
    head, split = synthesis.head.clone(), synthesis.split
    matrix = torch.einsum("ij,jpl->ipl", head, split.folded().reshape(len(head), 4, -1)).flatten(0, 1)
    ones = (np.ones(size) for size in reversed(matrix.shape))
    synthesis.split = Split(matrix.numpy(), *ones).requires_grad_(split.weight.requires_grad)
    synthesis.split.bias.copy_((head @ split.bias.reshape(len(head), 4)).flatten())
    expand = synthesis.detail.expand
    expand.weight.copy_(torch.einsum("ij,jkrc->ikrc", head, expand.weight))
    bias = cast("Tensor", expand.bias)
    bias.copy_(head @ bias)
    synthesis.head.copy_(torch.eye(len(head)))
