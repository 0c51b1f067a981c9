"""Averaged weights of a hyperprior codec in half precision with their calibration, small enough for a repository."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.errors import FormatError
from isthmus.learn.hyperprior.calibration.calibration import Calibration
from isthmus.learn.hyperprior.networks.codec import CodecSettings, HyperpriorCodec
from isthmus.learn.hyperprior.networks.quality import LAMBDAS, over_range
from isthmus.learn.hyperprior.networks.transforms import TransformStart

_START, _CALIBRATION, _LAMBDAS = "start.", "calibration.", "lambdas"


@dataclass(frozen=True)
class Weights:
    """What training has come to.

    Attributes:
        values: for `load_state_dict(strict=False)`: all but the buffers of scales, which follow from the start.
        start: what training started from.
        step: steps trained.
        settings: sizes of the networks.
        calibration: of these weights; None where there is none.
        lambdas: lowest and highest, that the knots of their tables stand for.
    """

    values: dict[str, Tensor]
    start: TransformStart
    step: int
    settings: CodecSettings
    calibration: Calibration | None = None
    lambdas: tuple[float, float] = LAMBDAS

    def over_usual_range(self) -> dict[str, Tensor]:
        """The values, with their tables over the range of qualities that training has."""
        if np.allclose(self.lambdas, LAMBDAS):
            return self.values
        return {
            name: over_range(value, self.lambdas) if name.endswith(".table") else value
            for name, value in self.values.items()
        }

    def model(self) -> HyperpriorCodec:
        """Ready to run."""
        model = HyperpriorCodec(self.settings, self.start).eval().requires_grad_(requires_grad=False)
        model.load_state_dict(self.values, strict=False)
        return model

    def save(self, path: Path) -> None:
        """Write an .npz file."""
        arrays = {name: _stored(name, value) for name, value in self.values.items()}
        calibration = {} if self.calibration is None else self.calibration.to_tensors()
        arrays |= {_CALIBRATION + name: value.cpu().numpy() for name, value in calibration.items()}
        starts = {_START + name: np.asarray(value) for name, value in vars(self.start).items()}
        arrays[_LAMBDAS] = np.array(self.lambdas)
        np.savez_compressed(path, step=np.array(self.step), **arrays, **starts)  # type: ignore[arg-type]


def load_weights(path: Path) -> Weights:
    """What an .npz file holds, of networks of the usual sizes.

    Raises:
        FormatError: damaged, or no weights of a hyperprior codec.
    """
    try:
        with path.open("rb") as file, np.load(file) as stored:
            loaded = {name: _loaded(stored[name]) for name in stored.files if name not in ("step", _LAMBDAS)}
            values = {name: value for name, value in loaded.items() if not name.startswith((_START, _CALIBRATION))}
            parts = {
                name.removeprefix(_CALIBRATION): value
                for name, value in loaded.items()
                if name.startswith(_CALIBRATION)
            }
            calibration = Calibration.from_tensors(parts) if parts else None
            start = TransformStart(*(stored[_START + name] for name in ("fine_scale", "latent_scale", "kept")))
            lowest, highest = stored[_LAMBDAS].tolist()
            return Weights(values, start, int(stored["step"]), CodecSettings(), calibration, (lowest, highest))
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise FormatError(f"{path} holds no weights of the photo codec, or it is damaged") from error


def kept_values(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """All but the fixed scales, which follow from what training started from."""
    return {name: value for name, value in values.items() if not name.endswith(".scale")}


def _stored(name: str, value: Tensor) -> NDArray[Any]:
    """Weight matrices in half precision; counts, and what is small or feeds exact integers, as they are."""
    array: NDArray[Any] = value.numpy()
    is_small = array.ndim < 2 or name.endswith(".table")
    return array if array.dtype.kind == "i" or is_small else array.astype(np.float16)


def _loaded(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(array if array.dtype.kind == "i" else array.astype(np.float32))
