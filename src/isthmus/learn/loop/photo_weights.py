"""Averaged weights of the photo codec in half precision, small enough to be kept in the repository.

    python -m isthmus.learn.loop.photo_weights CHECKPOINT WEIGHTS.npz

A new run starts from them with `python -m isthmus.learn.loop.photo ... --weights WEIGHTS.npz`.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.learn.models.photo_transforms import TransformStart

_START = "start."


def save_weights(checkpoint: Path, path: Path) -> None:
    """The average of a checkpoint, float16; what training started from, float32."""
    saved = torch.load(checkpoint, map_location="cpu", weights_only=False)
    # buffers of scales follow from the start
    arrays = {name: _stored(name, value) for name, value in saved["average"].items() if not name.endswith(".scale")}
    starts = {_START + name: np.asarray(value) for name, value in saved["start"].items()}
    np.savez_compressed(path, step=np.array(saved["step"]), **arrays, **starts)  # type: ignore[arg-type]


def load_weights(path: Path) -> tuple[dict[str, Tensor], TransformStart, int]:
    """(weights for `load_state_dict(strict=False)`, start, steps trained)."""
    with np.load(path) as stored:
        names = [name for name in stored.files if not name.startswith(_START) and name != "step"]
        weights = {name: _loaded(stored[name]) for name in names}
        start = TransformStart(*(stored[_START + name] for name in ("fine_scale", "latent_scale", "kept")))
        return weights, start, int(stored["step"])


def _stored(name: str, value: Tensor) -> NDArray[Any]:
    """Half precision, but for counts, and for quality tables, which are small and feed exact integers."""
    array: NDArray[Any] = value.numpy()
    is_whole = array.dtype.kind == "i"
    return array if is_whole or name.endswith(".table") else array.astype(np.float16)


def _loaded(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(array if array.dtype.kind == "i" else array.astype(np.float32))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("weights", type=Path)
    arguments = parser.parse_args()
    save_weights(arguments.checkpoint, arguments.weights)
