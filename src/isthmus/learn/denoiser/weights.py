"""Averaged weights of a denoiser in half precision, small enough for a repository."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch

from isthmus.errors import FormatError, InputError
from isthmus.learn.denoiser.networks import Denoiser
from isthmus.learn.denoiser.settings import NetworkSettings
from isthmus.learn.denoiser.state import read_checkpoint, sizes_in

_SIZES = ("sizes.widths", "sizes.depths", "sizes.estimator")


def save_weights(model: Denoiser, path: Path) -> None:
    """Write an .npz file: weights in half precision, biases as they are, and the sizes of the networks."""
    arrays = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    halves = {name: array.astype(np.float16) if array.ndim == 4 else array for name, array in arrays.items()}
    settings = model.settings
    sizes = zip(_SIZES, (settings.widths, settings.depths, settings.estimator), strict=True)
    np.savez_compressed(path, **halves, **{name: np.array(value) for name, value in sizes})  # type: ignore[arg-type]


def load_trained(path: Path) -> Denoiser:
    """The averaged weights of a checkpoint, or what an .npz file holds.

    Raises:
        InputError: no such file.
        FormatError: damaged, or of another kind.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist")
    if path.suffix != ".npz":
        saved = read_checkpoint(path)
        return _filled(sizes_in(saved), saved["average"], path)
    try:
        with path.open("rb") as file, np.load(file) as stored:
            widths, depths, estimator = (stored[name].tolist() for name in _SIZES)
            names = [name for name in stored.files if name not in _SIZES]
            values = {name: torch.from_numpy(stored[name].astype(np.float32)) for name in names}
        return _filled(NetworkSettings(tuple(widths), tuple(depths), estimator), values, path)
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise FormatError(f"{path} holds no weights of a denoiser, or it is damaged") from error


def _filled(sizes: NetworkSettings, values: dict[str, torch.Tensor], path: Path) -> Denoiser:
    model = Denoiser(sizes)
    try:
        model.load_state_dict(values)
    except RuntimeError as error:
        raise FormatError(f"{path} holds weights of other networks than it says") from error
    return model.eval().requires_grad_(requires_grad=False)
