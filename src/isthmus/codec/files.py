"""Many picture files to .isth files and back: each one that fails is reported, the rest go on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from isthmus.codec import pipeline
from isthmus.codec.api import find_model
from isthmus.codec.model import DEFAULT_ENGINE, Model
from isthmus.codec.targets import Target
from isthmus.container.announced import check_pixel_limit
from isthmus.container.atomic import exists_already, write_file
from isthmus.errors import InputError, IsthmusError, UsageError
from isthmus.imaging.reading import read_picture
from isthmus.imaging.windows import Window
from isthmus.imaging.writing import held_by, write_picture
from isthmus.metrics.distortion import psnr
from isthmus.transforms.engine import Engine
from isthmus.values import Picture

_FILES_AT_ONCE = 512


@dataclass(frozen=True)
class CompressOptions:
    """How files are compressed.

    Attributes:
        target: quality, size or PSNR.
        fit: convert and resize pictures to what the model takes.
        depth: 8 to reduce deeper pictures.
        frame: which picture of an animation.
        measure_psnr: decode each file and compare.
        force: replace existing files.
    """

    target: Target
    fit: bool = False
    depth: int | None = None
    frame: int | None = None
    measure_psnr: bool = False
    force: bool = False


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
    """One file as `compress --json` prints it; psnr in dB, None where it was not asked for."""

    source: str
    output: str
    width: int
    height: int
    bytes: int
    bpp: float
    psnr: float | None
    seconds: float


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

    source: Path
    result: Compressed | None = None
    error: IsthmusError | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DecompressOutcome:
    """What became of one .isth file: a result or an error, and notes: what the output's format cannot hold."""

    source: Path
    result: Decompressed | None = None
    error: IsthmusError | None = None
    notes: tuple[str, ...] = ()


def compress_files(
    pairs: Sequence[tuple[Path, Path]], model: Model, options: CompressOptions
) -> Iterator[CompressOutcome]:
    """Compress each (source, target); small pictures go through the graphs in batches.

    Yields:
        One outcome per pair, in order within those that could be read.
    """
    waiting: list[tuple[Path, Path, Picture]] = []
    values = 0
    for source, target in pairs:
        try:
            if target.exists() and not options.force:
                raise exists_already(target)
            picture = read_for_model(source, model, fit=options.fit, depth=options.depth, frame=options.frame)
        except IsthmusError as error:
            yield CompressOutcome(source, error=error)
            continue
        waiting.append((source, target, picture))
        values += picture.pixels.size
        if values >= pipeline.BATCH_VALUES or len(waiting) >= _FILES_AT_ONCE:
            yield from _compress_batch(waiting, model, options)
            waiting, values = [], 0
    yield from _compress_batch(waiting, model, options)


def decompress_files(
    pairs: Sequence[tuple[Path, Path]], model: Model | None, options: DecompressOptions
) -> Iterator[DecompressOutcome]:
    """Decompress each (source, target), with the given model or the one that each file names."""
    for source, target in pairs:
        start = time.perf_counter()
        try:
            if target.exists() and not options.force:
                raise exists_already(target)
            data = _read(source)
            beside = source.resolve().parent
            coder = model or find_model(pipeline.model_id_of(data), beside=beside, engine=options.engine)
            picture, missing = _decompress(data, coder, options)
            picture = held_by(picture, target.suffix)
            write_file(target, partial(write_picture, picture, target.suffix), force=options.force)
        except IsthmusError as error:
            yield DecompressOutcome(source, error=_named(source, error))
            continue
        seconds = round(time.perf_counter() - start, 6)
        result = Decompressed(str(source), str(target), picture.width, picture.height, seconds, missing)
        yield DecompressOutcome(source, result, notes=picture.conversions)


def _decompress(data: bytes, model: Model, options: DecompressOptions) -> tuple[Picture, tuple[str, ...]]:
    """The picture, or the part of it, that is asked for, and the names of what is missing."""
    if options.salvage:
        return pipeline.salvage(data, model.coder, pixel_limit=options.pixel_limit)
    if options.region is not None:
        return pipeline.decode_region(data, model.coder, options.region, pixel_limit=options.pixel_limit), ()
    return pipeline.decode([data], model.coder, pixel_limit=options.pixel_limit)[0], ()


def read_for_model(
    path: Path, model: Model, *, fit: bool = False, depth: int | None = None, frame: int | None = None
) -> Picture:
    """Read a picture file as the model takes it.

    Raises:
        InputError: it cannot be read.
        ModelMismatchError: the model does not take it and `fit` is false; the message names the file.
    """
    try:
        return pipeline.taken(read_picture(path, depth=depth, frame=frame), model.coder, fit=fit)
    except IsthmusError as error:
        raise _named(path, error) from error


def _compress_batch(
    waiting: Sequence[tuple[Path, Path, Picture]], model: Model, options: CompressOptions
) -> Iterator[CompressOutcome]:
    """Encode pictures that were read, write their files; what cannot be encoded is one outcome, not the batch's end."""
    if not waiting:
        return
    start = time.perf_counter()
    pictures = [picture for _, _, picture in waiting]
    encoded: list[bytes | IsthmusError] = []
    if options.target.is_search:
        for picture in pictures:
            try:
                encoded.append(pipeline.encode_to_target(picture, model.coder, options.target))
            except IsthmusError as error:
                encoded.append(error)
    else:
        quality = options.target.quality or model.file.default_quality
        encoded.extend(pipeline.encode(pictures, model.coder, quality=quality))
    seconds = (time.perf_counter() - start) / len(waiting)
    for (source, target, picture), data in zip(waiting, encoded, strict=True):
        try:
            if isinstance(data, IsthmusError):
                raise data
            write_file(target, data, force=options.force)
            reached = None
            if options.measure_psnr:
                reached = psnr(pipeline.decode([data], model.coder)[0].pixels, picture.pixels)
        except IsthmusError as error:
            yield CompressOutcome(source, error=_named(source, error), notes=picture.conversions)
            continue
        bpp = 8 * len(data) / (picture.width * picture.height)
        result = Compressed(
            str(source), str(target), picture.width, picture.height, len(data), bpp, reached, round(seconds, 6)
        )
        yield CompressOutcome(source, result, notes=(*picture.conversions, *_if_larger(source, data)))


def _if_larger(source: Path, data: bytes) -> tuple[str, ...]:
    """A line for a picture whose own file is smaller, as those of drawings and screenshots often are."""
    size = source.stat().st_size if source.is_file() else 0
    return (f"its own file is smaller, {size} bytes",) if 0 < size < len(data) else ()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _named(source: Path, error: IsthmusError) -> IsthmusError:
    """The error with the file's name in front, where it does not name it yet."""
    if str(source) not in str(error):
        error.args = (f"{source}: {error}", *error.args[1:])
    return error
