"""What 8-bit blocks make of real numbers, with gradients passed straight through: training sees what is exported."""

import torch
from torch import Tensor

BYTE_WEIGHT_LIMIT = 63
"""Seven bits: processors without VNNI add two products of bytes in 16 bits, which would overflow with eight."""


def byte_scale(measured: Tensor) -> tuple[Tensor, Tensor]:
    """A measured range (2,) -> the step and the zero, 0..255, of bytes that hold it."""
    step = (measured[1] - measured[0]) / 255
    return step, torch.round(-measured[0] / step).clamp(0, 255)


def as_bytes(x: Tensor, measured: Tensor) -> Tensor:
    """`x` as bytes of a range would have it; values outside are clipped, and so are their gradients."""
    step, zero = byte_scale(measured)
    inside = torch.clamp(x, -zero * step, (255 - zero) * step)
    return inside + (torch.round(inside / step) * step - inside).detach()


def as_byte_weight(weight: Tensor) -> Tensor:
    """(outputs, ...) as whole numbers within ±BYTE_WEIGHT_LIMIT times a step for each output."""
    step = weight.detach().abs().flatten(1).amax(1).clamp_min(1e-12) / BYTE_WEIGHT_LIMIT
    step = step.reshape(-1, *[1] * (weight.dim() - 1))
    return weight + (torch.round(weight / step) * step - weight).detach()
