"""Weights to bytes, one after another: what rounding does to a product is made good by the weights still to be rounded.

Source: GPTQ (Frantar et al. 2022, arXiv 2210.17323), which is optimal brain surgery (Hassibi and Stork 1993) for
rounding: the least change of the layer's outputs on the inputs that it really has.
"""

import torch
from torch import Tensor

DAMPING = 0.01
"""Of the mean square of the inputs, added to each: what was seen of them is not all there is."""


@torch.no_grad()
def gptq(weight: Tensor, steps: Tensor, moments: Tensor, limit: int) -> Tensor:
    """Bytes, each row in a step of its own.

    Args:
        weight: (outputs, inputs).
        steps: (outputs,).
        moments: (inputs, inputs) mean products of the inputs, which are layer inputs in the weight's order.
        limit: the largest magnitude of a byte.

    Returns:
        (outputs, inputs) int8.
    """
    weight, units, moments = weight.cpu(), steps.cpu().double(), moments.cpu()
    damped = moments.double() + torch.eye(len(moments)) * DAMPING * moments.diag().mean()
    order = torch.argsort(-moments.diag())  # the strongest first, so that many are left to make good what they lose
    left = weight.double()[:, order]
    spread = torch.linalg.cholesky(torch.linalg.inv(damped[order][:, order]), upper=True)
    rounded = torch.empty_like(left)
    for place in range(left.shape[1]):
        rounded[:, place] = torch.round(left[:, place] / units).clamp(-limit, limit)
        error = (left[:, place] - rounded[:, place] * units) / spread[place, place]
        left[:, place:] -= error[:, None] * spread[place, place:]
    bytes_: Tensor = rounded[:, torch.argsort(order)].to(torch.int8)
    return bytes_


class Moments:
    """Mean products of what a layer reads, input by input and place by place.

    Args:
        side: of the layer's kernel, 1 or 3.
    """

    def __init__(self, side: int) -> None:
        self._side = side
        self._sum: Tensor | float = 0.0
        self._count = 0

    @torch.no_grad()
    def add(self, x: Tensor) -> None:
        """(batch, inputs, rows, columns), zero-padded to the same size; a third of the positions do."""
        places = torch.nn.functional.unfold(x, self._side, padding=self._side // 2)
        read = places[:, :, ::3].transpose(0, 1).flatten(1)
        self._sum = self._sum + read @ read.T
        self._count += read.shape[1]

    def mean(self) -> Tensor:
        """(inputs * side * side, the same), in the order of a weight's (inputs, side, side)."""
        assert isinstance(self._sum, Tensor), "nothing was added"  # noqa: S101
        return self._sum / self._count
