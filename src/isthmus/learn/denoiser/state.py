"""What a run of the denoiser is made of, in memory and on disk: networks, optimisers, average, random states, time."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.errors import FormatError
from isthmus.learn.data.crops import Crops
from isthmus.learn.denoiser.networks import Denoiser
from isthmus.learn.denoiser.settings import NetworkSettings, Training
from isthmus.learn.loop.checkpoint import read_state, write_state
from isthmus.learn.loop.muon import Muon
from isthmus.learn.loop.processes import computes_in_bf16
from isthmus.learn.loop.run_folder import CHECKPOINT
from isthmus.learn.loop.timed import TimedRun

_PARTS = {"model", "average", "muon", "adam", "random", "torch_random", "settings", "training"}
_NUMBERS = ("step", "skipped", "used", "budget")


class RunState(TimedRun):
    """All that a run needs to go on as if it had never stopped.

    Args:
        folder: of the run.
        crops: training pictures.
        training: how to train.
        settings: sizes of the networks.
        device: where they are.
        seed: of weights and windows.
        begun_with: trained weights that a new run starts from; None for fresh ones.
        saved: the folder's checkpoint, to go on with.

    Attributes:
        model: in training.
        average: the running average of its weights, which is exported.
        is_mixed: whether the U-Net computes in bfloat16.
    """

    def __init__(
        self,
        folder: Path,
        crops: Crops,
        training: Training,
        settings: NetworkSettings,
        *,
        device: torch.device,
        seed: int = 0,
        begun_with: Denoiser | None = None,
        saved: Mapping[str, Any] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(seed)
        super().__init__(folder)
        self.crops, self.training, self.device = crops, training, device
        self.is_mixed = bool(training.mixed) and computes_in_bf16(on_cuda=device.type == "cuda")
        self.random = np.random.default_rng(seed)
        self.model = Denoiser(settings).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if begun_with is not None:
            self.model.load_state_dict(begun_with.state_dict())
        self.average: Denoiser = deepcopy(self.model).eval().requires_grad_(requires_grad=False)
        matrices, rest = split_parameters(self.model)
        self.muon = Muon(matrices, training.muon_rate)
        self.adam = torch.optim.Adam(rest, training.adam_rate, betas=(0.9, 0.98))
        if saved is not None:
            self._restore(saved)

    def _restore(self, saved: Mapping[str, Any]) -> None:
        try:
            self.model.load_state_dict(saved["model"])
            self.average.load_state_dict(saved["average"])
            self.muon.load_state_dict(saved["muon"])
            self.adam.load_state_dict(saved["adam"])
        except (RuntimeError, ValueError) as error:
            raise FormatError(f"{self.folder / CHECKPOINT} is of other networks, or damaged") from error
        self.random.bit_generator.state = saved["random"]
        torch.set_rng_state(saved["torch_random"])
        for name in _NUMBERS:
            setattr(self, name, saved[name])

    def save(self) -> None:
        """Write the checkpoint: tensors and plain values alone, so that reading it runs no code.

        Raises:
            OutputError: the folder cannot be written.
        """
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "muon": self.muon.state_dict(),
            "adam": self.adam.state_dict(),
            "random": self.random.bit_generator.state,
            "torch_random": torch.get_rng_state(),
            "settings": asdict(self.model.settings),
            "training": asdict(self.training),
        }
        write_state(self.folder / CHECKPOINT, state | {name: getattr(self, name) for name in _NUMBERS})


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A run's state.

    Raises:
        FormatError: damaged, or no checkpoint of a denoiser.
    """
    state = read_state(path)
    if not isinstance(state, dict) or not _PARTS.union(_NUMBERS) <= set(state):
        raise FormatError(f"{path} is not a checkpoint of the denoiser")
    return state


def sizes_in(saved: Mapping[str, Any]) -> NetworkSettings:
    """Sizes of the networks of a checkpoint."""
    sizes = saved["settings"]
    return NetworkSettings(tuple(sizes["widths"]), tuple(sizes["depths"]), sizes["estimator"])


def training_in(saved: Mapping[str, Any]) -> Training:
    """What a run has trained with."""
    return Training(**saved["training"])


def split_parameters(model: Denoiser) -> tuple[list[Tensor], list[Tensor]]:
    """(weights of the U-Net's convolutions, all else)."""
    matrices: list[Tensor] = []
    rest: list[Tensor] = []
    for name, parameter in model.named_parameters():
        (matrices if parameter.dim() == 4 and name.startswith("noise.") else rest).append(parameter)
    return matrices, rest
