"""Many pictures to one pack, chunk by chunk: pictures -> forms and payloads -> blocks of NAME.part -> NAME."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.codec import pipeline
from isthmus.codec.choosing import is_always_learned, is_learned_at_once
from isthmus.codec.coder import Coder, whole_quality
from isthmus.codec.codings import Codings
from isthmus.codec.model import DEFAULT_ENGINE, Model
from isthmus.codec.targets import AUTO, Target, Wish
from isthmus.codec.workers import in_order
from isthmus.container.model_file import ModelFile, write_model
from isthmus.container.pack_file import MODEL, PackHeader
from isthmus.container.pack_writer import PackWriter
from isthmus.errors import InputError, IsthmusError, UsageError
from isthmus.imaging.fitting import encode_alpha
from isthmus.packs.stored_pictures import Stored, count_codings, store, store_learned
from isthmus.sources.source import Source, Sources
from isthmus.transforms.engine import Engine
from isthmus.values import Picture

CHUNK = 512
"""Pictures that are read and coded together. The same everywhere, so that every way of packing gives the same bytes."""
CHUNK_BYTES = 1 << 26
"""A chunk of files ends with the one that reaches this."""
BATCH_BYTES = 1 << 27
"""Pixels that are in memory together, but for one picture that alone is more."""
FULLY_OPAQUE = 255
_worker: dict[str, Any] = {}


@dataclass(frozen=True)
class Packed:
    """One picture, coded: what a pack holds of it, the bytes that its source took, and what reading it changed."""

    name: str
    stored: Stored
    size: tuple[int, int]
    label: int | None
    source_bytes: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rejected:
    """One picture that is not in the pack, and why."""

    name: str
    reason: str


OnPicture = Callable[[Packed | Rejected], None]
"""Called with each picture when it is done with."""


@dataclass(frozen=True)
class PackOptions:
    """How pictures are packed.

    Attributes:
        quality: 1 to 100.
        fit: convert and resize pictures to what the model takes.
        depth: 8 to reduce deeper pictures.
        frame: which picture of animations.
        embed: put the model into the pack, so that it opens where the model is not.
        coding: one of `targets.CODINGS`; "auto" takes what suits each picture.
    """

    quality: float
    fit: bool = False
    depth: int | None = None
    frame: int | None = None
    embed: bool = False
    coding: str = AUTO

    def __post_init__(self) -> None:
        _ = self.wish  # which checks them

    @property
    def wish(self) -> Wish:
        """What is asked of each picture."""
        return Wish(Target(self.quality), self.coding)


def pack_header(model: Model, quality: float) -> PackHeader:
    """What all pictures of a pack of this model share. A model of colour and grey packs colour."""
    spec = model.file.picture
    size = (spec.size[1], spec.size[0]) if spec.size is not None else None
    return PackHeader(model.id, spec.channels, whole_quality(quality), size)


def write_pack(
    chunks: Iterable[Sequence[Packed | Rejected]],
    writer: PackWriter,
    on_picture: OnPicture = lambda _: None,
) -> tuple[Rejected, ...]:
    """Append what was coded, in order; what cannot be in the pack is returned.

    Raises:
        OutputError: the disk is full; what was written stays.
    """
    rejected = []
    for chunk in chunks:
        for one in chunk:
            outcome = one
            if isinstance(one, Packed):
                try:
                    stored = one.stored
                    writer.add(
                        one.name, stored.payload, size=one.size, label=one.label, form=stored.form,
                        quality=stored.quality,
                    )  # fmt: skip
                    writer.source_bytes += one.source_bytes
                except InputError as error:
                    outcome = Rejected(one.name, str(error))
            if isinstance(outcome, Rejected):
                rejected.append(outcome)
            on_picture(outcome)
    return tuple(rejected)


def code_chunk(sources: Sequence[Source], model: Model, options: PackOptions) -> list[Packed | Rejected]:
    """Read and code some pictures; what cannot be read or does not suit the model is one rejection, not the end."""
    outcomes: list[Packed | Rejected] = []
    for batch in _read(sources, model, options):
        pictures = [picture for _, picture, _ in batch if isinstance(picture, Picture)]
        found = _stored(pictures, model.coder, options.wish)
        for source, picture, notes in batch:
            stored = picture if isinstance(picture, Rejected) else next(found)
            if isinstance(picture, Rejected):
                outcomes.append(picture)
            elif isinstance(stored, Stored):
                size = (picture.width, picture.height)
                outcomes.append(Packed(source.name, stored, size, source.label, source.size(), notes))
            else:
                outcomes.append(Rejected(source.name, str(stored)))
    return outcomes


def _stored(pictures: Sequence[Picture], coder: Coder, wish: Wish) -> Iterator[Stored | IsthmusError]:
    """What becomes of each picture; those that look like photographs go through the model's graphs together."""
    quality = wish.target.quality or coder.file.default_quality
    is_quick = is_always_learned(coder, wish)
    at_once = [is_quick or is_learned_at_once(Codings(picture, coder, in_pack=True), wish) for picture in pictures]
    learned = [
        pipeline.as_coded(one, coder).picture for one, is_learned in zip(pictures, at_once, strict=True) if is_learned
    ]
    made = zip(learned, pipeline.payloads_of(learned, coder, quality), strict=True)
    for picture, is_learned in zip(pictures, at_once, strict=True):
        if is_learned:
            coded, tiles = next(made)
            yield store_learned(coded, tiles, None if coded.alpha is None else encode_alpha(coded.alpha), coder)
            continue
        try:
            yield store(picture, coder, wish)
        except IsthmusError as error:
            yield error


def code_all(
    sources: Iterable[Source], model: Model, options: PackOptions, *, jobs: int = 1
) -> Iterator[list[Packed | Rejected]]:
    """Code pictures chunk by chunk, in order, in some processes."""
    chunks = _chunks(sources)
    if jobs == 1:
        for chunk in chunks:
            yield code_chunk(chunk, model, options)
        return
    arguments = (model.file, options)
    yield from in_order(
        _code_in_worker, chunks, jobs=jobs, start=_start_worker, arguments=arguments, what="coded pictures"
    )


@dataclass(frozen=True)
class PackedFile:
    """What packing came to, as `pack --json` prints it.

    Attributes:
        output: the pack.
        pictures: in it, those of before included.
        bytes: of the pack.
        bytes_per_picture: all included.
        source_bytes: that the pictures took before.
        ratio: of source_bytes to bytes.
        seconds: of this run.
        pictures_per_second: of those that this run coded.
        codings: how many pictures of the pack have each of `stored_pictures.CODINGS`.
        rejected: what is not in it, and why.
    """

    output: str
    pictures: int
    bytes: int
    bytes_per_picture: float
    source_bytes: int
    ratio: float
    seconds: float
    pictures_per_second: float
    codings: Mapping[str, int]
    rejected: tuple[Rejected, ...]


def pack_to_file(
    sources: Sources,
    path: Path,
    model: Model,
    options: PackOptions,
    *,
    jobs: int = 1,
    append: bool = False,
    resume: bool = False,
    force: bool = False,
    on_picture: OnPicture = lambda _: None,
) -> PackedFile:
    """Pack pictures into one file; see `PackWriter` for what append, resume and force do.

    Raises:
        InputError: not one picture could be packed; NAME.part is left away.
        OutputError: the disk is full, or the name is taken.
        UsageError: a pack of another model or quality is there.
    """
    if jobs < 1:
        raise UsageError(f"jobs are 1 or more, not {jobs}")
    start = time.perf_counter()
    header, sections = pack_header(model, options.quality), {MODEL: write_model(model.file)} if options.embed else {}
    with PackWriter(path, header, sections=sections, append=append, resume=resume, force=force) as writer:
        before = len(writer)
        known: list[Rejected] = []
        waiting = _not_yet(sources, writer, known, on_picture) if before else sources
        failed = write_pack(code_all(waiting, model, options, jobs=jobs), writer, on_picture)
        rejected = (*known, *failed)
        if len(writer) == len(writer.old):
            writer.discard()
            raise InputError(f"none of the {len(sources)} pictures can be packed: {rejected[0].reason}")
        coded, count, source_bytes = len(writer) - before, len(writer), writer.source_bytes
        codings = count_codings(writer.forms)
        size = writer.finish()
    seconds = time.perf_counter() - start
    return PackedFile(
        output=str(path),
        pictures=count,
        bytes=size,
        bytes_per_picture=size / count,
        source_bytes=source_bytes,
        ratio=source_bytes / size,
        seconds=round(seconds, 6),
        pictures_per_second=coded / seconds,
        codings=codings,
        rejected=rejected,
    )


def _not_yet(
    sources: Iterable[Source], writer: PackWriter, rejected: list[Rejected], on_picture: OnPicture
) -> Iterator[Source]:
    """The pictures that are not in the pack.

    What an interrupted run has written counts as done. What the pack had before that is rejected here, before anybody
    reads and codes it.
    """
    found = frozenset(writer.names)
    for source in sources:
        if source.name not in found:
            yield source
        elif source.name in writer.old:
            rejected.append(Rejected(source.name, f"the pack has a picture of the name {source.name!r} already"))
            on_picture(rejected[-1])
        else:
            writer.source_bytes += source.size()
            on_picture(Packed(source.name, Stored(0, b""), (0, 0), source.label, 0))


def _read(
    sources: Iterable[Source], model: Model, options: PackOptions
) -> Iterator[list[tuple[Source, Picture | Rejected, tuple[str, ...]]]]:
    """Pictures as the model takes them, or why it does not, with notes; as many at once as memory should hold."""
    batch: list[tuple[Source, Picture | Rejected, tuple[str, ...]]] = []
    size = 0
    for source in sources:
        try:
            kept = _kept(source.read(depth=options.depth, frame=options.frame), model)
            picture = pipeline.taken(kept, model.coder, fit=options.fit)
        except IsthmusError as error:
            batch.append((source, Rejected(source.name, str(error)), ()))
            continue
        if batch and size + picture.pixels.nbytes > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        is_flat = kept.alpha is not None and picture.alpha is None
        batch.append((source, picture, (*kept.conversions, *(["fitted, so alpha is laid over white"] * is_flat))))
        size += picture.pixels.nbytes
    if batch:
        yield batch


def _kept(picture: Picture, model: Model) -> Picture:
    """Without profile and EXIF, which packs do not hold, and alpha that hides nothing; grey as colour if it must be."""
    pixels, alpha, notes = picture.pixels, picture.alpha, list(picture.conversions)
    if alpha is not None and alpha.min() == FULLY_OPAQUE:
        alpha = None
    if picture.icc is not None:
        notes.append("its colour profile is left out: packs have no place for it")
    plain = Picture(pixels, alpha, conversions=tuple(notes))
    if picture.channels == 1 and model.file.picture.channels == 3 and not model.coder.takes(plain):
        return replace(plain, pixels=np.repeat(pixels, 3, axis=2))
    return plain


def _chunks(sources: Iterable[Source]) -> Iterator[list[Source]]:
    """As many as are coded together."""
    iterator = iter(sources)
    while chunk := list(islice(iterator, CHUNK)):
        size, part = 0, []
        for source in chunk:
            part.append(source)
            size += source.size()
            if size >= CHUNK_BYTES:
                yield part
                size, part = 0, []
        if part:
            yield part


def _start_worker(file: ModelFile, options: PackOptions) -> None:
    _worker.update(model=Model(file, Engine(DEFAULT_ENGINE.name, 1)), options=options)


def _code_in_worker(chunk: list[Source]) -> list[Packed | Rejected]:
    return code_chunk(chunk, _worker["model"], _worker["options"])
