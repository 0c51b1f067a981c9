"""The loop: steps over shuffled pictures on Lightning Fabric, a checkpoint and a line of log after each epoch.

A run is a function of its recipe, its data and its seed: each epoch's order comes from (seed, epoch) alone, so a run
that was killed and resumed from the last epoch's checkpoint ends with the same weights. Several processes share each
epoch's order: all know the same progress, and the first one writes it down.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import nn

from isthmus.learn.data.pictures import Split
from isthmus.learn.loop.checkpoint import EpochResult, Progress, read_checkpoint
from isthmus.learn.loop.denormals import flushed_denormals
from isthmus.learn.loop.dense_chain import DenseChain
from isthmus.learn.loop.epoch_pictures import EpochPictures
from isthmus.learn.loop.epochs import Epochs
from isthmus.learn.loop.processes import Processes, launch, make_fabric
from isthmus.learn.loop.progress_bar import ProgressBar
from isthmus.learn.loop.run_folder import CHECKPOINT, resume_run, save_run
from isthmus.learn.loop.schedule import Budget, make_optimiser
from isthmus.learn.models.autoencoder import Autoencoder
from isthmus.learn.models.rate import rate_of
from isthmus.learn.recipes.loading import recipe_to_table
from isthmus.learn.recipes.settings import Recipe

ALONE = Processes()


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
    processes: Processes = ALONE,
    resume: bool = False,
    has_lines: bool = False,
    pictures: EpochPictures | None = None,
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
        processes: how many train together, each with batches of the recipe's size.
        resume: go on from the folder's checkpoint, with any number of processes.
        has_lines: write a line an epoch to stderr where that is no terminal, which has a bar.
        pictures: drawn after every epoch; None draws none.

    Raises:
        TrainingError: the loss is no longer a number, or a process is gone; the last epoch's checkpoint is kept.
        UsageError: a device that is not there, or a checkpoint of another recipe.
        OutputError: the folder cannot be written.
        KeyboardInterrupt: as the user wishes; the last epoch's checkpoint is kept.
    """
    fabric = make_fabric(device, recipe.training.precision, processes)
    progress = Progress(recipe_to_table(recipe), seed)
    if resume:
        progress = resume_run(folder, progress)
    if processes.count == 1:
        _train_here(fabric, recipe, data, model, folder, budget, progress, has_lines, pictures)
    else:
        launch(fabric, _train_here, recipe, data, model, folder, budget, progress, has_lines, pictures)
        progress = read_checkpoint(folder / CHECKPOINT)
        model.load_state_dict(progress.model)
    if progress.best is not None:
        model.load_state_dict(progress.best)
    seconds = progress.history[-1].seconds if progress.history else 0.0
    return Run(model.cpu().eval(), tuple(progress.history), seconds)


def join(
    recipe: Recipe,
    data: Split,
    model: Autoencoder,
    *,
    budget: Budget,
    seed: int,
    device: str = "auto",
    processes: Processes,
) -> None:
    """Train along with the first node's `train`, which has all results: what further nodes do.

    Args:
        recipe: how to train, as on the first node.
        data: what to learn from, the same as there.
        model: the network; its weights come from there.
        budget: when to stop, as there.
        seed: orders the pictures, as there.
        device: "auto", "cpu" or "cuda".
        processes: how many train together.

    Raises:
        TrainingError, UsageError, KeyboardInterrupt: as `train`.
    """
    fabric = make_fabric(device, recipe.training.precision, processes)
    launch(fabric, _train_here, recipe, data, model, None, budget, Progress(recipe_to_table(recipe), seed))


def _train_here(
    fabric: Fabric,
    recipe: Recipe,
    data: Split,
    model: Autoencoder,
    folder: Path | None,
    budget: Budget,
    progress: Progress,
    has_lines: bool = False,  # noqa: FBT001, FBT002 - `launch` hands over arguments in order
    pictures: EpochPictures | None = None,
) -> None:
    """One process's share of a run; the first of all writes checkpoint and log into the folder."""
    progress = fabric.broadcast(progress)
    if progress.model:
        model.load_state_dict(progress.model)
    memory_format = _fastest_format(model)
    for weight in model.parameters():
        if weight.dim() == 4:
            weight.data = weight.data.contiguous(memory_format=memory_format)
    chain = _chain_of(fabric, recipe, model)
    optimiser = make_optimiser(recipe.training, model.parameters() if chain is None else [chain.weights])
    trained, optimiser = fabric.setup(model, optimiser)
    if progress.optimiser:
        optimiser.load_state_dict(progress.optimiser if chain is None else chain.joined(progress.optimiser))
    parts = (trained, model.output, chain, optimiser.optimizer)
    epochs = Epochs(fabric, recipe, data, *parts, memory_format, budget, progress)
    shown = ProgressBar(budget, progress.history, is_shown=fabric.is_global_zero, has_lines=has_lines)
    with flushed_denormals(), shown as bar:
        while not epochs.is_over():
            epochs.next(bar)
            state = optimiser.state_dict()
            progress.model, progress.optimiser = model.state_dict(), state if chain is None else chain.split(state)
            if fabric.is_global_zero and folder is not None:
                save_run(folder, progress)
                if pictures is not None:
                    pictures.draw(model, len(progress.history))


def _chain_of(fabric: Fabric, recipe: Recipe, model: Autoencoder) -> DenseChain | None:
    """How a dense network learns fastest: one process, on a CPU, in float32, without the rate in its loss."""
    is_plain = fabric.world_size == 1 and fabric.device.type == "cpu" and rate_of(model) is None
    if not is_plain or fabric.strategy.precision.precision != "32-true":
        return None
    return DenseChain.of(model, recipe.training.loss)


def _fastest_format(model: nn.Module) -> torch.memory_format:
    """How pictures lie in memory: channels last is twice as fast for convolutions on a CPU."""
    is_convolutional = any(isinstance(part, nn.Conv2d) for part in model.modules())
    return torch.channels_last if is_convolutional else torch.contiguous_format
