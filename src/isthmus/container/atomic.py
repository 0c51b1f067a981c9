"""Writing a file so that it is there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from isthmus.errors import OutputError


def write_file(path: Path, data: bytes | Callable[[BinaryIO], None], *, force: bool = False) -> None:
    """Write to a temporary name beside `path`, then rename it.

    Two processes that write one path never mix: without `force` the second is refused, with it the last one stays.

    Args:
        path: its folder is made where it is missing.
        data: the bytes, or what writes them to an open file.
        force: replace an existing file.

    Raises:
        OutputError: the path exists and `force` is false, or the place cannot be written.
    """
    if not force and path.exists():
        raise exists_already(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:80]}.", suffix=".tmp", dir=path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            if callable(data):
                data(file)
            else:
                file.write(data)
            file.flush()
            os.fchmod(file.fileno(), 0o666 & ~_umask())
        move_into_place(temporary, path, force=force)
    except FileExistsError as error:
        raise exists_already(path) from error
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def move_into_place(temporary: Path, path: Path, *, force: bool) -> None:
    """Rename atomically; without `force` refuse to replace: a hard link fails where the name is taken.

    Raises:
        FileExistsError: the name is taken.
        OSError: the file system refuses.
    """
    if force:
        temporary.replace(path)
        return
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: the check before is what there is
        if path.exists():
            raise FileExistsError(path) from None
        temporary.replace(path)
        return
    temporary.unlink()


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def exists_already(path: Path) -> OutputError:
    """The refusal to overwrite."""
    return OutputError(f"{path} exists already: choose another name, or pass --force to replace it")


def cannot_write(path: Path, error: OSError) -> OutputError:
    """A foreign error of the file system, translated."""
    return OutputError(f"cannot write {path}: {error.strerror or error}")
