"""One picture by name, read when its turn comes; and runs of such pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Protocol, overload

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.imaging.reading import read_picture
from isthmus.values import Picture


@dataclass(frozen=True)
class Source:
    """One picture: a file, a file's bytes, or pixels.

    Attributes:
        name: below what was named, with "/" between folders: in a pack, and of the result in a folder.
        path: of a picture file.
        data: the bytes of one.
        pixels: (rows, columns, channels) uint8.
        label: of its class.
        problem: why there are none of these, where there should be.
    """

    name: str
    path: Path | None = None
    data: bytes | None = None
    pixels: NDArray[np.uint8] | None = None
    label: int | None = None
    problem: str = ""

    def __str__(self) -> str:
        """What messages call it: the path where it has one."""
        return str(self.path) if self.path is not None else self.name

    def read(self, *, depth: int | None = None, frame: int | None = None) -> Picture:
        """The picture; see `imaging.reading.read_picture`.

        Raises:
            InputError: it cannot be read.
        """
        if self.problem:
            raise InputError(f"{self.name}: {self.problem}")
        if self.pixels is not None:
            return Picture(np.ascontiguousarray(self.pixels))
        return read_picture(self.path or Path(self.name), depth=depth, frame=frame, data=self.data)

    def size(self) -> int:
        """Bytes that it takes as it is; 0 where that is not known."""
        if self.pixels is not None:
            return self.pixels.nbytes
        if self.data is not None:
            return len(self.data)
        try:
            return self.path.stat().st_size if self.path is not None else 0
        except (OSError, ValueError):
            return 0


class Sources(Protocol):
    """Pictures in a fixed order, of which a run can be sent to another process and read there."""

    def __len__(self) -> int:
        """Pictures."""
        ...

    def __iter__(self) -> Iterator[Source]:
        """All of them."""
        ...

    def __getitem__(self, run: slice, /) -> Iterable[Source]:
        """Some of them, picklable."""
        ...


class ArraySources:
    """The pictures of one array, named by their numbers; each becomes a `Source` when it is asked for.

    Args:
        array: (count, rows, columns, channels) uint8.
        labels: (count,) integers from 0, or None.
        prefix: of the names, such as "test/".
    """

    def __init__(
        self, array: NDArray[np.uint8], labels: NDArray[np.integer] | None = None, *, prefix: str = ""
    ) -> None:
        self.array, self.labels = array, labels
        self._prefix, self._first, self._digits = prefix, 0, max(5, len(str(len(array) - 1)))

    def __len__(self) -> int:
        """Pictures."""
        return len(self.array)

    @overload
    def __getitem__(self, key: int) -> Source: ...

    @overload
    def __getitem__(self, key: slice) -> ArraySources: ...

    def __getitem__(self, key: int | slice) -> Source | ArraySources:
        """One picture, or a run of them under the same names."""
        if isinstance(key, slice):
            start, stop, _ = key.indices(len(self))
            part = copy(self)
            part.array, part._first = self.array[start:stop], self._first + start
            part.labels = None if self.labels is None else self.labels[start:stop]
            return part
        label = None if self.labels is None else int(self.labels[key])
        name = f"{self._prefix}{self._first + key:0{self._digits}d}.png"
        return Source(name, pixels=self.array[key], label=label)

    def __iter__(self) -> Iterator[Source]:
        """All pictures."""
        return (self[index] for index in range(len(self)))


@dataclass(frozen=True)
class JoinedSources:
    """Several runs of pictures behind each other."""

    parts: tuple[Sources, ...]

    def __len__(self) -> int:
        """Pictures."""
        return sum(len(part) for part in self.parts)

    def __iter__(self) -> Iterator[Source]:
        """All of them."""
        return chain.from_iterable(self.parts)

    def __getitem__(self, run: slice) -> JoinedSources:
        """Some of them."""
        start, stop, _ = run.indices(len(self))
        chosen: list[Sources] = []
        first = 0
        for part in self.parts:
            inside = slice(max(0, start - first), max(0, min(len(part), stop - first)))
            if inside.start < inside.stop:
                chosen.append(part[inside])  # type: ignore[arg-type] # a run of sources is sized
            first += len(part)
        return JoinedSources(tuple(chosen))


def joined(parts: Sequence[Sources]) -> Sources:
    """One run of several."""
    return parts[0] if len(parts) == 1 else JoinedSources(tuple(parts))
