"""Writing a file so that it is there whole or not at all."""

from __future__ import annotations

import os
import secrets
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
    try:
        is_taken = not force and path.exists()
    except OSError as error:  # a name that is too long
        raise cannot_write(path, error) from error
    if is_taken:
        raise exists_already(path)
    # The name is known before the file exists, so an interrupt at any moment leaves nothing behind.
    temporary = path.parent / f".{path.name[:40]}.{secrets.token_hex(8)}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        with temporary.open("xb") as file:
            if callable(data):
                data(file)
            else:
                file.write(data)
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


def exists_already(path: Path) -> OutputError:
    """The refusal to overwrite."""
    return OutputError(f"{path} exists already: choose another name, or pass --force (in Python force=True)")


def cannot_write(path: Path, error: OSError) -> OutputError:
    """A foreign error of the file system, translated."""
    return OutputError(f"cannot write {path}: {error.strerror or error}")
