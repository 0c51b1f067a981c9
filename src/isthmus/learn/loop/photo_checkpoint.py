"""The photo codec's training on disk: whole or not at all."""

import io
from pathlib import Path
from typing import Any

import torch

from isthmus.container.atomic import write_file
from isthmus.errors import FormatError


def write_photo_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a run's state; an earlier checkpoint stays until the new one is whole.

    Raises:
        OutputError: the place cannot be written.
    """
    out = io.BytesIO()
    torch.save(state, out)
    write_file(path, out.getvalue(), force=True)


def read_photo_checkpoint(path: Path) -> dict[str, Any]:
    """A run's state. It is unpickled: read none that you do not trust.

    Raises:
        FormatError: damaged, or no checkpoint of a photo codec.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)
    except OSError:
        raise
    except Exception as error:  # torch.load raises whatever its zip and tensor readers meet
        raise FormatError(f"{path} is not a checkpoint, or it is damaged: {error}") from error
    if not isinstance(state, dict) or "average" not in state:
        raise FormatError(f"{path} is not a checkpoint of the photo codec")
    return state
