"""Trains the photo codec for a number of minutes; every run can be stopped at any moment and resumed.

The schedule is a function of the time used of the budget: constant, then down to nearly nothing, the entropy networks
in integers and latents rounded thriftily for the larger part. Time in which the process was stopped does not count.
"""

import math
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.entropy.scale_tables import scale_bits
from isthmus.errors import TrainingError, UsageError
from isthmus.learn.hyperprior.calibration.activation_ranges import reset_int8_weights
from isthmus.learn.hyperprior.calibration.calibrate import count
from isthmus.learn.hyperprior.calibration.latent_tables import encoder_thresholds
from isthmus.learn.hyperprior.dataset.crops import Crops, to_pixels
from isthmus.learn.hyperprior.export.export import export_codec
from isthmus.learn.hyperprior.networks.codec import CodecOutput, CodecSettings, HyperpriorCodec
from isthmus.learn.hyperprior.networks.integer import clamp_inwards
from isthmus.learn.hyperprior.networks.quality import lambda_at, position_of
from isthmus.learn.hyperprior.networks.transforms import TransformStart, set_fake_quantisation
from isthmus.learn.hyperprior.networks.weights import load_weights
from isthmus.learn.hyperprior.training.dct_start import measure_start
from isthmus.learn.hyperprior.training.dead_units import dead_units, revive_units
from isthmus.learn.hyperprior.training.file_rate import file_rate
from isthmus.learn.hyperprior.training.muon import Muon
from isthmus.learn.hyperprior.training.settings import Training, rate_factor
from isthmus.learn.loop.checkpoint import write_state
from isthmus.learn.loop.processes import computes_in_bf16
from isthmus.learn.loop.run_folder import CHECKPOINT, LOG
from isthmus.learn.loop.stopping import only_asking

MIDDLE_LAMBDA = 0.018
LONGEST_STEP = 5.0
"""Seconds of a step that count against the budget; beyond it the process was stopped."""
LOG_HEADER = (
    "time,step,seconds_per_step,learning_rate,quantised,loss,bits_per_pixel,skipped,"
    "held_loss,held_bpp,held_psnr,dead_units,held_file_bpp"
)
TRIED_QUALITIES = (10, 30, 50, 70, 90)


class Run:
    """A model, its optimisers, its average, and where they are kept; `saved`, the folder's checkpoint, goes on.

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
        seed: int = 7,
        saved: Mapping[str, Any] | None = None,
    ) -> None:
        self.device, on_cuda = device, device.type == "cuda"
        torch.backends.cudnn.allow_tf32 = False  # whole numbers of the entropy networks need all bits of a float32
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(seed)
        self.folder, self.crops, self.training, self.settings = folder, crops, training, settings
        self.step, self.skipped, self.mean_norm = 0, 0, 0.0
        self.used, self.budget = 0.0, 0.0
        self.is_asked_to_stop = False
        if saved is not None:
            self.start = TransformStart(**saved["start"])
        elif training.weights:
            weights = load_weights(Path(training.weights))
            self.start, self.step = weights.start, weights.step
        else:
            self.start = measure_start(crops, settings.latents)
        self.model = self._placed(HyperpriorCodec(settings, self.start))
        if saved is None and training.weights:
            _fill(self.model, weights.values, source=training.weights, strict=False)
        if saved is None and training.revive_units:
            revive_units(self.model.eval(), self.some_pixels())
        self.forward: Callable[..., CodecOutput] = torch.compile(self.model) if training.compile else self.model
        self.average = self._placed(HyperpriorCodec(settings, self.start)).eval().requires_grad_(requires_grad=False)
        self.average.load_state_dict(self.model.state_dict())
        self.thresholds = encoder_thresholds(self.average.symbol_counts)
        self._symbol_bits: Tensor | None = None
        self.is_mixed = bool(training.mixed) and computes_in_bf16(on_cuda=on_cuda)
        self.random = np.random.default_rng(seed)
        basis, matrices, rest = split_parameters(self.model)
        self.muon = Muon(matrices, training.muon_rate)
        self.adam = torch.optim.AdamW(
            [{"params": rest, "base": training.adam_rate}, {"params": basis, "base": training.basis_rate}],
            weight_decay=0.0,
            betas=(0.9, 0.98),
        )
        if saved is not None:
            for model, name in ((self.model, "model"), (self.average, "average")):
                _fill(model, saved[name], source=folder / CHECKPOINT, strict=True)
            self.muon.load_state_dict(saved["muon"])
            self.adam.load_state_dict(saved["adam"])
            for group, base in zip(self.adam.param_groups, (training.adam_rate, training.basis_rate), strict=True):
                group["base"] = base
            self.random.bit_generator.state = saved["random"]
            torch.set_rng_state(saved["torch_random"])
            if on_cuda and saved.get("cuda_random") is not None:
                torch.cuda.set_rng_state(saved["cuda_random"])
            self.step, self.skipped, self.mean_norm = saved["step"], saved["skipped"], saved["mean_norm"]
            self.used, self.budget = saved["used"], saved["budget"]
        for model in (self.model, self.average):
            reset_int8_weights(model)
            set_fake_quantisation(model)

    def _placed(self, model: HyperpriorCodec) -> HyperpriorCodec:
        """On the device, channels last in memory."""
        placed: HyperpriorCodec = model.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return placed

    def some_pixels(self) -> Tensor:
        """Sixteen held-aside windows."""
        return to_pixels(self.crops.held_aside_centres()[::3][:16], self.device)

    def _quantised(self, *, quantise: bool) -> dict[str, Any]:
        """Arguments of the model: with integers come thrifty rounding and the cost of symbols as they are coded."""
        if not quantise:
            return {"quantise": False}
        if self._symbol_bits is None:
            if not self.average.symbol_counts.any():
                count(self.average, self.crops)
            self._symbol_bits = torch.from_numpy(scale_bits(self.average.symbol_counts.cpu().numpy())).to(self.device)
        return {"quantise": True, "thresholds": self.thresholds, "symbol_bits": self._symbol_bits}

    def count_dead(self) -> int:
        """Units of the entropy networks that are never on."""
        return sum(int(dead.sum()) for dead in dead_units(self.average, self.some_pixels()).values())

    def save(self) -> None:
        """Write the checkpoint.

        Raises:
            OutputError: the folder cannot be written.
        """
        write_state(
            self.folder / CHECKPOINT,
            {
                "model": self.model.state_dict(),
                "average": self.average.state_dict(),
                "muon": self.muon.state_dict(),
                "adam": self.adam.state_dict(),
                "random": self.random.bit_generator.state,
                "torch_random": torch.get_rng_state(),
                "cuda_random": torch.cuda.get_rng_state() if self.device.type == "cuda" else None,
                "start": asdict(self.start),
                "settings": self.settings,
                "training": asdict(self.training),
                "step": self.step,
                "skipped": self.skipped,
                "mean_norm": self.mean_norm,
                "used": self.used,
                "budget": self.budget,
            },
        )

    def train_step(self, factor: float, *, quantise: bool) -> tuple[float, float]:
        """One batch; (loss, bits per pixel). A step that is not finite is counted and left out."""
        training = self.training
        shares = {"jitter_share": training.vivid, "graphic_share": training.drawn}
        pixels = to_pixels(self.crops.draw(training.batch, training.side, self.random, **shares), self.device)
        # one quality in each part of the range, so that every batch sees them all
        position = ((torch.arange(training.batch) + torch.rand(training.batch)) / training.batch).to(self.device)
        for optimiser in (self.muon, self.adam):
            optimiser.zero_grad(set_to_none=True)
        self.model.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.is_mixed):
            output = self.forward(pixels, position, **self._quantised(quantise=quantise))
        lambdas = lambda_at(position)
        bits = (output.latent_bits + output.hyper_bits) / training.side**2
        shown = clamp_inwards(output.reconstruction, -0.5, 0.5)  # beyond black and white is no error
        errors = (shown - pixels).square().mean((1, 2, 3))
        losses = (lambdas * 255**2 * errors + bits) * (MIDDLE_LAMBDA / lambdas).sqrt()
        # a picture far from all others must not turn units off for the rest
        loss = (losses * (training.most / losses.detach()).clamp_max(1)).mean()
        loss.backward()
        longest = max(self.mean_norm, 1e-6) * training.clip if self.step > 20 else 1.0
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), longest))
        if not (math.isfinite(norm) and math.isfinite(float(loss.detach()))):
            self.skipped += 1
            return math.nan, math.nan
        self.mean_norm += (min(norm, 10 * self.mean_norm if self.step > 20 else norm) - self.mean_norm) / min(
            self.step + 1, 100
        )
        self.muon.param_groups[0]["lr"] = training.muon_rate * factor
        for group in self.adam.param_groups:
            group["lr"] = group["base"] * factor
        self.muon.step()
        self.adam.step()
        self.step += 1
        keep = min(training.average, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            averages = [parameter.detach() for parameter in self.average.parameters()]
            currents = [parameter.detach() for parameter in self.model.parameters()]
            torch._foreach_lerp_(averages, currents, 1 - keep)
        return float(loss.detach()), float(bits.detach().mean())

    def validated_pictures(self) -> NDArray[np.uint8]:
        """(pictures, rows, columns, 3), held aside."""
        return self.crops.held_aside_centres()[::2]

    def file_rate(self) -> float:
        """Of the averaged weights as they are, bits per pixel in real files, for what `validate` estimates.

        NaN while they cannot be exported. Ranges, and what symbols cost, may have been measured long before.
        """
        try:
            file = export_codec(deepcopy(self.average).cpu())
        except TrainingError:
            return math.nan
        return file_rate(file, self.validated_pictures(), TRIED_QUALITIES)

    @torch.no_grad()
    def validate(self, *, quantise: bool) -> tuple[float, float, float]:
        """Mean loss, bits per pixel and PSNR of the averaged weights on held-aside windows, over five qualities."""
        pixels = to_pixels(self.validated_pictures(), self.device)
        losses, rates, psnrs = [], [], []
        for place in position_of(np.array(TRIED_QUALITIES)).tolist():
            for part in torch.split(pixels, 9):
                position = torch.full((len(part),), place, device=self.device)
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.is_mixed):
                    output = self.average(part, position, **self._quantised(quantise=quantise))
                error = (output.reconstruction.clamp(-0.5, 0.5) - part).square().mean((1, 2, 3))
                bits = (output.latent_bits + output.hyper_bits) / 256**2
                lambdas = lambda_at(position)
                losses.append((lambdas * 255**2 * error + bits) * (MIDDLE_LAMBDA / lambdas).sqrt())
                rates.append(bits)
                psnrs.append(-10 * torch.log10(error))
        return float(torch.cat(losses).mean()), float(torch.cat(rates).mean()), float(torch.cat(psnrs).mean())

    def train(self, *, save_seconds: float = 120, log_steps: int = 100, validate_seconds: float = 400) -> None:
        """Until the budget is used up.

        Raises:
            KeyboardInterrupt: as the user, or the system, wishes; the last step is in the checkpoint.
        """
        log_path = self.folder / LOG
        if not log_path.exists():
            log_path.write_text(LOG_HEADER + "\n")
        saved = validated = mark = last = time.time()
        losses: list[tuple[float, float]] = []
        with only_asking(self._ask_to_stop):
            while self.used < self.budget and not self.is_asked_to_stop:
                share = self.used / self.budget
                quantise = share > self.training.quantise_from
                factor = rate_factor(share, self.step, self.training)
                losses.append(self.train_step(factor, quantise=quantise))
                now = time.time()
                self.used, last = self.used + min(now - last, LONGEST_STEP), now
                if len(losses) >= log_steps:
                    pace = (time.time() - mark) / len(losses)
                    loss, rate = np.nanmean(losses, 0).tolist()
                    held = ",,,,"
                    if time.time() - validated > validate_seconds or self.step <= log_steps:
                        held = ",".join(f"{value:.5f}" for value in self.validate(quantise=quantise))
                        held += f",{self.count_dead()},{self.file_rate() if quantise else math.nan:.5f}"
                        validated = time.time()
                    with log_path.open("a") as log:
                        stamp = time.strftime("%H:%M:%S")
                        log.write(
                            f"{stamp},{self.step},{pace:.4f},{factor:.4f},{int(quantise)},{loss:.5f},{rate:.4f},{self.skipped},{held}\n"
                        )
                    losses, mark = [], time.time()
                if time.time() - saved > save_seconds:
                    self.save()
                    saved = time.time()
            self.save()
        if self.is_asked_to_stop:
            raise KeyboardInterrupt

    def _ask_to_stop(self) -> None:
        self.is_asked_to_stop = True


def _fill(model: HyperpriorCodec, values: Mapping[str, Tensor], *, source: object, strict: bool) -> None:
    try:
        model.load_state_dict(values, strict=strict)
    except RuntimeError as error:
        raise UsageError(f"{source} is of other networks than these: they cannot go on from it") from error


def split_parameters(model: HyperpriorCodec) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """(matrices that start as cosine transforms, other weight matrices, all else)."""
    basis: list[Tensor] = []
    matrices: list[Tensor] = []
    rest: list[Tensor] = []
    for name, parameter in model.named_parameters():
        if name in ("analysis.stem.weight", "analysis.merge.weight", "synthesis.split.weight"):
            basis.append(parameter)
        elif (parameter.dim() == 4 and parameter.shape[1] > 1) or name == "synthesis.detail.reduce.weight":
            matrices.append(parameter)
        else:
            rest.append(parameter)
    return basis, matrices, rest
