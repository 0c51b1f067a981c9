"""Picture file -> a denoising model, codes not quantised -> picture file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from isthmus.codec import pipeline
from isthmus.codec.files import read_for_model
from isthmus.codec.model import Model
from isthmus.container.atomic import exists_already, write_file
from isthmus.errors import IsthmusError, ModelMismatchError
from isthmus.imaging.fitting import crop
from isthmus.imaging.writing import held_by, to_file_bytes
from isthmus.values import Picture


@dataclass(frozen=True)
class Denoised:
    """What became of one picture: its error is None where `output` was written; notes say what was converted."""

    source: Path
    output: Path
    error: IsthmusError | None = None
    notes: tuple[str, ...] = ()


def check_denoises(model: Model) -> None:
    """Refuse a model that learnt to give back what it sees.

    Raises:
        ModelMismatchError: its recipe has no noise.
    """
    noise = model.file.recipe.get("noise")
    if not isinstance(noise, dict) or noise.get("kind", "none") == "none":
        raise ModelMismatchError(
            f"the model {model.name} was not trained to remove noise: train one with the recipe digits-denoise, "
            "or any recipe with --set noise.kind=gaussian"
        )


def denoise(picture: Picture, model: Model) -> Picture:
    """The picture without its noise; alpha and metadata stay.

    Raises:
        ModelMismatchError: the model does not take this picture.
    """
    values = model.pictures_of(pipeline.latents_of([picture], model.factorised_coder))[0]
    pixels = crop(np.rint(values * np.float32(255)).astype(np.uint8), picture.height, picture.width)
    return replace(picture, pixels=np.ascontiguousarray(pixels))


def denoise_files(
    pairs: Sequence[tuple[Path, Path]], model: Model, *, fit: bool = False, force: bool = False
) -> Iterator[Denoised]:
    """Denoise each (source, target); one that fails is reported and the rest go on.

    Raises:
        ModelMismatchError: the model does not denoise.
    """
    check_denoises(model)
    for source, target in pairs:
        try:
            if target.exists() and not force:
                raise exists_already(target)
            picture = held_by(denoise(read_for_model(source, model, fit=fit), model), target.suffix)
            write_file(target, to_file_bytes(picture, target.suffix), force=force)
        except IsthmusError as error:
            yield Denoised(source, target, error)
        else:
            yield Denoised(source, target, notes=picture.conversions)
