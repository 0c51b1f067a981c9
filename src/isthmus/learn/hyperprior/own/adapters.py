"""What is learnt of a shipped codec: narrow products beside its weight matrices, and its tables over the quality.

Source: Hu et al. 2021, "LoRA: low-rank adaptation of large language models", arXiv 2106.09685.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec
from isthmus.learn.hyperprior.own.stored_matrices import StoredMatrix
from isthmus.learn.hyperprior.own.training import Learnt

ENCODER = ("analysis.", "hyper_analysis.")
FREE_NAMES = (".table", "analysis.stem.bias", "analysis.merge.bias")


class Adapter(nn.Module):
    """What is added to some rows of a weight matrix.

    Symbols:
        left: (outputs, rank), zeros at first; right: (rank, inputs); the added part is size * left @ right.
    """

    def __init__(self, weight: Tensor, outputs: Tensor, rank: int, random: torch.Generator) -> None:
        super().__init__()
        rows = weight.flatten(1)[outputs]
        rank = min(rank, *rows.shape)
        self.left = nn.Parameter(torch.zeros(len(rows), rank))
        self.right = nn.Parameter(torch.randn(rank, rows.shape[1], generator=random))
        self.outputs: Tensor
        self.register_buffer("outputs", outputs, persistent=False)
        self.size = float(rows.square().mean().sqrt()) / rank**0.5

    def added(self) -> Tensor:
        """(outputs, inputs)."""
        return self.size * (self.left @ self.right)


class Adapters(Learnt):
    """All that is learnt.

    Attributes:
        parts: by a name of their own.
        parameters_of: part -> the parameter that it is added to.
    """

    def __init__(
        self, model: HyperpriorCodec, matrices: Sequence[StoredMatrix], ranks: tuple[int, int], seed: int
    ) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(seed)
        self.parts = nn.ModuleDict()
        self.parameters_of: dict[str, str] = {}
        for one in matrices:
            name = part_name(one, model)
            if name not in self.parts:
                rank = ranks[0 if one.parameter.startswith(ENCODER) else 1]
                weight = model.get_parameter(one.parameter)
                self.parts[name] = Adapter(weight, torch.from_numpy(outputs_of(one, model)), rank, random)
                self.parameters_of[name] = one.parameter
        self.free = nn.ParameterDict(
            {
                name.replace(".", "/"): nn.Parameter(value.detach().clone())
                for name, value in model.named_parameters()
                if name.endswith(FREE_NAMES[0]) and "_mean_predictor" not in name
            }
        )

    def merged(self, model: HyperpriorCodec) -> dict[str, Tensor]:
        """Parameters of the codec with what was learnt, by name; all others are as they are."""
        values = {name.replace("/", "."): value for name, value in self.free.items()}
        for name, part in self.parts.items():
            parameter = self.parameters_of[name]
            before = values.get(parameter, model.get_parameter(parameter))
            flat = before.flatten(1)
            assert isinstance(part, Adapter)  # noqa: S101 - all parts are
            if len(part.outputs) == len(flat):
                changed = flat + part.added()
            else:
                changed = flat.index_add(0, part.outputs, part.added())
            values[parameter] = changed.reshape(before.shape)
        return values


def outputs_of(one: StoredMatrix, model: HyperpriorCodec) -> np.ndarray:
    """(outputs,) int64, sorted: rows of its matrix that a part has."""
    return np.unique(one.places // model.get_parameter(one.parameter)[0].numel())


def part_name(one: StoredMatrix, model: HyperpriorCodec) -> str:
    """Of an adapter: parts of the same rows in another order have one together."""
    return f"{one.parameter}@{outputs_of(one, model)[0]}".replace(".", "/")
