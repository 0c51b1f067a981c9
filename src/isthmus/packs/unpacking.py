"""A pack back to picture files: all, some, or what a damaged or unfinished one still holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from itertools import islice
from pathlib import Path

from isthmus.codec import pipeline
from isthmus.codec.coder import Coder
from isthmus.codec.model import Model, load_model
from isthmus.container import pack_file
from isthmus.container.atomic import write_file
from isthmus.container.image_file import ImageFile
from isthmus.container.pack_names import name_error
from isthmus.errors import FormatError, InputError, IsthmusError, ModelMismatchError
from isthmus.imaging.writing import held_by, write_picture
from isthmus.packs.opening import load_pack_model, open_ranges
from isthmus.packs.pack import Pack
from isthmus.packs.stored_pictures import stored_image
from isthmus.transforms.engine import Engine
from isthmus.values import Picture

AT_ONCE = 512


@dataclass(frozen=True)
class UnpackOptions:
    """How a pack is unpacked.

    Attributes:
        only: a pattern that names must match, such as "cats/*"; None takes all.
        suffix: of the files, such as ".png".
        recover: take whole blocks of a damaged or unfinished pack, without its index.
        pixel_limit: the most pixels of a picture; None for as many as its payload can hold.
        force: replace existing files.
    """

    only: str | None = None
    suffix: str = ".png"
    recover: bool = False
    pixel_limit: int | None = None
    force: bool = False


@dataclass(frozen=True)
class Unpacked:
    """What became of one picture: its file, or why there is none, and notes: what the file's format cannot hold."""

    name: str
    output: str | None
    error: IsthmusError | None = None
    notes: tuple[str, ...] = ()


Found = tuple[str, ImageFile | IsthmusError]
"""A name, and its coded picture or why it cannot be had."""


def unpack(
    path: Path, folder: Path, options: UnpackOptions, *, model: str | None = None, engine: Engine
) -> tuple[int, Iterator[Unpacked]]:
    """Write a pack's pictures below a folder.

    Returns:
        How many there are to write, and one outcome for each as it is written.

    Raises:
        InputError: the pack cannot be read, or no name matches.
        FormatError: it is damaged, and `recover` is false.
        ModelNotFoundError: its model is not there.
    """
    if options.recover:
        loaded, found = _recovered(path, options, model, engine)
        coder: Coder | None = loaded.coder
        count = len(found)
        pictures = iter(found)
    else:
        limit = options.pixel_limit
        pack = Pack(path, model=model, threads=engine.threads, engine=engine.name, pixel_limit=limit)
        wanted = [index for index in range(len(pack)) if _matches(pack.names[index], options.only)]
        coder = pack.model.coder if pack.needs_model else None
        count, pictures = len(wanted), _stored(pack, wanted)
    if not count:
        what = f"no name matches {options.only!r}" if options.only else "it holds no whole block of pictures"
        raise InputError(f"{path}: {what}")
    return count, _write_all(pictures, coder, folder, options)


def _stored(pack: Pack, wanted: Sequence[int]) -> Iterator[Found]:
    for index in wanted:
        try:
            yield pack.names[index], pack.images([index])[0]
        except IsthmusError as error:
            yield pack.names[index], error


def _recovered(path: Path, options: UnpackOptions, model: str | None, engine: Engine) -> tuple[Model, list[Found]]:
    """The model, and the pictures of every whole block of a damaged or unfinished pack."""
    read, size = open_ranges(str(path))
    header, start = pack_file.read_header(read(0, pack_file.MAX_HEADER_BYTES))
    if model is not None:
        loaded = load_model(model, threads=engine.threads, engine=engine.name)
    else:
        loaded = load_pack_model(read, header, start, str(path), engine)
    if not loaded.decodes(header.model_id):
        raise ModelMismatchError(f"{path} needs the model with the id {header.model_id.hex()}, not {loaded.name}")
    found: list[Found] = []
    for block in pack_file.scan(read, size):
        begin = 0
        for index, length in enumerate(block.table.lengths.tolist()):
            name, payload = block.table.names[index], block.payloads[begin : begin + length]
            begin += length
            if not _matches(name, options.only):
                continue
            try:
                image = stored_image(
                    header, block.table, index, payload, lambda: loaded.coder, pixel_limit=options.pixel_limit
                )
                found.append((name, image))
            except FormatError as error:
                found.append((name, error))
    return loaded, found


def _write_all(
    pictures: Iterator[Found], coder: Coder | None, folder: Path, options: UnpackOptions
) -> Iterator[Unpacked]:
    taken: set[Path] = set()
    while chunk := list(islice(pictures, AT_ONCE)):
        for name, picture in _decoded(chunk, coder):
            try:
                if isinstance(picture, IsthmusError):
                    raise picture
                target, held = _target(folder, name, options.suffix, taken), held_by(picture, options.suffix)
                write_file(target, partial(write_picture, held, options.suffix), force=options.force)
            except IsthmusError as error:
                yield Unpacked(name, None, error)
                continue
            yield Unpacked(name, str(target), notes=held.conversions)


def _decoded(chunk: Sequence[Found], coder: Coder | None) -> Iterator[tuple[str, Picture | IsthmusError]]:
    """Together where all can be decoded, else one by one, so that each error is that of its picture."""
    images = [image for _, image in chunk if isinstance(image, ImageFile)]
    try:
        decoded = iter(list(pipeline.pictures_of(images, coder)))
        for name, image in chunk:
            yield name, next(decoded) if isinstance(image, ImageFile) else image
    except FormatError:
        for name, image in chunk:
            if isinstance(image, IsthmusError):
                yield name, image
                continue
            try:
                yield name, next(pipeline.pictures_of([image], coder))
            except FormatError as error:
                yield name, error


def _matches(name: str, pattern: str | None) -> bool:
    return pattern is None or fnmatchcase(name, pattern)


def _target(folder: Path, name: str, suffix: str, taken: set[Path]) -> Path:
    """Where a picture goes: its name with the suffix; with its own suffix in front where another has that name.

    Raises:
        InputError: a name that leads out of the folder, or that is taken twice.
    """
    reason = name_error(name)
    if reason is not None:
        raise InputError(f"the name {name!r} is not one that is written: {reason}")
    for target in ((folder / name).with_suffix(suffix), folder / (name + suffix)):
        if target not in taken:
            taken.add(target)
            return target
    raise InputError(f"two pictures would be {folder / name}")
