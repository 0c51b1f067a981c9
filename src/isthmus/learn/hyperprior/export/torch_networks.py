"""The trained entropy networks, run in integers by PyTorch: what every exported form of them is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.entropy.reference_networks import Integers, Reals, Whole, gather
from isthmus.learn.hyperprior.networks.codec import PhotoCodec
from isthmus.learn.hyperprior.networks.quality import knot_weights, position_of


class TorchNetworks:
    """See `entropy.reference_networks.PriorNetworks`."""

    def __init__(self, model: PhotoCodec) -> None:
        self.model = model

    def begin(self, hyper: Integers, quality: int) -> TorchPasses:
        """See `PriorNetworks.begin`."""
        return TorchPasses(self.model, hyper, quality)


class TorchPasses:
    """See `entropy.reference_networks.PriorPasses`."""

    @torch.no_grad()
    def __init__(self, model: PhotoCodec, hyper: Integers, quality: int) -> None:
        self._passes = model.passes
        self._knots = knot_weights(torch.from_numpy(position_of(np.array([quality]))))
        self._features = model.hyper_synthesis(_tensor(hyper), self._knots, quantise=True)

    @torch.no_grad()
    def estimate(self, number: int, read: Reals, decoded: Integers) -> tuple[Whole, Whole]:
        """See `PriorPasses.estimate`."""
        del read  # the network squashes by itself
        strong = _tensor(decoded) / 64
        level, mean = self._passes.estimate(number, self._features, strong, self._knots, quantise=True)
        whole = level[0].to(torch.int32).numpy(), (mean[0] * 64).to(torch.int32).numpy()
        return gather(number, whole[0]), gather(number, whole[1])


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32)[None].copy())
