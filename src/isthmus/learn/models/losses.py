"""How far a reconstruction's logits are from the picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Loss = Callable[[Tensor, Tensor], Tensor]
"""(logits, pictures in [0, 1]), both (batch, channels, rows, columns) -> a scalar: the mean over all values."""


def cross_entropy_of(logits: Tensor, target: Tensor) -> Tensor:
    """Mean binary cross-entropy of sigmoid(logits) in nats: of softplus(logits) - target logits."""
    total = nn.functional.softplus(logits).sum() - torch.dot(logits.flatten(), target.flatten())
    return total / logits.numel()


def cross_entropy_slopes(logits: Tensor, target: Tensor) -> Tensor:
    """The gradient of `cross_entropy_of` by the logits."""
    return torch.sigmoid(logits).sub_(target).mul_(1 / logits.numel())


class _SigmoidCrossEntropy(torch.autograd.Function):
    """Binary cross-entropy of sigmoid(logits); its gradient in one pass.

    PyTorch's own goes through the logits several times more each way: a fifth of a small network's step on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(logits, target)
        return cross_entropy_of(logits, target)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        logits, target = ctx.saved_tensors
        return cross_entropy_slopes(logits, target).mul_(gradients[0]), None


def cross_entropy(logits: Tensor, pictures: Tensor) -> Tensor:
    """Mean binary cross-entropy in nats a value."""
    loss: Tensor = _SigmoidCrossEntropy.apply(logits.float(), pictures)
    return loss


def make_loss(name: str, output: nn.Module) -> Loss:
    """The loss that a recipe names.

    Args:
        name: "mse" or "bce".
        output: the model's last activation. Cross-entropy of a linear output takes it as the logit.
    """
    if name == "bce":
        return cross_entropy
    return lambda logits, pictures: nn.functional.mse_loss(output(logits), pictures)
