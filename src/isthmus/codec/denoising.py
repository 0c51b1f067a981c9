"""Picture file -> a denoising model, codes not quantised -> picture file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from isthmus.codec import pipeline
from isthmus.codec.files import FAILURES, explained, read_for_model
from isthmus.codec.model import Model
from isthmus.container.atomic import write_file
from isthmus.errors import IsthmusError, ModelMismatchError, UsageError
from isthmus.imaging.fitting import crop
from isthmus.imaging.noise import NoiseSettings, disturbed
from isthmus.imaging.writing import held_by, to_file_bytes
from isthmus.metrics.distortion import psnr
from isthmus.sources.outputs import Job
from isthmus.sources.source import Source
from isthmus.values import Picture


@dataclass(frozen=True)
class Denoised:
    """What was made of one picture.

    Attributes:
        source: its name.
        output: the file.
        noise_level: that a denoiser of photographs found, in grey levels.
        strength: that it was told, 0 to 100.
        noisy: the file of the disturbed picture, where noise was added.
        noisy_psnr: of it, in dB, to the source.
        psnr: of the output, likewise.
    """

    source: str
    output: str
    noise_level: float | None = None
    strength: float | None = None
    noisy: str | None = None
    noisy_psnr: float | None = None
    psnr: float | None = None


@dataclass(frozen=True)
class DenoiseOutcome:
    """What became of one picture: a result or an error, and notes: what was converted."""

    source: Source
    result: Denoised | None = None
    error: IsthmusError | None = None
    notes: tuple[str, ...] = ()


def has_noise(model: Model) -> bool:
    """Whether a model learnt to remove noise."""
    return noise_of(model).kind != "none"


def noise_of(model: Model) -> NoiseSettings:
    """The noise that a model learnt to remove; of the kind "none" where it learnt to give back what it sees."""
    noise = model.file.recipe.get("noise")
    known = {key: noise[key] for key in ("kind", "amount") if key in noise} if isinstance(noise, dict) else {}
    try:
        return NoiseSettings(**known)
    except (UsageError, TypeError):  # a later release's kind, or no noise at all: facts are for people
        return NoiseSettings()


def check_denoises(model: Model) -> None:
    """Refuse a model that learnt to give back what it sees.

    Raises:
        ModelMismatchError: its recipe has no noise.
    """
    if not has_noise(model):
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
    jobs: Sequence[Job],
    model: Model,
    *,
    fit: bool = False,
    with_noise: bool = False,
    force: bool = False,
) -> Iterator[DenoiseOutcome]:
    """Denoise each source to its target; one that fails is reported and the rest go on.

    Args:
        jobs: pictures, and where the results go.
        model: a denoising one.
        fit: convert and resize pictures to what the model takes.
        with_noise: sources are clean: add the noise that the model learnt to remove, and keep the noisy picture too.
        force: replace existing files.

    Raises:
        ModelMismatchError: the model does not denoise.
    """
    check_denoises(model)
    for place, job in enumerate(jobs):
        source, target = job.source, job.target
        try:
            if with_noise:
                yield _from_clean(job, model, seed=place, fit=fit, force=force)
                continue
            job.check_free(force=force)
            picture = held_by(denoise(read_for_model(source, model, fit=fit), model), target.suffix)
            write_file(target, to_file_bytes(picture, target.suffix), force=force)
        except FAILURES as error:
            yield DenoiseOutcome(source, error=explained(error, job))
        else:
            yield DenoiseOutcome(source, Denoised(str(source), str(target)), notes=picture.conversions)


def _from_clean(job: Job, model: Model, *, seed: int, fit: bool, force: bool) -> DenoiseOutcome:
    """One picture with noise added and removed: both files, and how far each is from the clean one."""
    source, target = job.source, job.target
    noisy_target = target.with_name(f"{target.stem}.noisy{target.suffix}")
    for path in (target, noisy_target):
        Job(source, path).check_free(force=force)
    clean = read_for_model(source, model, fit=fit)
    noisy = disturbed(clean, noise_of(model), seed=seed)
    cleaned = denoise(noisy, model)
    for path, picture in ((noisy_target, noisy), (target, cleaned)):
        write_file(path, to_file_bytes(held_by(picture, path.suffix), path.suffix), force=force)
    result = Denoised(
        str(source), str(target), noisy=str(noisy_target), noisy_psnr=psnr(noisy.pixels, clean.pixels),
        psnr=psnr(cleaned.pixels, clean.pixels),
    )  # fmt: skip
    return DenoiseOutcome(source, result, notes=cleaned.conversions)
