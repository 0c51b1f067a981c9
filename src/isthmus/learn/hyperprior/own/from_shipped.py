"""A run that begins with a shipped model: what it learns is a difference to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.container.model_file import ModelFile
from isthmus.errors import UsageError
from isthmus.learn.data.crops import to_pixels
from isthmus.learn.hyperprior.calibration.calibrate import count
from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec
from isthmus.learn.hyperprior.networks.quality import knot_weights
from isthmus.learn.hyperprior.own.adapters import Adapters
from isthmus.learn.hyperprior.own.difference import difference_file, with_arrays, with_tables
from isthmus.learn.hyperprior.own.from_model_file import codec_of
from isthmus.learn.hyperprior.own.training import COUNTED_WINDOWS, OwnRun
from isthmus.learn.loop.run_folder import CHECKPOINT

FITTED_WINDOWS, FITTED_PICTURES = 64, 150
"""Of the training: what the tables are fitted to in the end."""


class FromShipped(OwnRun):
    """See `OwnRun`."""

    learnt: Adapters
    average: Adapters

    def _networks(self, saved: Mapping[str, Any] | None) -> HyperpriorCodec:
        if saved is not None and saved["shipped"] != self.shipped.id.hex():
            raise UsageError(
                f"{self.folder / CHECKPOINT} is a difference to the model {saved['shipped']}, not to "
                f"{self.shipped.name} ({self.shipped.id.hex()})"
            )
        self._codec = codec_of(self.shipped)
        fit_density(self._codec.model, to_pixels(self.pictures.training_centres(COUNTED_WINDOWS)))
        return self._codec.model

    def _unlearnt(self) -> Adapters:
        return Adapters(self.model, self._codec.matrices, self.training.ranks, self.training.seed)

    def _optimisers(self) -> list[torch.optim.Optimizer]:
        groups = [
            {"params": list(self.learnt.parts.parameters()), "base": self.training.rate},
            {"params": list(self.learnt.free.parameters()), "base": self.training.table_rate},
        ]
        return [torch.optim.Adam(groups, betas=(0.9, 0.98))]

    @torch.no_grad()
    def to_model_file(self, name: str, facts: Mapping[str, Any]) -> ModelFile:
        """See `OwnRun`."""
        made = difference_file(self.shipped, self._codec, self.average, name=name, facts=facts)
        model = codec_of(made).model  # as the file computes
        for table, value in self.average.free.items():
            if table.startswith("hyper_density"):
                model.get_parameter(table.replace("/", ".")).data.copy_(value)
        symbols = count(model, self.pictures, windows=FITTED_WINDOWS, pictures=FITTED_PICTURES)
        return with_tables(self.shipped, made, model, symbols)

    def with_quality_map(self, made: ModelFile, table: NDArray[np.float32]) -> ModelFile:
        """See `OwnRun`."""
        return with_arrays(self.shipped, made, {"quality_map": table})


@torch.no_grad()
def fit_density(model: HyperpriorCodec, pixels: Tensor) -> None:
    """Begin the density of the hyper-latents with their means and deviations on some pictures, knot by knot."""
    density, knots = model.hyper_density, model.hyper_density.mean.table.shape[0]
    latents = model.analysis(pixels)
    for knot in range(knots):
        weights = knot_weights(torch.full((len(pixels),), knot / (knots - 1)))
        hyper = model.hyper_of(model.limited_steps(latents, weights))
        mean, deviation = hyper.mean((0, 2, 3)), hyper.std((0, 2, 3))
        middle = torch.stack([mean - deviation, mean, mean + deviation], 1)
        density.mean.table[knot] = middle.flatten()
        density.log_scale.table[knot] = torch.log(0.4 * deviation + 0.1)[:, None].expand(-1, 3).flatten()
        density.weight.table[knot] = 0
