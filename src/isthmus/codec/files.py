"""Many picture files to .isth files and back: each one that fails is reported, the rest go on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from isthmus.codec import pipeline
from isthmus.codec.api import coder_for
from isthmus.codec.choosing import encode_wished, wish_is_exact
from isthmus.codec.coder import Coder
from isthmus.codec.codings import score
from isthmus.codec.model import DEFAULT_ENGINE, Model
from isthmus.codec.targets import AUTO, Target, Wish
from isthmus.container.announced import check_pixel_limit
from isthmus.container.atomic import cannot_write, exists_already, write_file
from isthmus.container.image_file import read_header
from isthmus.errors import InputError, IsthmusError, UsageError
from isthmus.imaging.windows import Window
from isthmus.imaging.writing import held_by, write_picture
from isthmus.sources.outputs import Job
from isthmus.sources.source import Source
from isthmus.transforms.engine import Engine
from isthmus.values import Picture

_FILES_AT_ONCE = 512
FAILURES = (IsthmusError, OSError, MemoryError)
"""What one picture may end in while the others go on."""


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
        force: replace existing files.
    """

    target: Target
    coding: str = AUTO
    exact: bool = False
    fit: bool = False
    depth: int | None = None
    frame: int | None = None
    measure_psnr: bool = False
    force: bool = False

    @property
    def wish(self) -> Wish:
        """What is asked of each file."""
        return Wish(self.target, self.coding, self.exact)


@dataclass(frozen=True)
class DecompressOptions:
    """How files are decompressed.

    Attributes:
        region: the part of each picture that is wanted; None is all of it.
        salvage: write what is whole of a damaged file.
        engine: of models that are found by id.
        pixel_limit: the most pixels of a picture; None for as many as its file can hold.
        force: replace existing files.
    """

    region: Window | None = None
    salvage: bool = False
    engine: Engine = DEFAULT_ENGINE
    pixel_limit: int | None = None
    force: bool = False

    def __post_init__(self) -> None:
        if self.pixel_limit is not None:
            check_pixel_limit(self.pixel_limit)
        if self.salvage and self.region is not None:
            raise UsageError("--salvage takes whole pictures: leave out --region")


@dataclass(frozen=True)
class Compressed:
    """One file as `compress --json` prints it; psnr in dB, None where it was not asked for.

    `source_bytes` are those of the picture's own file, or of its pixels where it has none.
    `coding` is "learned", or the format of another maker, "webp" (exact) or "avif".
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


@dataclass(frozen=True)
class Decompressed:
    """One file as `decompress --json` prints it; `missing` names what could not be salvaged."""

    source: str
    output: str
    width: int
    height: int
    seconds: float
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class CompressOutcome:
    """What became of one picture: a result or an error, and notes: what was converted, and whether its file grew."""

    source: Source
    result: Compressed | None = None
    error: IsthmusError | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DecompressOutcome:
    """What became of one .isth file: a result or an error, and notes: what the output's format cannot hold."""

    source: Source
    result: Decompressed | None = None
    error: IsthmusError | None = None
    notes: tuple[str, ...] = ()


def compress_files(jobs: Sequence[Job], model: Model, options: CompressOptions) -> Iterator[CompressOutcome]:
    """Compress each source to its target; small pictures go through the graphs in batches.

    Yields:
        One outcome per job, in order within those that could be read.
    """
    waiting: list[tuple[Job, Picture]] = []
    values = 0
    for job in jobs:
        try:
            if job.target.exists() and not options.force:
                raise exists_already(job.target)
            if wish_is_exact(options.wish):
                picture = job.source.read(depth=options.depth, frame=options.frame)
            else:
                picture = read_for_model(job.source, model, fit=options.fit, depth=options.depth, frame=options.frame)
        except FAILURES as error:
            yield CompressOutcome(job.source, error=explained(error, job))
            continue
        waiting.append((job, picture))
        values += picture.pixels.size
        if values >= pipeline.BATCH_VALUES or len(waiting) >= _FILES_AT_ONCE:
            yield from _compress_batch(waiting, model, options)
            waiting, values = [], 0
    yield from _compress_batch(waiting, model, options)


def decompress_files(
    jobs: Sequence[Job], model: Model | None, options: DecompressOptions
) -> Iterator[DecompressOutcome]:
    """Decompress each source to its target, with the given model or the one that each file names."""
    for job in jobs:
        source, target = job.source, job.target
        start = time.perf_counter()
        try:
            if target.exists() and not options.force:
                raise exists_already(target)
            data = _read(source)
            beside = source.path.resolve().parent if source.path is not None else None
            coder = coder_for(data, model, beside=beside, engine=options.engine)
            picture, missing = _decompress(data, coder, options)
            picture = held_by(picture, target.suffix)
            write_file(target, partial(write_picture, picture, target.suffix), force=options.force)
        except FAILURES as error:
            yield DecompressOutcome(source, error=explained(error, job))
            continue
        seconds = round(time.perf_counter() - start, 6)
        result = Decompressed(str(source), str(target), picture.width, picture.height, seconds, missing)
        yield DecompressOutcome(source, result, notes=picture.conversions)


def _decompress(data: bytes, coder: Coder | None, options: DecompressOptions) -> tuple[Picture, tuple[str, ...]]:
    """The picture, or the part of it, that is asked for, and the names of what is missing."""
    if options.salvage:
        return pipeline.salvage(data, coder, pixel_limit=options.pixel_limit)
    if options.region is not None:
        return pipeline.decode_region(data, coder, options.region, pixel_limit=options.pixel_limit), ()
    return pipeline.decode([data], coder, pixel_limit=options.pixel_limit)[0], ()


def read_for_model(
    source: Source, model: Model, *, fit: bool = False, depth: int | None = None, frame: int | None = None
) -> Picture:
    """Read a picture as the model takes it.

    Raises:
        InputError: it cannot be read.
        ModelMismatchError: the model does not take it and `fit` is false; the message names the file.
    """
    try:
        return pipeline.taken(source.read(depth=depth, frame=frame), model.coder, fit=fit)
    except IsthmusError as error:
        raise _named(source, error) from error


def _compress_batch(
    waiting: Sequence[tuple[Job, Picture]], model: Model, options: CompressOptions
) -> Iterator[CompressOutcome]:
    """Encode pictures that were read, write their files; what cannot be encoded is one outcome, not the batch's end."""
    if not waiting:
        return
    start = time.perf_counter()
    encoded = _encode_all([picture for _, picture in waiting], model, options.wish)
    seconds = (time.perf_counter() - start) / len(waiting)
    for (job, picture), data in zip(waiting, encoded, strict=True):
        source, target = job.source, job.target
        try:
            if isinstance(data, Exception):
                raise data
            write_file(target, data, force=options.force)
            reached = None
            if options.measure_psnr:
                reached = score(picture, pipeline.decode([data], model.coder)[0].pixels, "psnr")
        except FAILURES as error:
            yield CompressOutcome(source, error=explained(error, job), notes=picture.conversions)
            continue
        bpp = 8 * len(data) / (picture.width * picture.height)
        result = Compressed(
            source=str(source),
            output=str(target),
            width=picture.width,
            height=picture.height,
            source_bytes=source.size(),
            bytes=len(data),
            bpp=bpp,
            psnr=reached,
            seconds=round(seconds, 6),
            coding=read_header(data).format or "learned",
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


def _read(source: Source) -> bytes:
    if source.path is None:
        return source.data or b""
    try:
        return source.path.read_bytes()
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}") from error


def explained(error: Exception, job: Job) -> IsthmusError:
    """One of `FAILURES` as an error of ours that names the source."""
    if isinstance(error, IsthmusError):
        return _named(job.source, error)
    if isinstance(error, OSError):
        return cannot_write(job.target, error)
    return InputError(f"{job.source} does not fit into memory")


def _named(source: Source, error: IsthmusError) -> IsthmusError:
    """The error with the file's name in front, where it does not name it yet."""
    if str(source) not in str(error):
        error.args = (f"{source}: {error}", *error.args[1:])
    return error
