"""The trained entropy networks, run in integers by PyTorch: what every exported form of them is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.entropy.fixed_point import MEAN_BITS, AnyInt, Float32, Int32
from isthmus.entropy.passes import Pass
from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec
from isthmus.learn.hyperprior.networks.quality import knot_weights, position_of


class TorchNetworks:
    """See `entropy.reference_networks.PriorNetworks`."""

    def __init__(self, model: HyperpriorCodec) -> None:
        self.model = model

    def begin(self, hyper: Int32, quality: int) -> TorchPasses:
        """See `PriorNetworks.begin`."""
        return TorchPasses(self.model, hyper, quality)


class TorchPasses:
    """See `entropy.reference_networks.PriorPasses`."""

    @torch.no_grad()
    def __init__(self, model: HyperpriorCodec, hyper: Int32, quality: int) -> None:
        self._passes = model.passes
        self._knots = knot_weights(torch.from_numpy(position_of(np.array([quality]))))
        self._features = model.hyper_synthesis(_tensor(hyper), self._knots, quantise=True)

    @torch.no_grad()
    def estimate(self, one: Pass, companded: Float32, decoded: Float32) -> tuple[AnyInt, AnyInt]:
        """See `PriorPasses.estimate`."""
        del companded  # the network compands by itself
        first_group = _tensor(decoded) / 2**MEAN_BITS
        scales, means = self._passes.estimate(one, self._features, first_group, self._knots, quantise=True)
        return (
            one.gather(scales[0].to(torch.int32).numpy()),
            one.gather((means[0] * 2**MEAN_BITS).to(torch.int32).numpy()),
        )


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32)[None].copy())
