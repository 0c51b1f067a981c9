"""Picture files to .isth files: each one that fails is reported, the rest go on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from isthmus.codec import pipeline
from isthmus.codec.choosing import encode_wished, wish_is_exact
from isthmus.codec.codings import score
from isthmus.codec.files import FAILURES, explained, in_processes, read_for_model
from isthmus.codec.model import Model
from isthmus.codec.photo_denoiser import PhotoDenoiser
from isthmus.codec.photo_denoising import denoise_picture
from isthmus.codec.targets import AUTO, Target, Wish
from isthmus.container.image_header import read_header
from isthmus.errors import IsthmusError
from isthmus.imaging.stripping import check_strip, stripped
from isthmus.sources.outputs import Job
from isthmus.sources.source import Source
from isthmus.values import Picture

_FILES_AT_ONCE = 512


@dataclass(frozen=True)
class CompressOptions:
    """How files are compressed.

    Attributes:
        target: quality, size or PSNR.
        coding: one of `targets.CODINGS`.
        exact: keep the colours of fully transparent pixels.
        fit: convert and resize pictures to what the model takes.
        depth: 8 to reduce deeper pictures.
        frame: which picture of an animation.
        measure_psnr: decode each file and compare.
        strip: what is left out of the metadata, one of `stripping.WHAT`; None keeps all.
        preserve_dates: files get the times of their sources.
        denoiser: removes each picture's noise first; the picture without it is what is coded and compared.
        force: replace existing files.
    """

    target: Target
    coding: str = AUTO
    exact: bool = False
    fit: bool = False
    depth: int | None = None
    frame: int | None = None
    measure_psnr: bool = False
    strip: str | None = None
    preserve_dates: bool = False
    denoiser: PhotoDenoiser | None = None
    force: bool = False

    def __post_init__(self) -> None:
        check_strip(self.strip)

    @property
    def wish(self) -> Wish:
        """What is asked of each file."""
        return Wish(self.target, self.coding, self.exact)


@dataclass(frozen=True)
class Compressed:
    """One file as `compress --json` prints it; psnr in dB, None where it was not asked for.

    `source_bytes` are those of the picture's own file, or of its pixels where it has none.
    `coding` is "learned", or the format of another maker, "webp" (exact) or "avif". `noisy_bytes` are those of the file
    that the picture would have become with its noise; None where none was removed.
    """

    source: str
    output: str
    width: int
    height: int
    source_bytes: int
    bytes: int
    bpp: float
    psnr: float | None
    seconds: float
    coding: str = "learned"
    noisy_bytes: int | None = None


@dataclass(frozen=True)
class CompressOutcome:
    """What became of one picture: a result or an error, and notes: what was converted, and whether its file grew."""

    source: Source
    result: Compressed | None = None
    error: IsthmusError | None = None
    notes: tuple[str, ...] = ()


def compress_files(
    jobs: Sequence[Job], model: Model, options: CompressOptions, *, processes: int = 1
) -> Iterator[CompressOutcome]:
    """Compress each source to its target; small pictures go through the graphs in batches.

    Args:
        jobs: pictures, and where the results go.
        model: that the learned coding has.
        options: for all of them.
        processes: that share the work; each loads the model with its own threads.

    Yields:
        One outcome per job, in order within those that could be read.
    """
    if processes > 1 and len(jobs) > 1:
        yield from in_processes(_compress, jobs, (model, options), processes=processes)
        return
    waiting: list[_Waiting] = []
    values = 0
    for job in jobs:
        try:
            job.check_free(force=options.force)
            picture, noisy_bytes = _read(job.source, model, options)
        except FAILURES as error:
            yield CompressOutcome(job.source, error=explained(error, job))
            continue
        waiting.append(_Waiting(job, picture, noisy_bytes))
        values += picture.pixels.size
        if values >= pipeline.BATCH_VALUES or len(waiting) >= _FILES_AT_ONCE:
            yield from _compress_batch(waiting, model, options)
            waiting, values = [], 0
    yield from _compress_batch(waiting, model, options)


def _compress(jobs: Sequence[Job], settings: tuple[Model, CompressOptions]) -> list[CompressOutcome]:
    """In another process."""
    return list(compress_files(jobs, *settings))


class _Waiting(NamedTuple):
    """A picture that was read, and the bytes that it takes with its noise where that is removed."""

    job: Job
    picture: Picture
    noisy_bytes: int | None


def _read(source: Source, model: Model, options: CompressOptions) -> tuple[Picture, int | None]:
    if wish_is_exact(options.wish):
        picture = source.read(depth=options.depth, frame=options.frame)
    else:
        picture = read_for_model(source, model, fit=options.fit, depth=options.depth, frame=options.frame)
    picture = stripped(picture, options.strip)
    if options.denoiser is None:
        return picture, None
    noisy_bytes = len(encode_wished([picture], model.coder, options.wish)[0])
    return denoise_picture(picture, options.denoiser)[0], noisy_bytes


def _compress_batch(waiting: Sequence[_Waiting], model: Model, options: CompressOptions) -> Iterator[CompressOutcome]:
    """Encode pictures that were read, write their files; what cannot be encoded is one outcome, not the batch's end."""
    if not waiting:
        return
    start = time.perf_counter()
    encoded = _encode_all([one.picture for one in waiting], model, options.wish)
    seconds = (time.perf_counter() - start) / len(waiting)
    for (job, picture, noisy_bytes), data in zip(waiting, encoded, strict=True):
        source = job.source
        try:
            if isinstance(data, Exception):
                raise data
            job.write(data, force=options.force, preserve_dates=options.preserve_dates)
            reached = None
            if options.measure_psnr:
                reached = score(picture, pipeline.decode([data], model.coder)[0], "psnr")
        except FAILURES as error:
            yield CompressOutcome(source, error=explained(error, job), notes=picture.conversions)
            continue
        bpp = 8 * len(data) / (picture.width * picture.height)
        result = Compressed(
            source=str(source),
            output=job.output,
            width=picture.width,
            height=picture.height,
            source_bytes=source.size(),
            bytes=len(data),
            bpp=bpp,
            psnr=reached,
            seconds=round(seconds, 6),
            coding=read_header(data).format or "learned",
            noisy_bytes=noisy_bytes,
        )
        yield CompressOutcome(source, result, notes=(*picture.conversions, *_if_larger(source, data)))


def _encode_all(pictures: Sequence[Picture], model: Model, wish: Wish) -> list[bytes | Exception]:
    """The bytes of each picture, or why it has none: one that fails does not take its batch with it."""
    if not wish.target.is_search:
        try:
            return list(encode_wished(pictures, model.coder, wish))
        except (IsthmusError, MemoryError) as error:
            if len(pictures) == 1:
                return [error]
    encoded: list[bytes | Exception] = []
    for picture in pictures:
        try:
            encoded += encode_wished([picture], model.coder, wish)
        except (IsthmusError, MemoryError) as error:
            encoded.append(error)
    return encoded


def _if_larger(source: Source, data: bytes) -> tuple[str, ...]:
    """A line for a picture whose own file is smaller, as those of drawings and screenshots often are."""
    size = source.size() if source.pixels is None else 0
    return ("its own file is smaller",) if 0 < size < len(data) else ()
