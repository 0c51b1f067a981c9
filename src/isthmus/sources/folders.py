"""What a folder holds: the pictures, in the order that people count in, and a line for whatever is left out."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from isthmus.errors import InputError
from isthmus.imaging.formats import SUFFIXES

UNREAD_PICTURES = frozenset(
    {
        *(".heic", ".heif", ".hif", ".jxl", ".jxr", ".svg", ".svgz", ".eps", ".psd", ".psb", ".xcf", ".kra", ".exr"),
        *(".hdr", ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".rw2", ".raf"),
        *(".pef", ".srw", ".x3f", ".3fr", ".erf", ".kdc", ".dcr", ".mrw", ".pcx", ".sgi", ".rgb", ".icns", ".cur"),
        *(".wmf", ".emf", ".j2k", ".jpx", ".fits", ".dcm"),
    }
)
"""Suffixes of pictures that a folder may hold and that are not read from there."""
SHOWN = 3
"""Names in a line that stands for many."""
_NUMBER = re.compile(r"([0-9]+)")


@dataclass(frozen=True)
class Folder:
    """What was found below a folder.

    Attributes:
        files: that were looked for, in natural order.
        notes: a line for each kind of thing that is left out on purpose.
        problems: what should have been read and cannot be.
    """

    files: tuple[Path, ...]
    notes: tuple[str, ...]
    problems: tuple[InputError, ...]


@dataclass
class _LeftOut:
    """What a walk does not take, by why."""

    hidden: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    problems: list[InputError] = field(default_factory=list)


def walk(folder: Path, suffixes: Iterable[str] = SUFFIXES) -> Folder:
    """The files below a folder that have one of some suffixes, whatever its case.

    Hidden files and folders (names that begin with a dot) and links to folders are left out, and named in `notes`.
    Links to files are followed.

    Args:
        folder: that exists.
        suffixes: in lower case, with their dots.
    """
    wanted = frozenset(suffixes)
    files: list[Path] = []
    left = _LeftOut()
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        try:
            with os.scandir(current) as entries:
                inside = list(entries)
        except OSError as error:
            left.problems.append(InputError(f"the folder {current} cannot be read: {error.strerror}"))
            continue
        for entry in inside:
            name = os.path.relpath(entry.path, folder)
            try:
                if entry.name.startswith("."):
                    left.hidden.append(name)
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif entry.is_dir():
                    left.links.append(name)
                elif _is_wanted(entry, wanted, left, name, wants_pictures=wanted == SUFFIXES):
                    files.append(Path(entry.path))
            except OSError as error:  # a link to itself, a name that vanished
                left.problems.append(InputError(f"{entry.path} cannot be read: {error.strerror}"))
    notes, problems = _lines(folder, left)
    return Folder(tuple(sorted(files, key=natural_key)), notes, problems)


def natural_key(path: Path | str) -> tuple[tuple[tuple[str, int], ...], ...]:
    """Sorts 2 before 10: folder by folder, letters as they are, digits as the numbers that they write.

    Example:
        >>> sorted(["10.png", "9.png", "9/2.png"], key=natural_key)
        ['9/2.png', '9.png', '10.png']
    """
    parts = path.parts if isinstance(path, Path) else path.split("/")
    return tuple(
        tuple((text, -1) if index % 2 == 0 else ("", int(text)) for index, text in enumerate(_NUMBER.split(part)))
        for part in parts
    )


def is_hidden(path: Path) -> bool:
    """Whether the name begins with a dot."""
    return path.name.startswith(".")


def _is_wanted(
    entry: os.DirEntry[str], wanted: frozenset[str], left: _LeftOut, name: str, *, wants_pictures: bool
) -> bool:
    """Whether a file is one to read; where it is not, `left` says why."""
    suffix = Path(entry.name).suffix.lower()
    if suffix not in wanted:
        (left.pictures if wants_pictures and suffix in UNREAD_PICTURES else left.others).append(name)
        return False
    if entry.is_file():
        return True
    what = "is a link to nothing" if entry.is_symlink() and not Path(entry.path).exists() else "is no file"
    left.problems.append(InputError(f"{entry.path} cannot be read: it {what}"))
    return False


def _lines(folder: Path, left: _LeftOut) -> tuple[tuple[str, ...], tuple[InputError, ...]]:
    """One line for each kind."""
    notes = []
    if left.hidden:
        notes.append(f"{folder}: left out, as hidden: {examples(left.hidden)}")
    if left.links:
        notes.append(f"{folder}: left out, as links to folders (name them to read them): {examples(left.links)}")
    if left.others:
        notes.append(f"{folder}: left out, of other kinds ({_kinds(left.others)}): {examples(left.others)}")
    problems = left.problems
    if left.pictures:
        kinds = f"{folder}: pictures of kinds that are not read ({_kinds(left.pictures)}): {examples(left.pictures)}"
        problems = [*problems, InputError(kinds)]
    return tuple(notes), tuple(problems)


def examples(names: Sequence[str]) -> str:
    """A few names of many, and how many more there are.

    Example:
        >>> examples(["b10", "b9", "a", "c"])
        'a, b9, b10 and 1 more'
    """
    shown = sorted(names, key=natural_key)
    more = len(shown) - SHOWN
    return ", ".join(shown[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _kinds(names: Sequence[str]) -> str:
    """Suffixes and how often each one occurs: ".heic 12, .mov 3"."""
    counts = Counter(Path(name).suffix.lower() or "no suffix" for name in names)
    shown = [f"{suffix} {count}" for suffix, count in counts.most_common(4)]
    return ", ".join(shown + ["..."] * (len(counts) > len(shown)))
