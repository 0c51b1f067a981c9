"""Where a pack's bytes and its model come from."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from isthmus.codec.model import Model, load_model_by_id
from isthmus.container import pack_file
from isthmus.container.pack_file import PackHeader, ReadRange
from isthmus.errors import InputError, MissingExtraError, ModelMismatchError, ModelNotFoundError, UsageError
from isthmus.packs.http_ranges import SCHEMES, open_http
from isthmus.transforms.engine import Engine
from isthmus.zoo.finding import parse_model


def open_ranges(path: str) -> tuple[ReadRange, int]:
    """(offset, length) -> bytes of a file, an http(s) address or an fsspec URL, and its size.

    Raises:
        InputError: it cannot be read.
        MissingExtraError: a URL, and fsspec or the store's package is not installed.
    """
    if path.startswith(SCHEMES):
        return open_http(path)
    if "://" in path:
        return _open_url(path)
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            size = os.fstat(file.fileno()).st_size
            view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return (lambda offset, length: view[offset : offset + length]), size


def _open_url(url: str) -> tuple[ReadRange, int]:
    try:
        import fsspec
    except ImportError as error:
        raise MissingExtraError(extra="scale", purpose="reading from a URL") from error
    try:
        store, path = fsspec.core.url_to_fs(url)
        size = int(store.size(path))
    except ImportError as error:
        raise UsageError(f"{url}: {error}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{url} cannot be read: {error}") from error

    def read(offset: int, length: int) -> bytes:
        try:
            data: bytes = store.cat_file(path, start=offset, end=min(offset + length, size))
        except (OSError, ValueError) as error:
            raise InputError(f"{url} cannot be read: {error}") from error
        return data

    return read, size


def load_pack_model(read: ReadRange, header: PackHeader, start: int, path: str, engine: Engine) -> Model:
    """The model that a pack names: a shipped or installed one, the one that the pack holds, or one beside it.

    Args:
        read: gives bytes of the pack.
        header: of the pack.
        start: where its first block starts.
        path: of the pack, or its URL.
        engine: that runs the model.

    Raises:
        ModelNotFoundError: it is in none of these places.
        ModelMismatchError: the pack holds another one than it names.
        FormatError: the model is damaged.
    """
    if pack_file.MODEL in header.section_lengths:
        try:
            return load_model_by_id(header.model_id, engine=engine)
        except ModelNotFoundError:
            held = pack_file.read_section(read, header, start, pack_file.MODEL) or b""
        model = Model(parse_model(held, name=f"the model within {path}"), engine)
        if not model.decodes(header.model_id):
            raise ModelMismatchError(
                f"{path} needs the model with the id {header.model_id.hex()} and holds {model.id.hex()}"
            )
        return model
    beside = None if "://" in path else Path(path).resolve().parent
    return load_model_by_id(header.model_id, beside=beside, engine=engine)
