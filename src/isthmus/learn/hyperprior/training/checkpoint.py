"""The photo codec's training on disk; `checkpoint.write_state` writes it."""

from pathlib import Path
from typing import Any

from isthmus.errors import FormatError
from isthmus.learn.loop.checkpoint import read_state


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A run's state. It is unpickled: read none that you do not trust.

    Raises:
        FormatError: damaged, or no checkpoint of a photo codec.
    """
    state = read_state(path, unpickle=True)
    if not isinstance(state, dict) or "average" not in state:
        raise FormatError(f"{path} is not a checkpoint of the photo codec")
    return state
