"""Pillow's errors as ours: one line each that says what a file is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import UnidentifiedImageError

from isthmus.errors import InputError, IsthmusError
from isthmus.imaging.formats import formats_that_accept, readable
from isthmus.imaging.pillow_limits import pillow_limits_aside


@contextmanager
def translated(name: str, path: Path | None = None, data: bytes | None = None) -> Iterator[None]:
    """Pillow's errors as ours, and its own limit replaced by ours while a picture is read."""
    try:
        with pillow_limits_aside():
            yield
    except IsthmusError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{name} does not exist") from error
    except IsADirectoryError as error:
        raise InputError(f"{name} is a folder") from error
    except PermissionError as error:
        raise InputError(f"{name} cannot be read: permission denied") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{name} {_what_it_is(path, data)}") from error
    except MemoryError as error:
        raise InputError(f"{name} does not fit into memory") from error
    except Exception as error:  # Pillow's plugins raise whatever their parsers meet: struct.error, SyntaxError, ...
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{name} cannot be read, it is damaged or truncated: {reason}") from error


def _what_it_is(path: Path | None, data: bytes | None) -> str:
    """What a file is that Pillow opens as no picture."""
    start = b""
    if data is not None:
        start = data[:16]
    elif path is not None:
        with path.open("rb") as file:
            start = file.read(16)
    if not start:
        return "is empty"
    for name in formats_that_accept(start):
        return f"is {name}, but damaged, truncated or of a kind that is not read"
    return f"is not a picture that can be read: {', '.join(sorted(readable()))} can"
