"""`isthmus train photo`: the photo codec from a folder of pictures to a model file."""

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
from isthmus.learn.hyperprior.calibration.calibrate import calibrate
from isthmus.learn.hyperprior.export.export import export_codec
from isthmus.learn.hyperprior.export.qualities import with_quality_map
from isthmus.learn.hyperprior.networks.codec import CodecSettings
from isthmus.learn.hyperprior.training.checkpoint import read_checkpoint
from isthmus.learn.hyperprior.training.file_rate import file_rate
from isthmus.learn.hyperprior.training.loop import train
from isthmus.learn.hyperprior.training.settings import EYES, Training, kept_training
from isthmus.learn.hyperprior.training.state import RunState
from isthmus.learn.hyperprior.training.step import TRIED_QUALITIES, validate
from isthmus.learn.loop.processes import is_on_cuda
from isthmus.learn.loop.run_folder import CHECKPOINT, check_folder, clear_run
from isthmus.learn.loop.timed import TimedResult
from isthmus.learn.recipes.loading import changed_settings
from isthmus.learn.recipes.photo import PHOTO

MODEL_FILE = "model.isthmus"
LICENCE = "as its training data allows"


def train_codec(
    folder: Path,
    *,
    data: Path,
    minutes: float | None,
    settings: Sequence[str] = (),
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    force: bool = False,
    sizes: CodecSettings | None = None,
) -> TimedResult:
    """Train, or go on training, and export.

    Args:
        folder: of the run: checkpoint.pt, log.csv, model.isthmus.
        data: a folder of pictures; every twentieth is held aside.
        minutes: the budget; None goes on with the old one.
        settings: "KEY=VALUE" of `training.settings.Training`; a run that goes on keeps those that it was given.
        seed: of weights and windows.
        device: "auto", "cpu" or "cuda".
        resume: go on with the folder's run.
        force: replace the folder's run.
        sizes: of the network, for experiments.

    Returns:
        Metrics are the loss, bits per pixel (estimated), PSNR and SSIMULACRA2 on held-aside windows, means over five
        qualities; and bits per pixel in files of the exported model.

    Raises:
        IsthmusError: as its steps do.
    """
    place = torch.device("cuda" if is_on_cuda(device) else "cpu")
    if minutes is None and not resume:
        raise UsageError("how long shall it train? --minutes M; the shipped model took hours")
    check_folder(folder, resume=resume, force=force)
    saved = read_checkpoint(folder / CHECKPOINT) if resume else None
    training = settings_of(settings, Training() if saved is None else kept_training(saved))
    run = RunState(folder, Crops(data), training, sizes or CodecSettings(), device=place, seed=seed, saved=saved)
    del saved  # tens of megabytes, which the run has a copy of
    if not resume:
        clear_run(folder)
    if minutes is not None:
        run.budget = 60 * minutes
    train(run)
    held = validate(run, quantise=True)
    metrics = {"held_loss": held.loss, "held_bpp": held.rate, "held_psnr": held.psnr, "held_ssimulacra2": held.score}
    facts: dict[str, Any] = {
        "recipe": {"name": PHOTO, **dataclasses.asdict(training)},
        "tune": training.tune,
        "licence": LICENCE,
        "metrics": {key: float(f"{value:.6g}") for key, value in metrics.items()},
        "steps": run.step,
    }
    calibration = calibrate(run.average, run.crops, trained=None if run.calibration is None else run.calibration.ranges)
    average = run.average.cpu()
    if training.tune == EYES:
        calibration = with_quality_map(average, calibration, run.crops)
    file = export_codec(average, calibration=calibration, facts=facts)
    write_file(folder / MODEL_FILE, file, force=True)
    metrics["held_file_bpp"] = file_rate(file, run.held_aside(), TRIED_QUALITIES)
    return TimedResult(
        recipe=PHOTO,
        model=str(folder / MODEL_FILE),
        model_id=parse_model(file, name=MODEL_FILE).id.hex(),
        parameters=sum(parameter.numel() for parameter in run.model.parameters()),
        train_seconds=round(run.used, 1),
        steps=run.step,
        metrics=metrics,
    )


def settings_of(settings: Sequence[str], before: Training) -> Training:
    """Some values of `before` changed; a key may have "training." in front.

    Raises:
        UsageError: no such key (the nearest is named), or a value that cannot be.
    """
    return changed_settings(before, settings, recipe=PHOTO)
