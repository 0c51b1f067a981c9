"""The state of a run on disk: whole or not at all, and read without pickle."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from isthmus.container.atomic import write_file
from isthmus.errors import FormatError

VERSION = 1


@dataclass(frozen=True)
class EpochResult:
    """One line of the log.

    Attributes:
        epoch: from 1.
        train_loss: mean over the epoch's steps.
        test_loss: on the test pictures after the epoch.
        test_mse: mean squared error there, values in [0, 1].
        learning_rate: at the epoch's end.
        seconds: of training since the run began, measuring not counted.
    """

    epoch: int
    train_loss: float
    test_loss: float
    test_mse: float
    learning_rate: float
    seconds: float


@dataclass
class Progress:
    """All that a run needs to go on as if it had never stopped.

    Attributes:
        recipe: the recipe's table.
        seed: the run's seed.
        steps: steps done.
        history: a result for each epoch done.
        model: the network's weights.
        optimiser: the optimiser's state.
        best: the weights of the best epoch, kept where a recipe stops early.
        processes: how many took those steps together.
    """

    recipe: dict[str, Any]
    seed: int
    steps: int = 0
    history: list[EpochResult] = field(default_factory=list)
    model: dict[str, Any] = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Any] | None = None
    processes: int = 1


def write_checkpoint(path: Path, progress: Progress) -> None:
    """Write a run's state; an earlier checkpoint stays until the new one is whole.

    Raises:
        OutputError: the place cannot be written.
    """
    history = [asdict(result) for result in progress.history]
    write_state(path, {"version": VERSION, **vars(progress), "history": history})


def read_checkpoint(path: Path) -> Progress:
    """A run's state.

    Raises:
        FormatError: the file is damaged or of another version.
    """
    try:
        state = read_state(path)
        if state.pop("version") != VERSION:
            raise FormatError(f"{path} is a checkpoint of another version: start the run anew with --force")
        history = [EpochResult(**result) for result in state.pop("history")]
        return Progress(history=history, **state)
    except FormatError:
        raise
    except Exception as error:  # whatever it holds in place of a run
        raise FormatError(f"{path} is not a checkpoint, or it is damaged: {error}") from error


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write what `torch.save` takes; an earlier file stays until the new one is whole.

    Raises:
        OutputError: the place cannot be written.
    """
    out = io.BytesIO()
    torch.save(state, out)
    write_file(path, out.getvalue(), force=True)


def read_state(path: Path, *, unpickle: bool = False) -> dict[str, Any]:
    """What `write_state` wrote.

    Args:
        path: of the file.
        unpickle: whatever it holds, which can be code: of none that the user does not trust.

    Raises:
        FormatError: the file is damaged.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=not unpickle)
    except Exception as error:  # torch.load raises whatever its zip and tensor readers meet
        raise FormatError(f"{path} is not a checkpoint, or it is damaged: {error}") from error
    return state
