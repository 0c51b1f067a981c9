"""Layers that train in floats and run in exact integers: the building blocks of the entropy networks.

An activation is an integer in units of 2^-ACTIVATION_BITS. A weight row (one output channel) is an integer row in units
of 2^-shift, with the shift of each row chosen so that no partial sum can reach 2^24. Then a float32 carries every sum
without rounding, in whatever order an engine adds, and results agree on every machine.

With `quantise=False` the same formulas run without rounding; with `quantise=True` rounding is passed straight through
(Bengio et al. 2013, arXiv 1308.3432).
"""

from typing import Any

import torch
from torch import Tensor, nn

from isthmus.entropy.fixed_point import ACTIVATION_LIMIT
from isthmus.learn.hyperprior.networks.quality import QualityTable

ACTIVATION_BITS = 5
"""Activations are multiples of 1/32."""
EXACT_LIMIT = 2**24 - 1
"""Every integer up to here is a float32."""
WEIGHT_LIMIT = 2047
"""Largest magnitude of an integer weight."""
INT8_LIMIT = 64
"""The same where one byte has to do: two products of it and an activation fit into 16 bits."""
SHIFT_LIMIT = 14
"""Largest right shift of a row: beyond it the weights are tiny and more bits would be wasted."""
MAXIMUM = ACTIVATION_LIMIT / 2**ACTIVATION_BITS
PULL = 0.1
"""Part of the gradient that reaches a clipped unit if it pulls it back: no unit stays dead."""


class _RoundToUnits(torch.autograd.Function):
    """floor(x * units + 1/2) / units with the gradient of the identity; with no sum that could round again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, units: Tensor | float) -> Tensor:
        return torch.floor(x * units + 0.5) / units

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


def round_to(x: Tensor, units: Tensor | float) -> Tensor:
    """Multiples of 1/units, floor(x + 1/2), gradient passed through."""
    rounded: Tensor = _RoundToUnits.apply(x, units)
    return rounded


class _ClampInwards(torch.autograd.Function):
    """Clamp whose gradient is stopped only where it would push further out."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.limits = (low, high)
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        low, high = ctx.limits
        passes = ((x >= low) | (gradient < 0)) & ((x <= high) | (gradient > 0))
        return gradient * passes, None, None


def clamp_inwards(x: Tensor, low: float, high: float) -> Tensor:
    """Clamp; a value outside is still pulled back in by its gradient."""
    clamped: Tensor = _ClampInwards.apply(x, low, high)
    return clamped


class _Activate(torch.autograd.Function):
    """Clip to [0, MAXIMUM]; a small part of the gradient passes where it pulls a clipped value back in."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(0, MAXIMUM)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        low, high = x < 0, x > MAXIMUM
        pulled = (low & (gradient < 0)) | (high & (gradient > 0))
        return gradient * (torch.where(pulled, PULL, 1.0) * (pulled | ~(low | high))).to(gradient.dtype)


def activate(x: Tensor, *, quantise: bool) -> Tensor:
    """Clip to [0, MAXIMUM]; if asked, round to multiples of 2^-ACTIVATION_BITS."""
    if quantise:
        x = round_to(x, 2.0**ACTIVATION_BITS)
    activated: Tensor = _Activate.apply(x)
    return activated


def row_shifts(weight: Tensor, bias_bound: Tensor, input_limit: int, input_bits: int, *, int8_rows: int = 0) -> Tensor:
    """The right shift of each row.

    Args:
        weight: (rows, ...) real weights.
        bias_bound: (rows,) largest magnitude that biases of any kind can add, real units.
        input_limit: the largest magnitude of an input integer.
        input_bits: the input integers are in units of 2^-input_bits.
        int8_rows: weights of so many first rows are within ±INT8_LIMIT, all others within ±WEIGHT_LIMIT.

    Returns:
        (rows,) float tensor of whole numbers in 1..SHIFT_LIMIT. Biases stay within half of EXACT_LIMIT: half of their
        unit is added to them.
    """
    flat = weight.detach().abs().flatten(1).float()
    # half a unit of rounding per weight, the rounding constants and one for luck are kept free
    room = EXACT_LIMIT - input_limit * (flat.shape[1] / 2 + 1)
    total = flat.sum(1) * input_limit + (bias_bound + 1) * 2**input_bits
    by_sum = torch.log2(room / total.clamp_min(1e-12))
    by_bias = torch.log2(EXACT_LIMIT // 2 / ((bias_bound + 1) * 2**input_bits))
    limit = torch.full_like(bias_bound, WEIGHT_LIMIT)
    limit[:int8_rows] = INT8_LIMIT
    by_weight = torch.log2(limit / flat.amax(1).clamp_min(1e-12))
    return torch.floor(torch.stack([by_sum, by_bias, by_weight]).amin(0)).clamp(1, SHIFT_LIMIT)


class IntegerConvolution(nn.Module):
    """Square convolution with zero padding, plain or depthwise, whose weights can be put on integer grids.

    Symbols:
        weight: (outputs, inputs or 1, side, side); bias: a table over quality, (knots, outputs).

    Attributes:
        fixed_shifts: (outputs,) in place of those that follow from the weights, where these change little; else None.
    """

    fixed_shifts: Tensor | None = None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        side: int,
        *,
        depthwise: bool = False,
        gain: float = 2**0.5,
        input_limit: int = ACTIVATION_LIMIT,
        input_bits: int = ACTIVATION_BITS,
        int8_rows: int = 0,
    ) -> None:
        super().__init__()
        per_output = 1 if depthwise else inputs
        spread = gain / (per_output * side * side) ** 0.5
        self.weight = nn.Parameter(torch.randn(outputs, per_output, side, side) * spread)
        self.bias = QualityTable.zeros(outputs)
        self.groups = inputs if depthwise else 1
        self.side = side
        self.input_limit = input_limit
        self.input_bits = input_bits
        self.int8_rows = int8_rows

    def shifts(self) -> Tensor:
        """(outputs,) right shift of each row."""
        if self.fixed_shifts is not None:
            return self.fixed_shifts
        bias_bound = self.bias.table.detach().abs().amax(0)
        return row_shifts(self.weight, bias_bound, self.input_limit, self.input_bits, int8_rows=self.int8_rows)

    def forward(self, x: Tensor, knots: Tensor, *, quantise: bool) -> Tensor:
        """(batch, inputs, rows, columns) and (batch, knots) -> (batch, outputs, rows, columns), not yet activated."""
        weight: Tensor = self.weight
        if quantise:
            units = 2.0 ** self.shifts()
            weight = round_to(weight, units[:, None, None, None])
            bias = self.bias.rounded(knots, units * 2.0**self.input_bits)
        else:
            bias = self.bias(knots)
        if self.side == 1 and x.dtype == torch.float32:  # several times faster than the convolution in float32
            return torch.einsum("bchw,oc->bohw", x, weight[:, :, 0, 0]) + bias
        return nn.functional.conv2d(x, weight, padding=self.side // 2, groups=self.groups) + bias
