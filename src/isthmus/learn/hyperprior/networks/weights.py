"""Averaged weights of the photo codec in half precision, small enough to be kept in the repository.

    python -m isthmus.learn.hyperprior.networks.weights CHECKPOINT.pt WEIGHTS.npz
    python -m isthmus.learn.hyperprior.networks.weights NEWER.npz WEIGHTS.npz --mix OLDER.npz 0.3 --data PHOTOS

The second mixes weights of one training's different times, which lie in one valley and can be better in its middle
(Izmailov et al. 2018, arXiv 1803.05407; Wortsman et al. 2022, arXiv 2203.05482), and observes the mixture on pictures.
"""

import argparse
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.errors import FormatError, InputError
from isthmus.learn.hyperprior.calibration.calibrate import calibrate
from isthmus.learn.hyperprior.dataset.crops import Crops
from isthmus.learn.hyperprior.networks.codec import CodecSettings, HyperpriorCodec
from isthmus.learn.hyperprior.networks.transforms import TransformStart
from isthmus.learn.hyperprior.training.checkpoint import read_checkpoint

_START = "start."
_OBSERVED = ".ranges"


@dataclass(frozen=True)
class Weights:
    """What training has come to.

    Attributes:
        values: for `load_state_dict(strict=False)`: all but the buffers of scales, which follow from the start.
        start: what training started from.
        step: steps trained.
        settings: sizes of the networks.
    """

    values: dict[str, Tensor]
    start: TransformStart
    step: int
    settings: CodecSettings

    def model(self) -> HyperpriorCodec:
        """Ready to run."""
        model = HyperpriorCodec(self.settings, self.start).eval().requires_grad_(requires_grad=False)
        model.load_state_dict(self.values, strict=False)
        return model

    def mixed(self, other: "Weights", share: float) -> "Weights":
        """With a share of another's weights in them; what was observed, such as counts, stays, but no rounding."""
        values = {
            name: value.lerp(other.values[name], share)
            if value.is_floating_point() and not name.endswith(_OBSERVED)
            else value
            for name, value in self.values.items()
            if ".int8_" not in name
        }
        return replace(self, values=values)

    def save(self, path: Path) -> None:
        """Write an .npz file."""
        arrays = {name: _stored(name, value) for name, value in self.values.items()}
        starts = {_START + name: np.asarray(value) for name, value in vars(self.start).items()}
        np.savez_compressed(path, step=np.array(self.step), **arrays, **starts)  # type: ignore[arg-type]


def load_weights(path: Path) -> Weights:
    """The average of a checkpoint; or of an .npz file, whose networks have the usual sizes.

    Raises:
        InputError: no such file.
        FormatError: damaged, or none of the photo codec's.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist")
    if path.suffix != ".npz":
        saved = read_checkpoint(path)
        return Weights(_kept(saved["average"]), TransformStart(**saved["start"]), saved["step"], saved["settings"])
    try:
        with path.open("rb") as file, np.load(file) as stored:
            names = [name for name in stored.files if not name.startswith(_START) and name != "step"]
            values = {name: _loaded(stored[name]) for name in names}
            start = TransformStart(*(stored[_START + name] for name in ("fine_scale", "latent_scale", "kept")))
            return Weights(values, start, int(stored["step"]), CodecSettings())
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise FormatError(f"{path} holds no weights of the photo codec, or it is damaged") from error


def _kept(values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in values.items() if not name.endswith(".scale")}


def _stored(name: str, value: Tensor) -> NDArray[Any]:
    """Weight matrices in half precision; counts, and what is small or feeds exact integers, as they are."""
    array: NDArray[Any] = value.numpy()
    is_small = array.ndim < 2 or name.endswith(".table")
    return array if array.dtype.kind == "i" or is_small else array.astype(np.float16)


def _loaded(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(array if array.dtype.kind == "i" else array.astype(np.float32))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("trained", type=Path, help="a checkpoint, or weights")
    parser.add_argument("weights", type=Path, help="to write")
    parser.add_argument("--mix", nargs=2, metavar=("WEIGHTS", "SHARE"), action="append", default=[])
    parser.add_argument("--data", type=Path, help="the training's pictures, to calibrate anew on them")
    options = parser.parse_args()
    weights = load_weights(options.trained)
    for other, share in options.mix:
        weights = weights.mixed(load_weights(Path(other)), float(share))
    if options.data is not None:
        model = weights.model()
        calibrate(model, Crops(options.data))
        weights = replace(weights, values=_kept(model.state_dict()))
    weights.save(options.weights)


if __name__ == "__main__":
    main()
