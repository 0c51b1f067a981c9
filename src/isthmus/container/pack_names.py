"""The names of a pack's pictures: counted up, or a list that stays compressed until somebody asks."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray

from isthmus.container.deflated import MAX_INFLATED, deflate, inflate
from isthmus.errors import FormatError

MAX_NAME_BYTES = 1024

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_NUMBERED = re.compile(r"(.*?)([0-9]{1,9})([^0-9]*)", re.DOTALL)


class Names(ABC):
    """Names by position, as a tuple has them: negative positions count from the end, a slice is a list."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def at(self, index: int) -> str:
        """The name at a position from 0 to below the length."""

    @abstractmethod
    def find(self, name: str) -> int:
        """The position of a name, -1 where it is none of them."""

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self.at(place) for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"there are {len(self)} names, none at {index}")
        return self.at(place)

    def __iter__(self) -> Iterator[str]:
        return (self.at(place) for place in range(len(self)))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.find(name) >= 0


@dataclass(frozen=True)
class NumberedNames(Names):
    """Names such as a/00017.png, counted up by one: prefix, number with leading zeros, suffix."""

    prefix: str
    first: int
    digits: int
    suffix: str
    count: int

    def __len__(self) -> int:
        return self.count

    def at(self, index: int) -> str:
        """Prefix, number, suffix."""
        return f"{self.prefix}{self.first + index:0{self.digits}d}{self.suffix}"

    def find(self, name: str) -> int:
        """The position of a name, -1 where it is none of them."""
        middle = name[len(self.prefix) : len(name) - len(self.suffix)]
        if not middle.isascii() or not middle.isdigit():
            return -1
        index = int(middle) - self.first
        return index if 0 <= index < self.count and self.at(index) == name else -1


class ListedNames(Names):
    """Any names, kept as one run of bytes: a million of them cost their letters, not a million objects.

    Args:
        packed: UTF-8 names, each followed by a zero byte; compressed, until a name is asked for.
        count: how many they are.
        most: bytes that they may take in memory.

    Every access raises FormatError where the bytes are not that.
    """

    def __init__(self, packed: bytes, count: int, *, most: int = MAX_INFLATED) -> None:
        self.packed, self._count = packed, count
        self._most = min(most, count * (MAX_NAME_BYTES + 1))

    def __len__(self) -> int:
        return self._count

    def at(self, index: int) -> str:
        """Cut out of the run of bytes."""
        start = int(self._ends[index - 1]) + 1 if index else 0
        return self._data[start : int(self._ends[index])].decode()

    def find(self, name: str) -> int:
        """The position of a name, -1 where it is none of them."""
        wanted = name.encode("utf-8", "surrogatepass") + b"\0"
        if self._data.startswith(wanted):
            return 0
        place = self._data.find(b"\0" + wanted)
        return -1 if place < 0 else int(np.searchsorted(self._ends, place)) + 1

    @cached_property
    def _data(self) -> bytes:
        data, rest = inflate(self.packed, self._most)
        if rest:
            raise FormatError("the table has bytes behind its names")
        if data and data[-1] != 0:
            raise FormatError("the table's last name does not end")
        if data.count(0) != self._count:
            raise FormatError(f"the table has {data.count(0)} names for {self._count} pictures")
        try:
            data.isascii() or data.decode()
        except UnicodeDecodeError as error:
            raise FormatError("the table's names are not UTF-8") from error
        return data

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.flatnonzero(np.frombuffer(self._data, np.uint8) == 0)


def name_error(name: str) -> str | None:
    """Why a name cannot be in a pack, None where it can: names are relative paths that stay below their folder."""
    if not name or len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        return f"a name has 1 to {MAX_NAME_BYTES} bytes"
    if _UNPRINTABLE.search(name):
        return "a name has no control characters and is valid Unicode"
    if name.startswith("/") or "\\" in name or ":" in name:
        return "a name is a relative path with / between folders, without \\ and :"
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "a name has no empty part, no . and no .."
    return None


def as_names(names: Sequence[str]) -> NumberedNames | ListedNames:
    """Counted names where they are that, else a list."""
    match = _NUMBERED.fullmatch(names[0]) if names else None
    if match:
        numbered = NumberedNames(match[1], int(match[2]), len(match[2]), match[3], len(names))
        if all(numbered.at(index) == name for index, name in enumerate(names)):
            return numbered
    return ListedNames(deflate(b"".join([name.encode() + b"\0" for name in names])), len(names))
