""".isth files to picture files: each one that fails is reported, the rest go on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from isthmus.codec import pipeline
from isthmus.codec.api import coder_for
from isthmus.codec.coder import Coder
from isthmus.codec.files import FAILURES, explained, in_processes
from isthmus.codec.model import DEFAULT_ENGINE, Model
from isthmus.container.announced import check_pixel_limit
from isthmus.errors import InputError, IsthmusError, UsageError
from isthmus.imaging.windows import Window
from isthmus.imaging.writing import held_by, write_picture
from isthmus.sources.outputs import Job
from isthmus.sources.source import Source
from isthmus.transforms.engine import Engine
from isthmus.values import Picture


@dataclass(frozen=True)
class DecompressOptions:
    """How files are decompressed.

    Attributes:
        region: the part of each picture that is wanted; None is all of it.
        salvage: write what is whole of a damaged file.
        engine: of models that are found by id.
        pixel_limit: the most pixels of a picture; None for as many as its file can hold.
        output_quality: of lossy outputs; see `imaging.writing.write_picture`.
        preserve_dates: files get the times of their sources.
        force: replace existing files.
    """

    region: Window | None = None
    salvage: bool = False
    engine: Engine = DEFAULT_ENGINE
    pixel_limit: int | None = None
    output_quality: int | None = None
    preserve_dates: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        if self.pixel_limit is not None:
            check_pixel_limit(self.pixel_limit)
        if self.salvage and self.region is not None:
            raise UsageError("--salvage takes whole pictures: leave out --region")


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
class DecompressOutcome:
    """What became of one .isth file: a result or an error, and notes: what its format lacks, what was lost."""

    source: Source
    result: Decompressed | None = None
    error: IsthmusError | None = None
    notes: tuple[str, ...] = ()


def decompress_files(
    jobs: Sequence[Job], model: Model | None, options: DecompressOptions, *, processes: int = 1
) -> Iterator[DecompressOutcome]:
    """Decompress each source to its target, with the given model or the one that each file names.

    Args:
        jobs: files, and where the results go.
        model: that wrote all of them, or None.
        options: for all of them.
        processes: that share the work; each loads its models with its own threads.
    """
    if processes > 1 and len(jobs) > 1:
        yield from in_processes(_decompress_some, jobs, (model, options), processes=processes)
        return
    for job in jobs:
        source, target = job.source, job.target
        start = time.perf_counter()
        try:
            job.check_free(force=options.force)
            data = _read(source)
            beside = source.path.resolve().parent if source.path is not None else None
            coder = coder_for(data, model, beside=beside, engine=options.engine)
            picture, missing = _decompress(data, coder, options)
            picture = held_by(picture, target.suffix)
            write = partial(write_picture, picture, target.suffix, quality=options.output_quality)
            job.write(write, force=options.force, preserve_dates=options.preserve_dates)
        except FAILURES as error:
            yield DecompressOutcome(source, error=explained(error, job))
            continue
        seconds = round(time.perf_counter() - start, 6)
        result = Decompressed(str(source), job.output, picture.width, picture.height, seconds, missing)
        lost = (f"missing and left blank: {', '.join(missing)}",) if missing else ()
        yield DecompressOutcome(source, result, notes=(*picture.conversions, *lost))


def _decompress_some(jobs: Sequence[Job], settings: tuple[Model | None, DecompressOptions]) -> list[DecompressOutcome]:
    """In another process."""
    return list(decompress_files(jobs, *settings))


def _decompress(data: bytes, coder: Coder | None, options: DecompressOptions) -> tuple[Picture, tuple[str, ...]]:
    """The picture, or the part of it, that is asked for, and the names of what is missing."""
    if options.salvage:
        return pipeline.salvage(data, coder, pixel_limit=options.pixel_limit)
    if options.region is not None:
        return pipeline.decode_region(data, coder, options.region, pixel_limit=options.pixel_limit), ()
    return pipeline.decode([data], coder, pixel_limit=options.pixel_limit)[0], ()


def _read(source: Source) -> bytes:
    if source.path is None:
        return source.data or b""
    try:
        return source.path.read_bytes()
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}") from error
