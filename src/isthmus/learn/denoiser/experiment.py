"""`isthmus train denoise`: the denoiser for photographs from a folder of pictures to a model file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from isthmus.container.atomic import write_file
from isthmus.container.model_file import parse_model
from isthmus.errors import UsageError
from isthmus.learn.data.crops import Crops
from isthmus.learn.denoiser.export import export_denoiser
from isthmus.learn.denoiser.loop import train, validate
from isthmus.learn.denoiser.settings import NetworkSettings, Training
from isthmus.learn.denoiser.state import RunState, read_checkpoint, sizes_in, training_in
from isthmus.learn.denoiser.weights import load_trained
from isthmus.learn.loop.processes import is_on_cuda
from isthmus.learn.loop.run_folder import CHECKPOINT, check_folder, clear_run
from isthmus.learn.loop.timed import TimedResult
from isthmus.learn.recipes.loading import changed_settings
from isthmus.learn.recipes.photo import DENOISE

MODEL_FILE = "model.isthmus"
LICENCE = "as its training data allows"


def train_denoiser(
    folder: Path,
    *,
    data: Path,
    minutes: float | None,
    settings: Sequence[str] = (),
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    force: bool = False,
    sizes: NetworkSettings | None = None,
) -> TimedResult:
    """Train, or go on training, and export.

    Args:
        folder: of the run: checkpoint.pt, log.csv, model.isthmus.
        data: a folder of pictures without noise; every twentieth is held aside.
        minutes: the budget; None goes on with the old one.
        settings: "KEY=VALUE" of `settings.Training`; a run that goes on keeps those that it was given.
        seed: of weights and windows.
        device: "auto", "cpu" or "cuda".
        resume: go on with the folder's run.
        force: replace the folder's run.
        sizes: of the networks of a new run, for experiments.

    Returns:
        Metrics are dB on held-aside pictures.

    Raises:
        IsthmusError: as its steps do.
    """
    place = torch.device("cuda" if is_on_cuda(device) else "cpu")
    if minutes is None and not resume:
        raise UsageError("how long shall it train? --minutes M; the shipped model took more than an hour")
    check_folder(folder, resume=resume, force=force)
    saved = read_checkpoint(folder / CHECKPOINT) if resume else None
    training = changed_settings(Training() if saved is None else training_in(saved), settings, recipe=DENOISE)
    begun_with = load_trained(Path(training.weights)) if saved is None and training.weights else None
    if begun_with is not None:
        networks = begun_with.settings
    else:
        networks = (sizes or NetworkSettings()) if saved is None else sizes_in(saved)
    run = RunState(
        folder, Crops(data), training, networks, device=place, seed=seed, begun_with=begun_with, saved=saved
    )  # fmt: skip
    del saved  # megabytes, which the run has a copy of
    if not resume:
        clear_run(folder)
    if minutes is not None:
        run.budget = 60 * minutes
    train(run)
    metrics = validate(run).as_metrics()
    facts: dict[str, Any] = {
        "recipe": {"name": DENOISE, **dataclasses.asdict(training)},
        "licence": LICENCE,
        "metrics": {key: float(f"{value:.6g}") for key, value in metrics.items()},
        "steps": run.step,
    }
    file = export_denoiser(run.average.cpu(), facts=facts)
    write_file(folder / MODEL_FILE, file, force=True)
    return TimedResult(
        recipe=DENOISE,
        model=str(folder / MODEL_FILE),
        model_id=parse_model(file, name=MODEL_FILE).id.hex(),
        parameters=sum(parameter.numel() for parameter in run.model.parameters()),
        train_seconds=round(run.used, 1),
        steps=run.step,
        metrics=metrics,
    )
