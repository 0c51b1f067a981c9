"""Picture files -> the denoiser for photographs -> picture files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

from isthmus.codec.denoising import Denoised, DenoiseOutcome
from isthmus.codec.files import FAILURES, explained
from isthmus.codec.model import Model
from isthmus.codec.photo_denoiser import DEFAULT_STRENGTH, KIND, PhotoDenoiser
from isthmus.errors import UsageError
from isthmus.imaging.writing import FORMATS, held_by, write_picture
from isthmus.sources.outputs import Job
from isthmus.transforms.engine import Engine
from isthmus.values import Picture
from isthmus.zoo import finding

DEFAULT_MODEL = "denoise"

Adapt = Callable[[PhotoDenoiser, Picture], PhotoDenoiser]
"""Makes a denoiser for one picture of the usual one."""


@dataclass(frozen=True)
class DenoiseOptions:
    """How photographs are denoised.

    Attributes:
        strength: 0 to 100; 50 removes what is estimated.
        depth: 8 to reduce deeper pictures.
        frame: which picture of an animation.
        adapt: makes a denoiser for each picture; None takes the same for all.
        force: replace existing files.
    """

    strength: float = DEFAULT_STRENGTH
    depth: int | None = None
    frame: int | None = None
    adapt: Adapt | None = None
    force: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 100:
            raise UsageError(f"a strength is from 0 to 100, not {self.strength}")


def load_denoiser(name: str | Path, *, threads: int = 0, engine: str = "onnxruntime") -> PhotoDenoiser | Model:
    """A model by path, or by the name of a shipped or installed one: a denoiser of photographs, or an autoencoder.

    Raises:
        ModelNotFoundError: no such model.
        FormatError: the file is damaged.
        UsageError: no such engine.
    """
    file, runs = finding.read_model(finding.find_by_name(name)), Engine(engine, threads)
    return PhotoDenoiser(file, runs) if file.kind == KIND else Model(file, runs)


def load_photo_denoiser(name: str | Path, *, threads: int = 0, engine: str = "onnxruntime") -> PhotoDenoiser:
    """See `load_denoiser`.

    Raises:
        ModelMismatchError: the model is no denoiser of photographs.
    """
    return PhotoDenoiser(finding.read_model(finding.find_by_name(name)), Engine(engine, threads))


def denoise_picture(
    picture: Picture, denoiser: PhotoDenoiser, *, strength: float = DEFAULT_STRENGTH, in_place: bool = False
) -> tuple[Picture, float]:
    """The picture without its noise, and the noise level that was found; alpha and metadata stay.

    Args:
        picture: RGB or grey.
        denoiser: the model.
        strength: see `PhotoDenoiser.denoise`.
        in_place: the picture's own pixels may be changed, so that no second picture needs memory.

    Raises:
        UsageError: no such strength.
        FormatError: the model gives no finite numbers.
    """
    pixels = picture.pixels if in_place and picture.pixels.flags.writeable else picture.pixels.copy()
    level = denoiser.denoise_in_place(pixels, strength=strength)
    return replace(picture, pixels=pixels), level


def denoise_photos(jobs: Sequence[Job], denoiser: PhotoDenoiser, options: DenoiseOptions) -> Iterator[DenoiseOutcome]:
    """Denoise each source to its target; one that fails is reported and the rest go on."""
    for job in jobs:
        source, target = job.source, job.target
        try:
            job.check_free(force=options.force)
            noisy = source.read(depth=options.depth, frame=options.frame)
            own = denoiser if options.adapt is None else options.adapt(denoiser, noisy)
            clean, level = denoise_picture(noisy, own, strength=options.strength, in_place=source.pixels is None)
            del noisy
            picture = held_by(clean, target.suffix)
            del clean
            job.write(partial(write_picture, picture, target.suffix), force=options.force)
        except FAILURES as error:
            yield DenoiseOutcome(source, error=explained(error, job))
        else:
            result = Denoised(str(source), str(target), level, options.strength)
            yield DenoiseOutcome(source, result, notes=picture.conversions)


def kept_suffix(name: str) -> str:
    """The suffix of a result in the format of its source, where pictures are written in it; else ".png"."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if suffix in FORMATS else ".png"
