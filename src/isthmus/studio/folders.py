"""What of this machine a page may see: files and folders below the one that the studio was started with."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from isthmus.errors import InputError, UsageError

MOST_ENTRIES = 2000
"""Of one folder that are listed; a page is no file manager."""


@dataclass(frozen=True)
class Entry:
    """A file or folder as a page lists it.

    Attributes:
        name: its last part.
        path: below the data folder, with slashes.
        is_folder: whether it can be opened.
        bytes: of a file.
    """

    name: str
    path: str
    is_folder: bool
    bytes: int


def inside(data: Path | None, name: str) -> Path:
    """The file or folder of a name below the data folder, links followed.

    Raises:
        UsageError: no data folder was given, or the name leads out of it.
        InputError: there is no such file or folder.
    """
    if data is None:
        raise UsageError("start the studio with --data FOLDER to open files of this machine")
    if "\0" in name or "\\" in name:
        raise UsageError("not a name of a file below the data folder")
    try:
        root = data.resolve(strict=True)
        path = (root / name.lstrip("/")).resolve()
        if not path.is_relative_to(root):
            raise UsageError(f"{name} is not below the data folder")
        if not path.exists():
            raise InputError(f"{name} does not exist below the data folder")
    except (OSError, RuntimeError) as error:  # a name that is too long, links in a circle
        raise InputError(f"{name[:80]} cannot be opened") from error
    return path


def entries(data: Path | None, name: str, *, suffix: str | None = None) -> list[Entry]:
    """Folders, and files of a suffix, of a folder below the data folder; hidden ones are left out.

    Raises:
        UsageError: see `inside`.
        InputError: see `inside`, or it cannot be read.
    """
    folder = inside(data, name)
    root = inside(data, "")
    found: list[Entry] = []
    try:
        with os.scandir(folder) as scan:
            for one in scan:
                path = Path(one.path)
                is_folder = one.is_dir()
                is_wanted = is_folder or (suffix is not None and path.suffix.lower() == suffix)
                if not is_wanted or one.name.startswith(".") or not path.resolve().is_relative_to(root):
                    continue
                size = 0 if is_folder else one.stat().st_size
                found.append(Entry(one.name, path.relative_to(root).as_posix(), is_folder, size))
                if len(found) >= MOST_ENTRIES:
                    break
    except OSError as error:
        raise InputError(f"{name or 'the data folder'} cannot be read: {error.strerror}") from error
    return sorted(found, key=lambda entry: (not entry.is_folder, entry.name.lower()))
