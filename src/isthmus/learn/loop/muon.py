"""Muon: momentum whose update of every weight matrix is replaced by the nearest orthogonal matrix.

Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers"; the update's size as in Liu et al. 2025, arXiv
2502.16982, so that one learning rate serves Muon and AdamW alike.
"""

from collections import defaultdict

import torch
from torch import Tensor

from isthmus.learn.loop.processes import computes_in_bf16

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the Newton-Schulz step, from the source."""
UPDATE_SIZE = 0.2
"""Root mean square of an AdamW update per learning rate, which this one copies."""


def orthogonalise(matrices: Tensor, dtype: torch.dtype, steps: int = 5) -> Tensor:
    """(count, rows, columns) -> about U V^T of each one's singular value decomposition, computed in `dtype`."""
    a, b, c = COEFFICIENTS
    x = matrices.to(dtype)
    is_tall = x.shape[1] > x.shape[2]
    if is_tall:
        x = x.transpose(1, 2)
    x = x / (x.float().norm(dim=(1, 2), keepdim=True).clamp_min(1e-12)).to(x.dtype)
    for _ in range(steps):
        square = x @ x.transpose(1, 2)
        mixed = torch.baddbmm(square, square, square, beta=b, alpha=c)
        x = torch.baddbmm(x, mixed, x, beta=a)
    return x.transpose(1, 2) if is_tall else x


class Muon(torch.optim.Optimizer):
    """For weights of two dimensions and more; further dimensions count as columns.

    Computes in bfloat16 where the weights' device has it: where it is emulated, float32 is several times as fast.
    """

    def __init__(self, parameters: list[Tensor], learning_rate: float, momentum: float = 0.95) -> None:
        super().__init__(parameters, {"lr": learning_rate, "momentum": momentum})
        self._dtype = torch.bfloat16 if computes_in_bf16(on_cuda=parameters[0].is_cuda) else torch.float32

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of all weights."""
        for group in self.param_groups:
            same_shape = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
                update = weight.grad.lerp(state["momentum"], group["momentum"]).flatten(1)
                same_shape[tuple(update.shape)].append((weight, update))
            for (rows, columns), pairs in same_shape.items():
                updates = orthogonalise(torch.stack([update for _, update in pairs]), self._dtype)
                size = group["lr"] * UPDATE_SIZE * max(rows, columns) ** 0.5
                for (weight, _), update in zip(pairs, updates, strict=True):
                    weight.add_(update.reshape(weight.shape).to(weight.dtype), alpha=-size)
