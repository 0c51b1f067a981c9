"""What a run is made of, in memory and on disk: model, optimisers, running average, random states, time used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.entropy.scale_tables import scale_bits
from isthmus.errors import UsageError
from isthmus.learn.data.crops import Crops, to_pixels
from isthmus.learn.hyperprior.calibration.calibrate import count
from isthmus.learn.hyperprior.calibration.calibration import Calibration
from isthmus.learn.hyperprior.calibration.gain_limits import limit_gains
from isthmus.learn.hyperprior.calibration.latent_tables import encoder_thresholds
from isthmus.learn.hyperprior.networks.codec import CodecOutput, CodecSettings, HyperpriorCodec
from isthmus.learn.hyperprior.networks.quality import LAMBDAS
from isthmus.learn.hyperprior.networks.transforms import set_fake_quantisation, set_mixed
from isthmus.learn.hyperprior.training.checkpoint import calibration_in, load_trained, start_of, stored_start
from isthmus.learn.hyperprior.training.dct_start import WINDOWS, measure_start
from isthmus.learn.hyperprior.training.dead_units import dead_units
from isthmus.learn.hyperprior.training.loss import losses
from isthmus.learn.hyperprior.training.settings import Training
from isthmus.learn.loop.checkpoint import write_state
from isthmus.learn.loop.muon import Muon
from isthmus.learn.loop.processes import computes_in_bf16
from isthmus.learn.loop.run_folder import CHECKPOINT
from isthmus.learn.loop.timed import TimedRun

BASIS = ("analysis.stem.weight", "analysis.merge.weight", "synthesis.split.weight")
"""The matrices that start as cosine transforms."""
START_SIDE, START_SEED = 192, 1
"""Of the windows whose cosine transforms are measured."""


class RunState(TimedRun):
    """All that a run needs to go on as if it had never stopped.

    Args:
        folder: of the run.
        crops: training pictures.
        training: how to train.
        settings: sizes of the networks.
        device: where they are.
        seed: of weights and windows.
        saved: the folder's checkpoint, to go on with.

    Attributes:
        model: in training; `forward` is the same, and `losses` that of `loss`, compiled if asked.
        average: the running average of its weights, which is exported.
        step: steps done in all, those of the weights that it began with included.
        calibration: that training uses; its int8 weights are those of no weights any more.
        mean_norm: running mean of the gradients' lengths; 0 before the first.

    Raises:
        UsageError: the checkpoint, or the weights, are of other networks.
        FormatError: weights that are damaged.
        InputError: weights that are not there.
    """

    def __init__(
        self,
        folder: Path,
        crops: Crops,
        training: Training,
        settings: CodecSettings,
        *,
        device: torch.device,
        seed: int = 0,
        saved: Mapping[str, Any] | None = None,
    ) -> None:
        torch.backends.cudnn.allow_tf32 = False  # integers of the entropy networks need all bits of a float32
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(seed)
        super().__init__(folder)
        self.crops, self.training, self.settings, self.device = crops, training, settings, device
        self.mean_norm = 0.0
        self.random = np.random.default_rng(seed)
        self._quantised: dict[str, Any] | None = None
        self.calibration: Calibration | None = None
        self._begin(saved)
        self.forward: Callable[..., CodecOutput] = torch.compile(self.model) if training.compile else self.model
        self.losses: Callable[..., Tensor] = torch.compile(losses) if training.compile else losses
        basis, matrices, gains, rest = split_parameters(self.model)
        self.muon = Muon(matrices, training.muon_rate)
        groups = zip((rest, basis, gains), self._rates(), strict=True)
        self.adam = torch.optim.AdamW(
            [{"params": parameters, "base": base} for parameters, base in groups], weight_decay=0.0, betas=(0.9, 0.98)
        )
        if saved is not None:
            self._restore(saved)
        for model in (self.model, self.average):
            if saved is not None or training.weights:
                limit_gains(model, self.some_pixels())
            set_fake_quantisation(model, {} if self.calibration is None else self.calibration.ranges)
        set_mixed(self.model, is_mixed=bool(training.mixed) and computes_in_bf16(on_cuda=device.type == "cuda"))

    def _rates(self) -> tuple[float, float, float]:
        return self.training.adam_rate, self.training.basis_rate, self.training.gain_rate

    def _begin(self, saved: Mapping[str, Any] | None) -> None:
        """The networks: of the checkpoint, of weights, or of cosine transforms."""
        weights = load_trained(Path(self.training.weights)) if saved is None and self.training.weights else None
        if saved is not None:
            self.start, self.calibration = start_of(saved), calibration_in(saved)
        elif weights is not None:
            self.start, self.step = weights.start, weights.step
            if weights.calibration is not None:
                self.calibration = weights.calibration.without_int8_weights()
        else:
            windows = self.crops.draw(WINDOWS, START_SIDE, np.random.default_rng(START_SEED))
            self.start = measure_start(to_pixels(windows), self.settings.latents)
        self.model, self.average = (self._placed(HyperpriorCodec(self.settings, self.start)) for _ in range(2))
        self.average.eval().requires_grad_(requires_grad=False)
        if weights is not None:
            _fill(self.model, weights.over_usual_range(), source=self.training.weights, strict=False)
        self.average.load_state_dict(self.model.state_dict())

    def _restore(self, saved: Mapping[str, Any]) -> None:
        """Everything else of a checkpoint; learning rates are those of the settings of now."""
        for model, name in ((self.model, "model"), (self.average, "average")):
            _fill(model, saved[name], source=self.folder / CHECKPOINT, strict=True)
        self.muon.load_state_dict(saved["muon"])
        self.adam.load_state_dict(saved["adam"])
        for group, base in zip(self.adam.param_groups, self._rates(), strict=True):
            group["base"] = base
        self.random.bit_generator.state = saved["random"]
        torch.set_rng_state(saved["torch_random"])
        if self.device.type == "cuda" and saved.get("cuda_random") is not None:
            torch.cuda.set_rng_state(saved["cuda_random"])
        self.step, self.skipped, self.mean_norm = saved["step"], saved["skipped"], saved["mean_norm"]
        self.used, self.budget = saved["used"], saved["budget"]

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
            "cuda_random": torch.cuda.get_rng_state() if self.device.type == "cuda" else None,
            "start": stored_start(self.start),
            "settings": asdict(self.settings),
            "training": asdict(self.training),
            "lambdas": LAMBDAS,
            "calibration": None if self.calibration is None else self.calibration.to_tensors(),
        }
        numbers = ("step", "skipped", "mean_norm", "used", "budget")
        write_state(self.folder / CHECKPOINT, state | {name: getattr(self, name) for name in numbers})

    def _placed(self, model: HyperpriorCodec) -> HyperpriorCodec:
        """On the device, channels last in memory."""
        placed: HyperpriorCodec = model.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return placed

    def quantisation(self, *, quantise: bool) -> dict[str, Any]:
        """Arguments of the model: with integers come RDO quantisation and what symbols cost as they are coded."""
        if not quantise:
            return {"quantise": False}
        if self._quantised is None:
            if self.calibration is None:
                self.calibration = Calibration(count(self.average, self.crops))
            counts = self.calibration.symbols.counts
            bits = torch.from_numpy(scale_bits(counts.cpu().numpy())).to(self.device)
            self._quantised = {
                "quantise": True,
                "thresholds": encoder_thresholds(counts, self.device),
                "symbol_bits": bits,
            }
        return self._quantised

    def held_aside(self) -> NDArray[np.uint8]:
        """(pictures, side, side, 3) uint8: what the run is judged by."""
        return self.crops.held_aside_centres()[::2]

    def some_pixels(self) -> Tensor:
        """Sixteen held-aside windows, (windows, 3, rows, columns) in -0.5..0.5."""
        return to_pixels(self.crops.held_aside_centres()[::3][:16], self.device)

    def count_dead(self) -> int:
        """Units of the entropy networks that are never on."""
        return sum(int(dead.sum()) for dead in dead_units(self.average, self.some_pixels()).values())


def _fill(model: HyperpriorCodec, values: Mapping[str, Tensor], *, source: object, strict: bool) -> None:
    try:
        model.load_state_dict(values, strict=strict)
    except RuntimeError as error:
        raise UsageError(f"{source} is of other networks than these: they cannot go on from it") from error


def split_parameters(model: HyperpriorCodec) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]]:
    """(matrices that start as cosine transforms, other weight matrices, gains, all else)."""
    basis: list[Tensor] = []
    matrices: list[Tensor] = []
    gains: list[Tensor] = []
    rest: list[Tensor] = []
    for name, parameter in model.named_parameters():
        if name in BASIS:
            basis.append(parameter)
        elif parameter is model.log_gain.table:
            gains.append(parameter)
        elif (parameter.dim() == 4 and parameter.shape[1] > 1) or name == "synthesis.detail.reduce.weight":
            matrices.append(parameter)
        else:
            rest.append(parameter)
    return basis, matrices, gains, rest
