"""Gradients of a dense autoencoder without autograd: products and activations in turn, all weights in one row.

    values (batch, pixels) -> layer by layer, each kept -> loss and its slope -> layer by layer backwards -> gradients

Of a small network's step on a CPU, products take a third; the rest is what PyTorch does around each of some forty
operations, for autograd and for the optimiser of each weight. Here they are half as many, and the optimiser has one
row of numbers to go through. Gradients are those of autograd but for the order of sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.learn.models.autoencoder import Autoencoder
from isthmus.learn.models.losses import cross_entropy_of, cross_entropy_slopes

Activation = tuple[Callable[[Tensor], tuple[Tensor, Tensor]], Callable[[Tensor, Tensor], Tensor]]
"""(sums of a layer -> what it makes of them, and what is kept; slopes behind it, what was kept -> slopes before it)."""


def _relu(sums: Tensor) -> tuple[Tensor, Tensor]:
    made = sums.relu_()
    return made, made


def _sigmoid(sums: Tensor) -> tuple[Tensor, Tensor]:
    made = sums.sigmoid_()
    return made, made


def _activation(module: nn.Module) -> Activation | None:
    """None where it is none of those that are known here."""
    ops = torch.ops.aten
    if isinstance(module, nn.Identity):
        return lambda sums: (sums, sums), lambda slopes, _: slopes
    if isinstance(module, nn.ReLU):
        return _relu, lambda slopes, made: ops.threshold_backward(slopes, made, 0)
    if isinstance(module, nn.Sigmoid):
        return _sigmoid, ops.sigmoid_backward
    if isinstance(module, nn.LeakyReLU):
        share = module.negative_slope
        return (
            lambda sums: (nn.functional.leaky_relu(sums, share), sums),
            lambda slopes, sums: ops.leaky_relu_backward(slopes, sums, share, self_is_result=False),
        )
    if isinstance(module, nn.GELU) and module.approximate == "none":
        return lambda sums: (nn.functional.gelu(sums), sums), ops.gelu_backward
    return None


@dataclass(frozen=True)
class _Layer:
    """One layer; its tensors are parts of the chain's rows, and stay so."""

    weight: Tensor
    """(outputs, inputs)."""
    transposed: Tensor
    bias: Tensor
    weight_gradient: Tensor
    bias_gradient: Tensor
    activate: Callable[[Tensor], tuple[Tensor, Tensor]]
    slopes_before: Callable[[Tensor, Tensor], Tensor]


class DenseChain:
    """The weights of a network that is nothing but linear layers and activations, in one row.

    The network's own parameters become parts of the row.

    Args:
        linear: its layers, from pixels to pixels.
        activations: behind each.
        loss: "mse", or "bce" of logits.

    Attributes:
        weights: all of them, for the optimiser; `gradients` fills their gradient.
    """

    def __init__(self, linear: list[nn.Linear], activations: list[Activation], loss: str) -> None:
        parameters = [part for layer in linear for part in (layer.weight, layer.bias)]
        self._shapes = [part.shape for part in parameters]
        self._has_logits = loss == "bce"
        with torch.no_grad():
            row = torch.cat([part.detach().flatten() for part in parameters])
        self.weights = nn.Parameter(row)
        self.weights.grad = torch.zeros_like(row)
        weights, slopes = self._parts(row), self._parts(self.weights.grad)
        for parameter, part in zip(parameters, weights, strict=True):
            parameter.data = part
        of_layers = zip(weights[::2], weights[1::2], slopes[::2], slopes[1::2], activations, strict=True)
        self._layers = [
            _Layer(weight, weight.t(), bias, weight_slopes, bias_slopes, *activation)
            for weight, bias, weight_slopes, bias_slopes, activation in of_layers
        ]

    @classmethod
    def of(cls, model: Autoencoder, loss: str) -> DenseChain | None:
        """That of a model; None of one that has other parts.

        Args:
            model: on the CPU, in float32.
            loss: "mse" or "bce".
        """
        linear: list[nn.Linear] = []
        behind: list[nn.Module] = []
        for part in (*_parts_of(model.analysis), *_parts_of(model.synthesis)):
            if isinstance(part, nn.Linear):
                linear.append(part)
                behind.append(nn.Identity())
            elif not isinstance(part, nn.Flatten | nn.Unflatten):
                if not linear or not isinstance(behind[-1], nn.Identity):
                    return None
                behind[-1] = part
        if not linear or any(layer.bias is None for layer in linear) or not isinstance(behind[-1], nn.Identity):
            return None
        if loss == "mse":
            behind[-1] = model.output
        activations = [_activation(module) for module in behind]
        known = [one for one in activations if one is not None]
        is_whole = sum(part.numel() for layer in linear for part in layer.parameters()) == sum(
            part.numel() for part in model.parameters()
        )
        return cls(linear, known, loss) if len(known) == len(linear) and is_whole else None

    @torch.no_grad()
    def gradients(self, inputs: Tensor, wanted: Tensor) -> Tensor:
        """Fill the gradient of `weights` for one batch.

        Args:
            inputs: what the network reads, (batch, channels, rows, columns) in 0..1.
            wanted: what it shall make of it, the same shape.

        Returns:
            The loss, a scalar.
        """
        read, target = [inputs.flatten(1)], wanted.flatten(1)
        kept: list[Tensor] = []
        for layer in self._layers:
            made, needed = layer.activate(torch.addmm(layer.bias, read[-1], layer.transposed))
            read.append(made)
            kept.append(needed)
        loss, slopes = self._loss(read.pop(), target)
        for place in reversed(range(len(self._layers))):
            layer = self._layers[place]
            slopes = layer.slopes_before(slopes, kept[place])
            torch.mm(slopes.t(), read[place], out=layer.weight_gradient)
            torch.sum(slopes, 0, out=layer.bias_gradient)
            if place:
                slopes = slopes @ layer.weight
        return loss

    def _loss(self, made: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """(mean over all values, its slopes) of what the last layer makes, or of logits."""
        if self._has_logits:
            return cross_entropy_of(made, target), cross_entropy_slopes(made, target)
        error = made - target
        row, count = error.view(-1), error.numel()
        return torch.dot(row, row) / count, error.mul_(2 / count)

    # ---- the optimiser's state, as a checkpoint holds it: of each parameter, whoever goes on with it

    def split(self, state: dict[str, Any]) -> dict[str, Any]:
        """The state of an optimiser of `weights` as that of one of the network's parameters."""
        row: dict[str, Any] = state["state"].get(0, {})
        names = range(len(self._shapes))
        each: dict[int, dict[str, Any]] = {place: {} for place in names} if row else {}
        for name, value in row.items():
            is_row = isinstance(value, Tensor) and value.shape == self.weights.shape
            parts = self._parts(value) if is_row else [value] * len(names)
            for place in names:
                each[place][name] = _copied(parts[place])
        groups = [{**group, "params": list(names)} for group in state["param_groups"]]
        return {"state": each, "param_groups": groups}

    def joined(self, state: dict[str, Any]) -> dict[str, Any]:
        """`split` backwards."""
        each: dict[int, dict[str, Any]] = state["state"]
        groups = [{**group, "params": [0]} for group in state["param_groups"]]
        if not each:
            return {"state": {}, "param_groups": groups}
        places = range(len(self._shapes))
        row = {
            name: torch.cat([each[place][name].flatten() for place in places])
            if isinstance(value, Tensor) and value.shape == self._shapes[0]
            else _copied(value)
            for name, value in each[0].items()
        }
        return {"state": {0: row}, "param_groups": groups}

    def _parts(self, row: Tensor) -> list[Tensor]:
        parts = torch.split(row, [shape.numel() for shape in self._shapes])
        return [part.view(shape) for part, shape in zip(parts, self._shapes, strict=True)]


def _parts_of(module: nn.Module) -> Iterable[nn.Module]:
    return module.children() if isinstance(module, nn.Sequential) else [module]


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value
