"""Learns a codec of one's own pictures: a run's state, in memory and on disk, and one step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.container.model_file import ModelFile
from isthmus.entropy.scale_tables import scale_bits
from isthmus.errors import FormatError
from isthmus.learn.data.crops import to_pixels
from isthmus.learn.hyperprior.calibration.calibrate import count
from isthmus.learn.hyperprior.calibration.calibration import SymbolStatistics
from isthmus.learn.hyperprior.calibration.latent_tables import encoder_thresholds
from isthmus.learn.hyperprior.networks.codec import CodecOutput, HyperpriorCodec
from isthmus.learn.hyperprior.own.pictures import OwnPictures, in_blocks
from isthmus.learn.hyperprior.own.settings import OwnTraining, rate_factor
from isthmus.learn.hyperprior.training.loss import losses
from isthmus.learn.loop.checkpoint import read_state, write_state
from isthmus.learn.loop.run_folder import CHECKPOINT
from isthmus.learn.loop.timed import follow

VERSION = 2
COUNTED_WINDOWS, COUNTED_PICTURES = 48, 96
"""On which symbols are counted before training, and as often while it goes on."""
MIDDLE_PULL = 0.08
"""How much more often qualities in the middle are trained at than those at both ends: 1.5 times and half as often."""
Measured = tuple[Tensor, Tensor]
"""(batch,) bits a pixel, and (batch, 3, rows, columns) reconstructions."""


class Learnt(nn.Module, ABC):
    """What is learnt, beside networks or in their place."""

    @abstractmethod
    def merged(self, model: HyperpriorCodec) -> dict[str, Tensor]:
        """Parameters of the networks with what was learnt, by name; all others are as they are."""


class OwnRun(ABC):
    """All that a run needs to go on as if it had never stopped: `FromShipped` or `FromNothing`.

    Args:
        folder: of the run.
        pictures: to learn from.
        shipped: the model that what is learnt is measured against, and may be a difference to.
        training: how to train.
        saved: the folder's checkpoint, to go on with.

    Attributes:
        model: the networks, in evaluation mode.
        learnt: in training.
        average: the running average of it, which is exported.
        step: steps done.
        used: seconds of training that were used.
        symbols: counted; None: symbols are not rounded as they will be coded yet.

    Raises:
        FormatError: a model that cannot be trained on.
        UsageError: a checkpoint of another one.
    """

    counts_first = True
    """Whether symbols are counted before the first step."""

    def __init__(
        self, folder: Path, pictures: OwnPictures, shipped: ModelFile, training: OwnTraining,
        *, saved: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.pictures, self.shipped, self.training = folder, pictures, shipped, training
        torch.manual_seed(training.seed)
        self.model = self._networks(saved)
        self.learnt, self.average = self._unlearnt(), self._unlearnt()
        self.average.requires_grad_(requires_grad=False)
        self.random = np.random.default_rng(training.seed)
        self.step, self.used, self.mean_norm, self.skipped = 0, 0.0, 0.0, 0
        self.optimisers = self._optimisers()
        if saved is not None:
            self._restore(saved)
        self.symbols: SymbolStatistics | None = None
        self._quantised: dict[str, Any] = {"quantise": False}
        if self.counts_first or (saved is not None and saved["counted"]):
            self.recount()

    @abstractmethod
    def _networks(self, saved: Mapping[str, Any] | None) -> HyperpriorCodec:
        """That learning begins with."""

    @abstractmethod
    def _unlearnt(self) -> Learnt:
        """Nothing learnt yet."""

    @abstractmethod
    def _optimisers(self) -> list[torch.optim.Optimizer]:
        """Of `learnt`; every group has its learning rate as "base", which moves over the run."""

    @abstractmethod
    def to_model_file(self, name: str, facts: Mapping[str, Any]) -> ModelFile:
        """What was learnt, rounded, its tables fitted, but for what qualities mean; the average may change a little."""

    @abstractmethod
    def with_quality_map(self, made: ModelFile, table: NDArray[np.float32]) -> ModelFile:
        """`to_model_file`'s with what qualities mean."""

    def _restore(self, saved: Mapping[str, Any]) -> None:
        self.learnt.load_state_dict(saved["learnt"])
        self.average.load_state_dict(saved["average"])
        for optimiser, state in zip(self.optimisers, saved["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        self.random.bit_generator.state = saved["random"]
        torch.set_rng_state(saved["torch_random"])
        self.step, self.used, self.mean_norm = saved["step"], saved["used"], saved["mean_norm"]

    def save(self, **more: Any) -> None:
        """Write the checkpoint.

        Raises:
            OutputError: the folder cannot be written.
        """
        state = {
            "own": VERSION,
            "shipped": self.shipped.id.hex(),
            "training": asdict(self.training),
            "learnt": self.learnt.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "random": self.random.bit_generator.state,
            "torch_random": torch.get_rng_state(),
            "step": self.step,
            "used": self.used,
            "mean_norm": self.mean_norm,
            "counted": self.symbols is not None,
        }
        write_state(self.folder / CHECKPOINT, state | more)

    def recount(self) -> None:
        """Count what symbols are like by now: what the encoder's rounding and their costs follow from."""
        values = self.average.merged(self.model)
        with _filled(self.model, values):
            self.symbols = count(self.model, self.pictures, windows=COUNTED_WINDOWS, pictures=COUNTED_PICTURES)
        counts = self.symbols.counts
        self._quantised = {
            "quantise": True,
            "thresholds": encoder_thresholds(counts, torch.device("cpu")),
            "symbol_bits": torch.from_numpy(scale_bits(counts.numpy())),
        }

    def code(self, learnt: Learnt, windows: np.ndarray, position: Tensor) -> Measured:
        """Windows (batch, rows, columns, 3) through the codec; what is padded is paid for and not looked at."""
        rows, columns = windows.shape[1:3]
        output: CodecOutput = torch.func.functional_call(
            self.model, learnt.merged(self.model), (to_pixels(in_blocks(windows)), position), self._quantised
        )
        bits = (output.latent_bits + output.hyper_bits) / (rows * columns)
        return bits, output.reconstruction[..., :rows, :columns]

    def train_step(self, share: float) -> float:
        """One batch, each window at a quality of its own; returns its loss, NaN where it was left out.

        Args:
            share: of the time that is used, 0..1.
        """
        training, rows_columns = self.training, self.pictures.window
        batch = max(2, training.batch_pixels // (rows_columns[0] * rows_columns[1]))
        windows = self.pictures.draw(batch, self.random)
        even = (torch.arange(batch) + torch.rand(batch)) / batch
        position = even + MIDDLE_PULL * torch.sin(2 * math.pi * even)
        self.model.train()
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        bits, shown = self.code(self.learnt, windows, position)
        samples = losses(
            training.tune, to_pixels(windows), shown, bits, position, error_share=training.error_share
        )  # fmt: skip
        loss = (samples * (training.most / samples.detach()).clamp_max(1)).mean()
        loss.backward()
        norm = float(torch.nn.utils.clip_grad_norm_(
            self.learnt.parameters(), training.clip * self.mean_norm if self.step > training.warm_up_steps else math.inf
        ))  # fmt: skip
        value = float(loss.detach())
        if not (math.isfinite(norm) and math.isfinite(value)):
            self.skipped += 1
            return math.nan
        self.mean_norm += (norm - self.mean_norm) / min(self.step + 1, 50)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["base"] * rate_factor(share, self.step, training)
            optimiser.step()
        self.step += 1
        follow(self.average, self.learnt, keep=training.average, step=self.step)
        return value


def read_own_checkpoint(path: Path) -> dict[str, Any]:
    """A run's state.

    Raises:
        FormatError: damaged, or of another kind of run.
    """
    state = read_state(path)
    if not isinstance(state, dict) or state.get("own") != VERSION:
        raise FormatError(f"{path} is no checkpoint of 'train own'")
    return state


class _filled:  # noqa: N801 - reads as what it does
    """The model with other values for a time."""

    def __init__(self, model: HyperpriorCodec, values: dict[str, Tensor]) -> None:
        self._model, self._values = model, values

    def __enter__(self) -> HyperpriorCodec:
        self._model.eval()
        self._before = {name: self._model.get_parameter(name).data for name in self._values}
        for name, value in self._values.items():
            self._model.get_parameter(name).data = value.detach()
        return self._model

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            self._model.get_parameter(name).data = value
