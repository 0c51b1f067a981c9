"""A recipe from its data to its model file and its figures: what `isthmus train` does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from isthmus.codec.model import Model
from isthmus.container.atomic import write_file
from isthmus.container.image_header import read_header
from isthmus.container.model_file import parse_model, write_model
from isthmus.errors import UsageError
from isthmus.learn.data.loading import load_data
from isthmus.learn.data.pictures import Split, take_some
from isthmus.learn.export.model_file import export_model
from isthmus.learn.loop.checkpoint import EpochResult
from isthmus.learn.loop.curves import FIGURE, draw_curves
from isthmus.learn.loop.epoch_pictures import EpochPictures, forget_pictures
from isthmus.learn.loop.processes import Processes
from isthmus.learn.loop.progress_bar import stage
from isthmus.learn.loop.run_folder import check_folder
from isthmus.learn.loop.schedule import Budget
from isthmus.learn.loop.training import ALONE, join, train
from isthmus.learn.models.autoencoder import Autoencoder
from isthmus.learn.models.convolutional import build_convolutional
from isthmus.learn.models.dense import build_dense
from isthmus.learn.models.patches import build_patches
from isthmus.learn.models.rate import RateNoise
from isthmus.learn.models.residual import build_residual
from isthmus.learn.models.tiled import cut_tiles, tile_model
from isthmus.learn.recipes.loading import recipe_to_table
from isthmus.learn.recipes.settings import ModelSettings, Recipe
from isthmus.metrics.distortion import mse, psnr_of_mse
from isthmus.sources.picture_set import PictureSet
from isthmus.values import Picture, PictureSpec

BUILDERS = {
    "dense": build_dense,
    "residual": build_residual,
    "conv": build_convolutional,
    "patches": build_patches,
}
MODEL_FILE = "model.isthmus"
LICENCE = "as its training data allows"
_CODED_PICTURES = 10_000  # of the test set: enough for any digit of a mean that people compare


@dataclass(frozen=True)
class Metrics:
    """What a model does to test pictures.

    Attributes:
        test_mse: mean squared error of the network's reconstruction, values in [0, 1].
        test_psnr: the same in dB.
        coded_mse: mean squared error of pictures that went through a .isth file at the default quality, same scale.
        bits_per_image: mean bits of a whole file at the default quality.
        bytes_per_image: mean bytes of it.
        payload_bytes_per_image: mean bytes of its entropy-coded payload.
    """

    test_mse: float
    test_psnr: float
    coded_mse: float
    bits_per_image: float
    bytes_per_image: float
    payload_bytes_per_image: float


@dataclass(frozen=True)
class Experiment:
    """A finished run: what `train --json` prints.

    Attributes:
        recipe: the recipe's name.
        model: path of the model file.
        model_id: its id, hexadecimal.
        parameters: numbers that were learnt.
        train_seconds: of training alone.
        epochs: passes done.
        metrics: on the test pictures.
    """

    recipe: str
    model: str
    model_id: str
    parameters: int
    train_seconds: float
    epochs: int
    metrics: Metrics


def run_experiment(
    recipe: Recipe,
    folder: Path,
    *,
    source: str | None = None,
    budget: Budget | None = None,
    seed: int = 0,
    device: str = "auto",
    processes: Processes = ALONE,
    resume: bool = False,
    force: bool = False,
    has_lines: bool = False,
    draw_pictures: bool = False,
    report: Callable[[str], None] = lambda note: None,
) -> Experiment:
    """Load the data, train, export, and measure on the test pictures.

    Args:
        recipe: the recipe.
        folder: gets checkpoint.pt, log.csv, curves.png and model.isthmus.
        source: what to learn from; None is the recipe's.
        budget: when to stop; None is the recipe's epochs.
        seed: of the weights, of the order, of what is drawn.
        device: "auto", "cpu" or "cuda".
        processes: how many train together.
        resume: go on from the folder's checkpoint.
        force: replace a run that the folder holds.
        has_lines: where stderr is no terminal, write a line there for each epoch and each stage.
        draw_pictures: leave a PNG of ten test pictures, their codes and what comes back, for each epoch.
        report: told in a line what a user may not have meant, such as colours that are lost.

    Raises:
        IsthmusError: as its steps do.
    """
    check_folder(folder, resume=resume, force=force)
    if not resume:
        forget_pictures(folder)
    model = build_model(recipe, seed)
    with stage("reading the pictures"):
        data = _recipe_data(recipe, source, seed)
    for note in _doubts(recipe, data, picture_spec(recipe)):
        report(note)
    shown = network_data(data, recipe.model)
    run = train(
        recipe,
        shown,
        model,
        folder,
        budget=budget or Budget(recipe.training.epochs),
        seed=seed,
        device=device,
        processes=processes,
        resume=resume,
        has_lines=has_lines,
        pictures=EpochPictures(folder, shown.test.pictures, recipe.model.network_size, recipe.noise)
        if draw_pictures
        else None,
    )
    if run.history:
        write_file(folder / FIGURE, draw_curves({recipe.name: run.history}), force=True)
    return finish(recipe, data, run.model, folder, history=run.history, seconds=run.seconds, has_lines=has_lines)


def unseen_pictures(recipe: Recipe, source: str | None, *, count: int, seed: int = 0) -> list[Picture]:
    """The first test pictures, as a recipe's finished model takes them."""
    test = _centred(_recipe_data(recipe, source, seed), recipe.model).test.pictures
    return [Picture(pixels) for pixels in test[:count]]


def join_experiment(
    recipe: Recipe,
    *,
    source: str | None = None,
    budget: Budget | None = None,
    seed: int = 0,
    device: str = "auto",
    processes: Processes,
) -> None:
    """What a node other than the first does: train along with the first node's `run_experiment`, and keep nothing.

    Args:
        recipe: the recipe, as there.
        source: what to learn from, the same as there.
        budget: when to stop, as there.
        seed: as there.
        device: "auto", "cpu" or "cuda".
        processes: how many train together.

    Raises:
        IsthmusError: as its steps do.
    """
    join(
        recipe,
        network_data(_recipe_data(recipe, source, seed), recipe.model),
        build_model(recipe, seed),
        budget=budget or Budget(recipe.training.epochs),
        seed=seed,
        device=device,
        processes=processes,
    )


def _recipe_data(recipe: Recipe, source: str | None, seed: int) -> Split:
    data = load_data(source or recipe.data.source, recipe.data, picture_spec(recipe), seed=seed)
    return take_some(data, recipe.data, seed=seed)


def _doubts(recipe: Recipe, data: Split, spec: PictureSpec) -> Iterator[str]:
    """What is allowed, and seldom meant; and what of the data was left out."""
    yield from data.notes
    if recipe.model.is_expanding:
        yield "the code has more numbers than the picture has values: nothing is reduced (model.code makes it smaller)"
    if data.colours_lost:
        yield f"{data.colours_lost} colour pictures were made grey: --set model.channels=3 keeps the colours"
    if data.resized and not recipe.data.side:  # where it is set, it was chosen
        yield (
            f"{data.resized} pictures were resized to {spec}: --set model.height and model.width choose another size, "
            "data.side another size to cut crops from"
        )
    if len(data.train) < recipe.training.batch_size and not (recipe.model.tile or recipe.augmentation.virtual_count):
        yield (
            f"{len(data.train)} training pictures are fewer than a batch ({recipe.training.batch_size}): an epoch is "
            "one step (--set training.batch_size makes it smaller)"
        )


def build_model(recipe: Recipe, seed: int) -> Autoencoder:
    """The recipe's network, of one tile where it has tiles, with the first weights of a seed."""
    torch.manual_seed(seed)
    model = BUILDERS[recipe.model.kind](recipe.model)
    if recipe.rate.weight:
        model.analysis = nn.Sequential(model.analysis, RateNoise(model.latents.channels))
    return model


def picture_spec(recipe: Recipe) -> PictureSpec:
    """The pictures that a recipe loads: of `data.side`, where it cuts from larger ones, else of the model's size."""
    side = recipe.data.side
    if side and (side < recipe.model.height or side < recipe.model.width):
        raise UsageError(f"data.side is {side}, below the model's {recipe.model.width}×{recipe.model.height} pixels")
    return PictureSpec(recipe.model.channels, side or recipe.model.height, side or recipe.model.width)


def network_data(data: Split, settings: ModelSettings) -> Split:
    """What the network itself learns from: the pictures, or all tiles of them."""
    if not settings.tile:
        return data
    train_tiles, test_tiles = (
        PictureSet(cut_tiles(part.pictures, tile=settings.tile, overlap=settings.overlap))
        for part in (data.train, data.test)
    )
    return replace(data, train=train_tiles, test=test_tiles)


def finish(
    recipe: Recipe,
    data: Split,
    model: Autoencoder,
    folder: Path,
    *,
    history: tuple[EpochResult, ...],
    seconds: float,
    has_lines: bool = False,
) -> Experiment:
    """Export a trained network, fit its steps and tables, and measure it."""
    data = _centred(data, recipe.model)
    if recipe.model.tile:
        model = tile_model(model, recipe.model).eval()
    facts: dict[str, Any] = {"recipe": recipe_to_table(recipe), "data": Path(data.source).name, "licence": LICENCE}
    with stage("writing the graphs, fitting quantisation steps and tables", has_lines=has_lines):
        file = export_model(
            model, data.train, recipe.coding, name=recipe.name, facts=facts, in_steps=recipe.rate.weight > 0
        )
    stored = parse_model(file, name=recipe.name)
    coder = Model(stored)
    with stage(f"measuring files of {min(len(data.test), _CODED_PICTURES):,} test pictures", has_lines=has_lines):
        metrics = measure(coder, data, history[-1].test_mse if history else math.nan)
    facts["metrics"] = {key: float(f"{value:.6g}") for key, value in asdict(metrics).items() if math.isfinite(value)}
    write_file(folder / MODEL_FILE, write_model(replace(stored, facts=facts)), force=True)
    return Experiment(
        recipe=recipe.name,
        model=str(folder / MODEL_FILE),
        model_id=coder.id.hex(),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        train_seconds=round(seconds, 3),
        epochs=len(history),
        metrics=metrics,
    )


def measure(model: Model, data: Split, test_mse: float) -> Metrics:
    """The figures of real files of the test pictures."""
    pictures = data.test.pictures[:_CODED_PICTURES]
    files = model.encode_batch(list(pictures))
    decoded = np.stack(model.decode_batch(files)).reshape(pictures.shape)
    sizes = [len(file) for file in files]
    payloads = [sum(read_header(file).tile_lengths) for file in files]
    return Metrics(
        test_mse=test_mse,
        test_psnr=psnr_of_mse(test_mse, peak=1.0),
        coded_mse=mse(decoded, pictures) / 255**2,
        bits_per_image=8 * float(np.mean(sizes)),
        bytes_per_image=float(np.mean(sizes)),
        payload_bytes_per_image=float(np.mean(payloads)),
    )


def _centred(data: Split, settings: ModelSettings) -> Split:
    """The middle of pictures that are larger than the model's."""

    def cut(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
        top, left = (pictures.shape[1] - settings.height) // 2, (pictures.shape[2] - settings.width) // 2
        return pictures[:, top : top + settings.height, left : left + settings.width]

    train_set, test_set = (replace(part, pictures=cut(part.pictures)) for part in (data.train, data.test))
    return replace(data, train=train_set, test=test_set)
