"""The loop: steps over shuffled pictures on Lightning Fabric, a checkpoint and a line of log after each epoch.

A run is a function of its recipe, its data and its seed: each epoch's order comes from (seed, epoch) alone, so a run
that was killed and resumed from the last epoch's checkpoint ends with the same weights.
"""

from __future__ import annotations

import copy
import csv
import io
import logging
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.container.atomic import write_file
from isthmus.errors import OutputError, TrainingError, UsageError
from isthmus.imaging.noise import add_noise
from isthmus.learn.data.augmentation import augment, centre
from isthmus.learn.data.pictures import Split
from isthmus.learn.loop.checkpoint import EpochResult, Progress, read_checkpoint, write_checkpoint
from isthmus.learn.loop.progress_bar import ProgressBar
from isthmus.learn.loop.schedule import Budget, learning_rate_at, make_optimiser
from isthmus.learn.loop.stopwatch import Stopwatch
from isthmus.learn.models.autoencoder import Autoencoder
from isthmus.learn.models.losses import Loss, make_loss
from isthmus.learn.models.rate import rate_of
from isthmus.learn.recipes.loading import recipe_to_table
from isthmus.learn.recipes.settings import Recipe

CHECKPOINT = "checkpoint.pt"
LOG = "log.csv"
DEVICES = ("auto", "cpu", "cuda")
_STEPS_BETWEEN_CHECKS = 50  # of the loss being a number, of the time being over
_TEST_BATCH = 2000
_TEST_NOISE_SEED = 1  # the same noise on the test pictures in every run, so that runs compare


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        model: the trained network on the CPU, in evaluation mode.
        history: a result for each epoch.
        seconds: of training, measuring not counted.
    """

    model: Autoencoder
    history: tuple[EpochResult, ...]
    seconds: float


def train(
    recipe: Recipe,
    data: Split,
    model: Autoencoder,
    folder: Path,
    *,
    budget: Budget,
    seed: int,
    device: str = "auto",
    resume: bool = False,
) -> Run:
    """Train a model, or go on with a run that was stopped.

    Args:
        recipe: how to train.
        data: what to learn from.
        model: the network with its first weights.
        folder: where checkpoint and log go; made if it is missing.
        budget: when to stop.
        seed: orders the pictures.
        device: "auto", "cpu" or "cuda".
        resume: go on from the folder's checkpoint.

    Raises:
        TrainingError: the loss is no longer a number; the last epoch's checkpoint is kept.
        UsageError: a device that is not there, or a checkpoint of another recipe.
        OutputError: the folder cannot be written.
        KeyboardInterrupt: as the user wishes; the last epoch's checkpoint is kept.
    """
    fabric = _fabric(device, recipe.training.precision)
    progress = Progress(recipe_to_table(recipe), seed)
    if resume:
        progress = _resumed(folder / CHECKPOINT, progress)
        model.load_state_dict(progress.model)
    optimiser = make_optimiser(recipe.training, model.parameters())
    trained, optimiser = fabric.setup(model, optimiser)
    if resume:
        optimiser.load_state_dict(progress.optimiser)
    loop = _Loop(fabric, recipe, data, trained, model.output, optimiser.optimizer, budget, progress)
    with ProgressBar(budget.epochs, done=len(progress.history)) as bar:
        while not loop.is_over():
            loop.epoch(bar)
            progress.model, progress.optimiser = model.state_dict(), optimiser.state_dict()
            write_checkpoint(folder / CHECKPOINT, progress)
            _write_log(folder / LOG, progress.history)
    if progress.best is not None:
        model.load_state_dict(progress.best)
    seconds = progress.history[-1].seconds if progress.history else 0.0
    return Run(model.cpu().eval(), tuple(progress.history), seconds)


class _Loop:
    """One run's moving parts."""

    def __init__(
        self,
        fabric: Fabric,
        recipe: Recipe,
        data: Split,
        model: nn.Module,
        output: nn.Module,
        optimiser: torch.optim.Optimizer,
        budget: Budget,
        progress: Progress,
    ) -> None:
        self._fabric, self._model, self._output, self._optimiser = fabric, model, output, optimiser
        self._settings, self._budget, self._progress = recipe.training, budget, progress
        self._noise, self._augmentation = recipe.noise, recipe.augmentation
        self._rate, self._rate_weight = rate_of(model), recipe.rate.weight
        self._size = recipe.model.network_size
        self._train = _on_device(data.train.pictures, fabric.device)
        self._test = centre(_on_device(data.test.pictures, fabric.device), self._size)
        self._noisy_test = self._disturbed(self._test, _TEST_NOISE_SEED)
        self._count = recipe.augmentation.virtual_count or len(self._train)
        self._loss: Loss = make_loss(recipe.training.loss, output)
        self._random = torch.Generator()
        self._batch = min(recipe.training.batch_size, self._count)
        self._steps_per_epoch = math.ceil(self._count / self._batch)
        self._seconds = progress.history[-1].seconds if progress.history else 0.0
        self._watch = Stopwatch(self._seconds)

    def is_over(self) -> bool:
        """Whether the budget is used up, or the test loss has not fallen for as long as the recipe allows."""
        done = self._budget.share_done(self._progress.steps, self._seconds, self._steps_per_epoch) >= 1
        losses = [result.test_loss for result in self._progress.history]
        patience = self._settings.patience
        stuck = patience > 0 and len(losses) > patience and min(losses[-patience:]) >= min(losses[:-patience])
        return done or stuck

    def epoch(self, bar: ProgressBar) -> None:
        """One pass over the training pictures, then the test pictures."""
        epoch = len(self._progress.history)
        generator = torch.Generator().manual_seed(self._progress.seed * 1_000_003 + epoch)
        order = torch.randperm(self._count, generator=generator).to(self._train.device) % len(self._train)
        total = torch.zeros((), device=self._train.device)
        steps = 0
        self._watch.start()
        self._model.train()
        for indices in torch.split(order, self._batch):
            share = self._budget.share_done(self._progress.steps, self._watch.lap(), self._steps_per_epoch)
            if share >= 1:
                break
            rate = learning_rate_at(self._settings, self._progress.steps, share)
            for group in self._optimiser.param_groups:
                group["lr"] = rate
            total += self._step(self._train.index_select(0, indices))
            steps += 1
            self._progress.steps += 1
            if steps % _STEPS_BETWEEN_CHECKS == 0:
                self._check(total, epoch)
                bar.epochs_done(epoch + steps / self._steps_per_epoch, loss=float(total) / steps)
        self._check(total, epoch)
        self._seconds = self._watch.lap()
        test_loss, test_mse = self._measure()
        result = EpochResult(epoch + 1, float(total) / max(steps, 1), test_loss, test_mse, rate, self._seconds)
        if self._settings.patience and test_loss <= min(
            (earlier.test_loss for earlier in self._progress.history), default=math.inf
        ):
            self._progress.best = copy.deepcopy(self._model.state_dict())
        self._progress.history.append(result)
        bar.epochs_done(epoch + 1, loss=result.train_loss)

    def _step(self, pictures: Tensor) -> Tensor:
        """One optimiser step on uint8 pictures; the loss before it, detached."""
        draw = self._progress.seed * 1_000_003 + self._progress.steps  # the same for a run that was resumed
        pictures = augment(pictures, self._augmentation, self._size, self._random.manual_seed(draw))
        values = pictures.float().mul_(1 / 255)
        disturbed = self._disturbed(pictures, draw)
        inputs = values if disturbed is pictures else disturbed.float().mul_(1 / 255)
        loss = self._loss(self._model(inputs), values)
        if self._rate is not None:
            loss = loss + self._rate_weight * self._rate.bits
        self._fabric.backward(loss)
        # Fabric's own step adds a tenth to a small network's time, and nothing in float32 and bfloat16
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        return loss.detach()

    def _disturbed(self, pictures: Tensor, seed: int) -> Tensor:
        """(batch, channels, rows, columns) uint8 with the recipe's noise; the same tensor where it has none."""
        if self._noise.kind == "none":
            return pictures
        pixels = pictures.permute(0, 2, 3, 1).cpu().numpy()
        return _on_device(add_noise(pixels, self._noise, np.random.default_rng(seed)), pictures.device)

    @torch.no_grad()
    def _measure(self) -> tuple[float, float]:
        """(loss, mean squared error) on the test pictures."""
        self._model.eval()
        loss, error = 0.0, 0.0
        batches = (torch.split(pictures, _TEST_BATCH) for pictures in (self._test, self._noisy_test))
        for pictures, noisy in zip(*batches, strict=True):
            values = pictures.float().mul_(1 / 255)
            logits = self._model(noisy.float().mul_(1 / 255))
            share = len(pictures) / len(self._test)
            loss += share * float(self._loss(logits, values))
            error += share * float(nn.functional.mse_loss(self._output(logits), values))
        return loss, error

    def _check(self, total: Tensor, epoch: int) -> None:
        """Stop where the loss is no longer a number.

        Raises:
            TrainingError: it is not.
        """
        if not math.isfinite(float(total)):
            kept = f"the checkpoint of epoch {epoch} is kept" if epoch else "there is no checkpoint yet"
            raise TrainingError(
                f"the loss became {float(total)} in epoch {epoch + 1}, near step {self._progress.steps}: {kept}. "
                f"Try a smaller --set training.learning_rate (now {self._settings.learning_rate:g}), "
                "--set training.warm_up_steps=500 or --set training.precision=fp32"
            )


def check_folder(folder: Path, *, resume: bool, force: bool) -> None:
    """Refuse to mix two runs in one folder.

    Raises:
        OutputError: it holds a run, and neither `resume` nor `force` is given.
        UsageError: there is nothing to resume.
    """
    if resume and not (folder / CHECKPOINT).is_file():
        raise UsageError(f"nothing to resume: {folder / CHECKPOINT} does not exist")
    if not resume and not force and (folder / CHECKPOINT).exists():
        raise OutputError(f"{folder} holds a run already: go on with --resume, or start anew with --force")


def _fabric(device: str, precision: str) -> Fabric:
    if device not in DEVICES:
        raise UsageError(f"device is one of {', '.join(DEVICES)}, not {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("device cuda: PyTorch finds no CUDA device here; --device cpu works everywhere")
    on_cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    mixed = precision == "bf16" or (precision == "auto" and _computes_in_bf16(on_cuda=on_cuda))
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces the precision on every run
    return Fabric(accelerator="cuda" if on_cuda else "cpu", devices=1, precision="bf16-mixed" if mixed else "32-true")


def _computes_in_bf16(*, on_cuda: bool) -> bool:
    """Whether bf16 is computed rather than emulated."""
    if on_cuda:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    is_supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(is_supported is not None and is_supported())


def _on_device(pictures: NDArray[np.uint8], device: torch.device) -> Tensor:
    """(count, channels, rows, columns) uint8 on the device: small sets live there as one tensor."""
    return torch.from_numpy(np.array(pictures.transpose(0, 3, 1, 2), order="C")).to(device)


def _resumed(path: Path, fresh: Progress) -> Progress:
    """The checkpoint's state, if it is of the same experiment.

    Raises:
        UsageError: of another recipe or seed.
    """
    progress = read_checkpoint(path)
    if progress.recipe != fresh.recipe or progress.seed != fresh.seed:
        changed = [
            f"{section}.{key}"
            for section, values in fresh.recipe.items()
            if isinstance(values, dict)
            for key, value in values.items()
            if progress.recipe.get(section, {}).get(key) != value
        ] or ["seed" if progress.recipe == fresh.recipe else "the recipe"]
        raise UsageError(f"{path} is of another run, {', '.join(changed)} differ(s): resume with the same settings")
    return progress


def _write_log(path: Path, history: list[EpochResult]) -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, [field.name for field in fields(EpochResult)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(result) for result in history)
    write_file(path, out.getvalue().encode(), force=True)
