"""Trains the photo codec for a number of minutes; every run can be stopped at any moment and resumed.

    python -m isthmus.learn.loop.photo --data FOLDER --run FOLDER --minutes 60

The schedule is a function of the time used of the budget: constant, then down to nearly nothing, the entropy networks in
integers for the last part. Time in which the process was stopped does not count. Running again with the same folder
resumes; with --minutes the budget is set anew, and with --again what has been used of it is forgotten.
"""

import argparse
import math
import os
import signal
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from isthmus.learn.loop.muon import Muon
from isthmus.learn.loop.photo_crops import PhotoCrops, to_pixels
from isthmus.learn.loop.photo_revival import dead_units, revive_units
from isthmus.learn.loop.photo_start import measure_start
from isthmus.learn.loop.photo_weights import load_weights
from isthmus.learn.models.photo_codec import PhotoCodec, PhotoSettings
from isthmus.learn.models.photo_prior import thrifty_thresholds
from isthmus.learn.models.photo_transforms import TransformStart
from isthmus.learn.models.quality import lambda_at

MIDDLE_LAMBDA = 0.018
LONGEST_STEP = 5.0
"""Seconds of a step that count against the budget; beyond it the process was stopped."""
LOG_HEADER = "time,step,seconds_per_step,learning_rate,quantised,loss,bits_per_pixel,skipped,held_loss,held_bpp,held_psnr,dead_units"


@dataclass(frozen=True)
class Training:
    """How to train."""

    batch: int = 8
    side: int = 192
    """Of the square windows; a multiple of 64."""
    muon_rate: float = 2e-3
    """Learning rate of weight matrices behind nonlinearities."""
    adam_rate: float = 1e-3
    """Learning rate of tables, biases and depthwise weights."""
    basis_rate: float = 2e-4
    """Learning rate of the four matrices that start as cosine transforms."""
    warm_up_steps: int = 500
    decay_from: float = 0.60
    """Share of the budget after which the learning rate goes down."""
    quantise_from: float = 0.74
    """Share of the budget after which the entropy networks run in integers and latents are rounded thriftily."""
    average: float = 0.999
    """Of the running average of the weights, per step."""
    clip: float = 3.0
    """Gradients longer than this many times their running mean are shortened."""
    most: float = 6.0
    """A sample whose loss is larger counts as if it were this."""
    seed: int = 7


def rate_factor(share: float, step: int, training: Training) -> float:
    """Factor of all learning rates, for a share of the budget 0..1."""
    warm = min(1.0, (step + 1) / training.warm_up_steps)
    if share < training.decay_from:
        return warm
    left = max(0.0, (1 - share) / (1 - training.decay_from))
    return warm * (0.02 + 0.98 * left)


class Run:
    """A model, its optimisers, its average, and where they are kept."""

    def __init__(
        self, folder: Path, crops: PhotoCrops, training: Training, settings: PhotoSettings, weights: Path | None = None
    ) -> None:
        """`weights`: of `photo_weights`, where the folder has no checkpoint yet."""
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(training.seed)
        self.folder, self.crops, self.training, self.settings = folder, crops, training, settings
        self.step, self.skipped, self.mean_norm = 0, 0, 0.0
        self.used, self.budget = 0.0, 0.0
        self.is_asked_to_stop = False
        saved = None
        if (folder / "checkpoint.pt").exists():
            saved = torch.load(folder / "checkpoint.pt", weights_only=False)
            self.start = TransformStart(**saved["start"])
        elif weights is not None:
            start_weights, self.start, self.step = load_weights(weights)
        else:
            self.start = measure_start(crops, settings.latents)
        self.model = PhotoCodec(settings, self.start).to(memory_format=torch.channels_last)
        if saved is None and weights is not None:
            self.model.load_state_dict(start_weights, strict=False)
        self.average = PhotoCodec(settings, self.start).eval().requires_grad_(False)
        self.average.load_state_dict(self.model.state_dict())
        self.thresholds = thrifty_thresholds()
        self.random = np.random.default_rng(training.seed)
        basis, matrices, rest = split_parameters(self.model)
        self.muon = Muon(matrices, training.muon_rate)
        self.adam = torch.optim.AdamW(
            [{"params": rest, "base": training.adam_rate}, {"params": basis, "base": training.basis_rate}],
            weight_decay=0.0,
            betas=(0.9, 0.98),
        )
        if saved is not None:
            self.model.load_state_dict(saved["model"])
            self.average.load_state_dict(saved["average"])
            self.muon.load_state_dict(saved["muon"])
            self.adam.load_state_dict(saved["adam"])
            for group, base in zip(self.adam.param_groups, (training.adam_rate, training.basis_rate), strict=True):
                group["base"] = base
            self.random.bit_generator.state = saved["random"]
            torch.set_rng_state(saved["torch_random"])
            self.step, self.skipped, self.mean_norm = saved["step"], saved["skipped"], saved["mean_norm"]
            self.used, self.budget = saved["used"], saved["budget"]

    def revive(self) -> None:
        """Start the transforms' residual blocks again around what the linear layers and the entropy model learned."""
        for model in (self.average, self.model):
            for transform in (model.analysis, model.synthesis):
                for block in (*transform.fine, *transform.coarse):
                    block.revive()
            for table in (*model.synthesis.coarse_guides, *model.synthesis.fine_guides):
                torch.nn.init.zeros_(table.table)
        self.model.load_state_dict(self.average.state_dict())
        self.muon.state.clear()
        self.adam.state.clear()

    def some_pixels(self) -> Tensor:
        """Sixteen held-aside windows."""
        return to_pixels(self.crops.held_aside_centres(256)[::3][:16])

    def count_dead(self) -> int:
        """Units of the entropy networks that are never on."""
        return sum(int(dead.sum()) for dead in dead_units(self.model, self.some_pixels()).values())

    def save(self) -> None:
        """Write the checkpoint beside the old one and rename it."""
        path = self.folder / "checkpoint.pt"
        torch.save(
            {
                "model": self.model.state_dict(),
                "average": self.average.state_dict(),
                "muon": self.muon.state_dict(),
                "adam": self.adam.state_dict(),
                "random": self.random.bit_generator.state,
                "torch_random": torch.get_rng_state(),
                "start": asdict(self.start),
                "settings": self.settings,
                "step": self.step,
                "skipped": self.skipped,
                "mean_norm": self.mean_norm,
                "used": self.used,
                "budget": self.budget,
            },
            path.with_suffix(".tmp"),
        )
        os.replace(path.with_suffix(".tmp"), path)

    def train_step(self, factor: float, *, quantise: bool) -> tuple[float, float]:
        """One batch; (loss, bits per pixel). A step that is not finite is counted and left out."""
        training = self.training
        pixels = to_pixels(self.crops.draw(training.batch, training.side, self.random))
        # one quality in each part of the range, so that every batch sees them all
        position = (torch.arange(training.batch) + torch.rand(training.batch)) / training.batch
        for optimiser in (self.muon, self.adam):
            optimiser.zero_grad(set_to_none=True)
        self.model.train()
        with torch.autocast("cpu", torch.bfloat16):
            output = self.model(pixels, position, quantise=quantise, thresholds=self.thresholds if quantise else None)
        lambdas = lambda_at(position)
        bits = (output.latent_bits + output.hyper_bits) / training.side**2
        errors = (output.reconstruction - pixels).square().mean((1, 2, 3))
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
            averages, currents = list(self.average.parameters()), [p.detach() for p in self.model.parameters()]
            torch._foreach_lerp_(averages, currents, 1 - keep)
        return float(loss.detach()), float(bits.detach().mean())

    @torch.no_grad()
    def validate(self, *, quantise: bool) -> tuple[float, float, float]:
        """Mean loss, bits per pixel and PSNR of the averaged weights on held-aside windows, over five qualities."""
        pixels = to_pixels(self.crops.held_aside_centres(256)[::2])
        losses, rates, psnrs = [], [], []
        for place in (0.1, 0.3, 0.5, 0.7, 0.9):
            for part in pixels.split(9):
                position = torch.full((len(part),), place)
                with torch.autocast("cpu", torch.bfloat16):
                    output = self.average(part, position, quantise=quantise, thresholds=self.thresholds)
                error = (output.reconstruction.clamp(-0.5, 0.5) - part).square().mean((1, 2, 3))
                bits = (output.latent_bits + output.hyper_bits) / 256**2
                lambdas = lambda_at(position)
                losses.append((lambdas * 255**2 * error + bits) * (MIDDLE_LAMBDA / lambdas).sqrt())
                rates.append(bits)
                psnrs.append(-10 * torch.log10(error))
        return float(torch.cat(losses).mean()), float(torch.cat(rates).mean()), float(torch.cat(psnrs).mean())

    def train(self, *, save_seconds: float = 120, log_steps: int = 100, validate_seconds: float = 400) -> None:
        """Until the budget is used up."""
        log_path = self.folder / "log.csv"
        if not log_path.exists():
            log_path.write_text(LOG_HEADER + "\n")
        saved = validated = mark = last = time.time()
        losses: list[tuple[float, float]] = []
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "is_asked_to_stop", True))
        while self.used < self.budget and not self.is_asked_to_stop:
            share = self.used / self.budget
            quantise = share > self.training.quantise_from
            factor = rate_factor(share, self.step, self.training)
            losses.append(self.train_step(factor, quantise=quantise))
            now = time.time()
            self.used, last = self.used + min(now - last, LONGEST_STEP), now
            if len(losses) >= log_steps:
                pace, loss, rate = (time.time() - mark) / len(losses), *np.nanmean(losses, 0)
                held = ",,,"
                if time.time() - validated > validate_seconds or self.step <= log_steps:
                    held = ",".join(f"{value:.5f}" for value in self.validate(quantise=quantise))
                    held += f",{self.count_dead()}"
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


def split_parameters(model: PhotoCodec) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """(matrices that start as cosine transforms, other weight matrices, all else)."""
    basis: list[Tensor] = []
    matrices: list[Tensor] = []
    rest: list[Tensor] = []
    for name, parameter in model.named_parameters():
        if name in ("analysis.stem.weight", "analysis.merge.weight", "synthesis.split.weight", "synthesis.head.weight"):
            basis.append(parameter)
        elif parameter.dim() == 4 and parameter.shape[1] > 1:
            matrices.append(parameter)
        else:
            rest.append(parameter)
    return basis, matrices, rest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of decoded crops, .npy")
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoint.pt and log.csv")
    parser.add_argument("--minutes", type=float, help="the budget; without it the old one goes on")
    parser.add_argument("--batch", type=int, default=Training.batch)
    parser.add_argument("--side", type=int, default=Training.side)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rate", type=float, default=1.0, help="factor of all learning rates")
    parser.add_argument("--decay-from", type=float, default=Training.decay_from)
    parser.add_argument("--quantise-from", type=float, default=Training.quantise_from)
    parser.add_argument("--weights", type=Path, help="half-precision weights to start a new run from")
    parser.add_argument("--again", action="store_true", help="with --minutes: as if nothing had been used of it")
    parser.add_argument("--revive", action="store_true", help="start the residual blocks again")
    parser.add_argument("--revive-units", action="store_true", help="start dead units of the entropy networks again")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    base = Training()
    training = replace(
        base, batch=arguments.batch, side=arguments.side, muon_rate=base.muon_rate * arguments.rate,
        adam_rate=base.adam_rate * arguments.rate, basis_rate=base.basis_rate * arguments.rate,
        decay_from=arguments.decay_from, quantise_from=arguments.quantise_from,
    )  # fmt: skip
    run = Run(arguments.run, PhotoCrops(arguments.data), training, PhotoSettings(), arguments.weights)
    if arguments.revive:
        run.revive()
    if arguments.revive_units:
        print(revive_units(run.model, run.some_pixels()), "units revived")
        run.average.load_state_dict(run.model.state_dict())
    if arguments.minutes:
        run.budget = 60 * arguments.minutes
        if arguments.again:
            run.used = 0.0
    run.train()


if __name__ == "__main__":
    main()
