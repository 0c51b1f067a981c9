"""Epochs of a run: steps over shuffled pictures, and what the test pictures lose after each."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.errors import TrainingError
from isthmus.imaging.noise import add_noise
from isthmus.learn.data.augmentation import augment, centre
from isthmus.learn.data.parts import own_part, steps_per_epoch
from isthmus.learn.data.pictures import Split
from isthmus.learn.loop.checkpoint import EpochResult, Progress
from isthmus.learn.loop.dense_chain import DenseChain
from isthmus.learn.loop.progress_bar import ProgressBar
from isthmus.learn.loop.schedule import Budget, learning_rate_at
from isthmus.learn.loop.stopwatch import Stopwatch
from isthmus.learn.models.losses import Loss, make_loss
from isthmus.learn.models.rate import rate_of
from isthmus.learn.recipes.settings import Recipe

_STEPS_BETWEEN_CHECKS = 50  # of the loss being a number, of the time being over
_TEST_BATCH = 2000
_TEST_NOISE_SEED = 1  # the same noise on the test pictures in every run, so that runs compare
_DRAWS_OF_A_PROCESS = 1 << 40  # more than steps of any run: each process draws noise and changes of its own


class Epochs:
    """One run's moving parts, epoch by epoch."""

    def __init__(
        self,
        fabric: Fabric,
        recipe: Recipe,
        data: Split,
        model: nn.Module,
        output: nn.Module,
        chain: DenseChain | None,
        optimiser: torch.optim.Optimizer,
        memory_format: torch.memory_format,
        budget: Budget,
        progress: Progress,
    ) -> None:
        self._fabric, self._model, self._output, self._optimiser = fabric, model, output, optimiser
        self._chain = chain
        self._settings, self._budget, self._progress = recipe.training, budget, progress
        self._format = memory_format
        self._noise, self._augmentation = recipe.noise, recipe.augmentation
        self._rate, self._rate_weight = rate_of(model), recipe.rate.weight
        self._size = recipe.model.network_size
        self._rank, self._processes = fabric.global_rank, fabric.world_size
        self._train = _on_device(data.train.pictures, fabric.device)
        tests = centre(_on_device(data.test.pictures, fabric.device), self._size)
        noisy_tests = self._disturbed(tests, _TEST_NOISE_SEED)
        self._test_count = len(tests)
        self._test, self._noisy_test = (part[self._rank :: self._processes] for part in (tests, noisy_tests))
        self._count = recipe.augmentation.virtual_count or len(self._train)
        self._loss: Loss = make_loss(recipe.training.loss, output)
        self._random = torch.Generator()
        self._draws = progress.seed * 1_000_003 + self._rank * _DRAWS_OF_A_PROCESS
        self._batch = recipe.training.batch_size
        self._steps_per_epoch = steps_per_epoch(self._count, self._batch, processes=self._processes)
        if progress.processes != self._processes:  # what was done counts in pictures
            before = steps_per_epoch(self._count, self._batch, processes=progress.processes)
            progress.steps = round(progress.steps * self._steps_per_epoch / before)
            progress.processes = self._processes
        is_timed_together = self._processes > 1 and budget.minutes is not None
        clock: Callable[[], float] = self._shared_clock if is_timed_together else time.perf_counter
        self._seconds = progress.history[-1].seconds if progress.history else 0.0
        self._watch = Stopwatch(self._seconds, clock)

    def is_over(self) -> bool:
        """Whether the budget is used up, or the test loss has not fallen for as long as the recipe allows."""
        done = self._budget.share_done(self._progress.steps, self._seconds, self._steps_per_epoch) >= 1
        losses = [result.test_loss for result in self._progress.history]
        patience = self._settings.patience
        stuck = patience > 0 and len(losses) > patience and min(losses[-patience:]) >= min(losses[:-patience])
        return done or stuck

    def next(self, bar: ProgressBar) -> None:
        """One pass over the training pictures, cut short where the budget ends but for its first step; then a test."""
        epoch = len(self._progress.history)
        generator = torch.Generator().manual_seed(self._progress.seed * 1_000_003 + epoch)
        order = torch.randperm(self._count, generator=generator).to(self._train.device) % len(self._train)
        order = own_part(order, rank=self._rank, processes=self._processes)
        total = torch.zeros((), device=self._train.device)
        steps = 0
        self._watch.start()
        self._model.train()
        for indices in torch.split(order, self._batch):
            seconds = self._watch.lap()
            share = self._budget.share_done(self._progress.steps, seconds, self._steps_per_epoch)
            if share >= 1 and steps > 0:
                break
            bar.move(share, epochs=epoch + steps / self._steps_per_epoch, steps=self._progress.steps, seconds=seconds)
            rate = learning_rate_at(self._settings, self._progress.steps, share)
            for group in self._optimiser.param_groups:
                group["lr"] = rate
            total += self._step(self._train.index_select(0, indices))
            steps += 1
            self._progress.steps += 1
            if steps % _STEPS_BETWEEN_CHECKS == 0:
                bar.show_loss(self._checked(total, epoch) / steps)
        summed = self._checked(total, epoch)
        self._seconds = self._watch.lap()
        test_loss, test_mse = self._measure()
        result = EpochResult(epoch + 1, summed / steps, test_loss, test_mse, rate, self._seconds)
        if self._settings.patience and test_loss <= min(
            (earlier.test_loss for earlier in self._progress.history), default=math.inf
        ):
            self._progress.best = copy.deepcopy(self._model.state_dict())
        self._progress.history.append(result)
        done = self._budget.share_done(self._progress.steps, self._seconds, self._steps_per_epoch)
        bar.epoch_done(result, share=done, steps=self._progress.steps)

    def _step(self, pictures: Tensor) -> Tensor:
        """One optimiser step on uint8 pictures; the loss before it, detached."""
        draw = self._draws + self._progress.steps  # the same for a run that was resumed
        pictures = augment(pictures, self._augmentation, self._size, self._random.manual_seed(draw))
        values = self._values(pictures)
        disturbed = self._disturbed(pictures, draw)
        inputs = values if disturbed is pictures else self._values(disturbed)
        if self._chain is not None:
            loss = self._chain.gradients(inputs, values)
            self._optimiser.step()
            return loss
        loss = self._loss(self._model(inputs), values)
        if self._rate is not None:
            loss = loss + self._rate_weight * self._rate.bits
        self._fabric.backward(loss)
        # Fabric's own step adds a tenth to a small network's time, and nothing in float32 and bfloat16
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        return loss.detach()

    def _values(self, pictures: Tensor) -> Tensor:
        """uint8 pictures as values in [0, 1], laid out as the network likes it."""
        return pictures.to(torch.float32, memory_format=self._format).mul_(1 / 255)

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
            if len(pictures) == 0:  # fewer test pictures than processes
                continue
            values = self._values(pictures)
            logits = self._model(self._values(noisy))
            share = len(pictures) / self._test_count
            loss += share * float(self._loss(logits, values))
            error += share * float(nn.functional.mse_loss(self._output(logits), values))
        if self._processes > 1:
            both = torch.tensor([loss, error], dtype=torch.float64)
            loss, error = self._over_all(both, "sum").tolist()
        return loss, error

    def _shared_clock(self) -> float:
        """Seconds of the furthest clock, so that all processes stop at the same step."""
        return float(self._over_all(torch.tensor(time.perf_counter(), dtype=torch.float64), "max"))

    def _over_all(self, values: Tensor, reduction: str) -> Tensor:
        """The processes' values, "sum", "mean" or "max"; the same everywhere."""
        return cast(Tensor, self._fabric.all_reduce(values, reduce_op=reduction))

    def _checked(self, total: Tensor, epoch: int) -> float:
        """The sum of losses, its mean over the processes.

        Raises:
            TrainingError: the loss is no longer a number.
        """
        if self._processes > 1:
            total = self._over_all(total.clone(), "mean")
        if not math.isfinite(float(total)):
            kept = f"the checkpoint of epoch {epoch} is kept" if epoch else "there is no checkpoint yet"
            raise TrainingError(
                f"the loss became {float(total)} in epoch {epoch + 1}, near step {self._progress.steps}: {kept}. "
                f"Try a smaller training.learning_rate (now {self._settings.learning_rate:g}), "
                "training.warm_up_steps=500 or training.precision=fp32 (--set KEY=VALUE, in Python settings={...})"
            )
        return float(total)


def _on_device(pictures: NDArray[np.uint8], device: torch.device) -> Tensor:
    """(count, channels, rows, columns) uint8 on the device: small sets live there as one tensor."""
    return torch.from_numpy(np.array(pictures.transpose(0, 3, 1, 2), order="C")).to(device)
