"""A run that begins with nothing but cosine transforms: what it learns is a small codec, all of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.container.model_file import ModelFile
from isthmus.learn.data.crops import to_pixels
from isthmus.learn.hyperprior.calibration.calibrate import calibrate
from isthmus.learn.hyperprior.export.export import export_codec
from isthmus.learn.hyperprior.networks.codec import CodecSettings, HyperpriorCodec
from isthmus.learn.hyperprior.networks.entropy_model import EntropyModelSettings
from isthmus.learn.hyperprior.own.pictures import in_blocks
from isthmus.learn.hyperprior.own.training import Learnt, OwnRun
from isthmus.learn.hyperprior.training.checkpoint import start_of, stored_start
from isthmus.learn.hyperprior.training.dct_start import WINDOWS, measure_start
from isthmus.learn.hyperprior.training.state import split_parameters
from isthmus.learn.loop.muon import Muon
from isthmus.zoo.finding import parse_model

SMALL = CodecSettings(
    latents=192,
    analysis_fine=(48,),
    analysis_coarse=(80, 80),
    synthesis_coarse=(80,),
    synthesis_detail=(32, 40),
    prior=EntropyModelSettings(
        first_group=48,
        hyper_latents=48,
        hyper_hidden=64,
        hyper_synthesis=(48, 80),
        features=80,
        contexts=(40, 40, 48),
        hidden=(64, 64, 80, 80),
    ),
)
"""A quarter of `photo`'s weights: a pack has to carry them."""
BASIS_SHARE, GAIN_SHARE = 0.2, 2.0
"""Learning rates of the matrices that start as cosine transforms, and of gains, for each of tables."""


class AllWeights(Learnt):
    """A codec's weights, in place of those of the networks."""

    def __init__(self, model: HyperpriorCodec) -> None:
        super().__init__()
        self.codec = deepcopy(model).requires_grad_(requires_grad=True)

    def merged(self, model: HyperpriorCodec) -> dict[str, Tensor]:
        """See `Learnt`."""
        return dict(self.codec.named_parameters())


class FromNothing(OwnRun):
    """See `OwnRun`. Latents are rounded to the nearest until symbols are counted for the first time."""

    counts_first = False
    learnt: AllWeights
    average: AllWeights

    def _networks(self, saved: Mapping[str, Any] | None) -> HyperpriorCodec:
        if saved is None:
            windows = self.pictures.draw(WINDOWS, np.random.default_rng(self.training.seed))
            self._start = measure_start(to_pixels(in_blocks(windows)), SMALL.latents)
        else:
            self._start = start_of(saved)
        return HyperpriorCodec(SMALL, self._start).eval().requires_grad_(requires_grad=False)

    def _unlearnt(self) -> AllWeights:
        return AllWeights(self.model)

    def _optimisers(self) -> list[torch.optim.Optimizer]:
        basis, matrices, gains, rest = split_parameters(self.learnt.codec)
        rate = self.training.table_rate
        muon = Muon(matrices, self.training.muon_rate)
        for group in muon.param_groups:
            group["base"] = self.training.muon_rate
        groups = [
            {"params": rest, "base": rate},
            {"params": basis, "base": BASIS_SHARE * rate},
            {"params": gains, "base": GAIN_SHARE * rate},
        ]
        return [muon, torch.optim.Adam(groups, betas=(0.9, 0.98))]

    def save(self, **more: Any) -> None:
        """See `OwnRun`."""
        super().save(start=stored_start(self._start), **more)

    def to_model_file(self, name: str, facts: Mapping[str, Any]) -> ModelFile:
        """See `OwnRun`."""
        model = deepcopy(self.average.codec)
        with torch.no_grad():
            calibration = calibrate(model, self.pictures)
        data = export_codec(model, calibration=calibration, name=name, facts=facts, codes_padding=False)
        return parse_model(data, name=name)

    def with_quality_map(self, made: ModelFile, table: NDArray[np.float32]) -> ModelFile:
        """See `OwnRun`."""
        return replace(made, arrays={**made.arrays, "quality_map": table})
