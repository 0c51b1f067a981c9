"""Standard input as a source and standard output as a target: what "-" names."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import BinaryIO

from isthmus.errors import InputError, LimitError, OutputError
from isthmus.sources.source import Source

STANDARD = "-"
"""Its name as an input and as an output; a file that is called so is ./-"""
MAX_BYTES = 1 << 30
"""Of standard input, which may have no end: above an uncompressed picture of 8 bits and the most pixels."""
_PIECE = 1 << 20


def standard_input() -> Source:
    """The picture that comes in at standard input.

    Raises:
        InputError: nothing comes, or it cannot be read.
        LimitError: more than MAX_BYTES come.
    """
    return Source("stdin", data=_read())


def _read() -> bytes:
    if sys.stdin is None:
        raise InputError("stdin is closed")
    data = bytearray()
    try:
        while piece := sys.stdin.buffer.read(_PIECE):
            data += piece
            if len(data) > MAX_BYTES:
                raise LimitError(f"stdin has more than the {MAX_BYTES} bytes that are read of it")
        whole = bytes(data)
    except OSError as error:
        raise InputError(f"stdin cannot be read: {error.strerror}") from error
    except MemoryError as error:
        raise InputError("stdin does not fit into memory") from error
    if not whole:
        raise InputError("stdin is empty")
    return whole


def write_output(data: bytes | Callable[[BinaryIO], None]) -> None:
    """A whole file to standard output; see `container.atomic.write_file`.

    Raises:
        OutputError: it is a terminal, or closed.
        BrokenPipeError: who read it went away.
    """
    check_output()
    if callable(data):
        whole = io.BytesIO()  # some writers go back in their file
        data(whole)
        data = whole.getvalue()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def check_output() -> None:
    """Refuse a standard output on which no file belongs.

    Raises:
        OutputError: it is a terminal, or closed.
    """
    if sys.stdout is None:
        raise OutputError("stdout is closed")
    if sys.stdout.isatty():
        raise OutputError("stdout is a terminal, which shows no files: redirect it, or name a file with -o")
