"""One writer of a file at a time, on POSIX systems and on Windows."""

from __future__ import annotations

import importlib
import os
from typing import BinaryIO

IS_WINDOWS = os.name == "nt"
LOCKED_BYTE = 1 << 40
"""On Windows, which locks ranges and refuses to read them: far behind every file's end."""


def lock_file(file: BinaryIO) -> None:
    """Lock an open file until it is closed, without waiting.

    Raises:
        OSError: another process holds the lock.
    """
    if IS_WINDOWS:
        windows = importlib.import_module("msvcrt")
        place = file.tell()
        file.seek(LOCKED_BYTE)
        try:
            windows.locking(file.fileno(), windows.LK_NBLCK, 1)
        finally:
            file.seek(place)
        return
    posix = importlib.import_module("fcntl")
    posix.flock(file.fileno(), posix.LOCK_EX | posix.LOCK_NB)
