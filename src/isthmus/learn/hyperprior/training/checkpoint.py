"""A run on disk: tensors and plain values, read without unpickling; `loop.checkpoint.write_state` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isthmus.errors import FormatError, InputError
from isthmus.learn.hyperprior.calibration.calibration import Calibration
from isthmus.learn.hyperprior.networks.codec import CodecSettings
from isthmus.learn.hyperprior.networks.entropy_model import EntropyModelSettings
from isthmus.learn.hyperprior.networks.transforms import TransformStart
from isthmus.learn.hyperprior.training.weights import Weights, kept_values, load_weights
from isthmus.learn.loop.checkpoint import read_state


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A run's state.

    Raises:
        FormatError: damaged, or no checkpoint of a hyperprior codec.
    """
    state = read_state(path)
    if not isinstance(state, dict) or not {"average", "start", "settings", "calibration"} <= set(state):
        raise FormatError(f"{path} is not a checkpoint of the photo codec")
    return state


def load_trained(path: Path) -> Weights:
    """The averaged weights of a checkpoint; or what an .npz file holds.

    Raises:
        InputError: no such file.
        FormatError: damaged, or of another kind.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist")
    if path.suffix == ".npz":
        return load_weights(path)
    saved = read_checkpoint(path)
    return Weights(
        kept_values(saved["average"]),
        start_of(saved),
        saved["step"],
        settings_in(saved),
        calibration_in(saved),
        saved["lambdas"],
    )


def stored_start(start: TransformStart) -> dict[str, Tensor]:
    """As a checkpoint has it."""
    return {name: torch.from_numpy(values) for name, values in asdict(start).items()}


def start_of(saved: Mapping[str, Any]) -> TransformStart:
    """`stored_start` backwards."""
    return TransformStart(**{name: values.numpy() for name, values in saved["start"].items()})


def calibration_in(saved: Mapping[str, Any]) -> Calibration | None:
    """The calibration that a run began with or made on its way."""
    return None if saved["calibration"] is None else Calibration.from_tensors(saved["calibration"])


def settings_in(saved: Mapping[str, Any]) -> CodecSettings:
    """Sizes of the networks that a checkpoint is of."""
    sizes = dict(saved["settings"])
    return CodecSettings(**{**sizes, "prior": EntropyModelSettings(**sizes["prior"])})
