"""What a pack is made of: pictures of a folder, a pattern or an IDX file, by name, each read when its turn comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Protocol, overload

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.imaging.idx import read_idx
from isthmus.imaging.reading import find_pictures, read_picture
from isthmus.values import Picture

PARQUET = ".parquet"
IDX_MAGIC = (b"\x1f\x8b", b"\0\0")


@dataclass(frozen=True)
class Source:
    """One picture to be packed: a file, a file's bytes, or pixels.

    Attributes:
        name: in the pack.
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

    def read(self, *, depth: int | None = None, frame: int | None = None) -> Picture:
        """The picture; see `imaging.reading.read_picture`.

        Raises:
            InputError: it cannot be read.
        """
        if self.problem:
            raise InputError(f"{self.name}: {self.problem}")
        if self.pixels is not None:
            return Picture(self.pixels)
        return read_picture(self.path or Path(self.name), depth=depth, frame=frame, data=self.data)

    def size(self) -> int:
        """Bytes that it takes as it is."""
        if self.pixels is not None:
            return self.pixels.nbytes
        if self.data is not None:
            return len(self.data)
        try:
            return self.path.stat().st_size if self.path is not None else 0
        except OSError:
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


def is_elsewhere(source: str) -> bool:
    """Whether the sources are those of `isthmus.scale.sources`: at a URL, in Parquet files, in a folder of them."""
    path = Path(source)
    return "://" in source or path.suffix == PARQUET or (path.is_dir() and any(path.glob(f"*{PARQUET}")))


def find_sources(source: str, labels: Path | None = None) -> list[Source] | LazyIdx:
    """The pictures below a folder, those that match a pattern, or those of an IDX file; sorted by name.

    Args:
        source: a folder, a pattern such as "photos/**/*.jpg", a picture, or an IDX file, plain or gzipped.
        labels: an IDX file with a label for each picture, in order.

    Raises:
        InputError: there is nothing, or not a label for each.
    """
    path = Path(source)
    if path.is_dir():
        sources: list[Source] | LazyIdx = [
            Source(one.relative_to(path).as_posix(), path=one) for one in find_pictures(path)
        ]
    elif path.is_file() and _is_idx(path):
        sources = LazyIdx(read_idx(path), path)
    elif path.is_file():
        sources = [Source(path.name, path=path)]
    else:
        found = sorted(Path(one) for one in glob(source, recursive=True) if Path(one).is_file())  # noqa: PTH207
        top = Path(source.split("*", 1)[0].split("?", 1)[0].split("[", 1)[0] + "x").parent
        sources = [Source(one.relative_to(top).as_posix(), path=one) for one in found]
    if not sources:
        raise InputError(f"{source}: no pictures there")
    if labels is None:
        return sources
    classes = read_idx(labels)
    if classes.shape != (len(sources),):
        raise InputError(f"{labels} has {classes.size} labels for {len(sources)} pictures")
    if isinstance(sources, LazyIdx):
        return LazyIdx(sources.array, path, classes)
    return [Source(one.name, path=one.path, label=int(label)) for one, label in zip(sources, classes, strict=True)]


class LazyIdx:
    """The pictures of an IDX file, named by their numbers; each becomes a `Source` when it is asked for."""

    def __init__(self, array: NDArray[np.uint8], path: Path, labels: NDArray[np.uint8] | None = None) -> None:
        if array.ndim != 3 or array.size == 0:
            raise InputError(f"{path} holds an array of shape {array.shape}, not (count, rows, columns)")
        self.array, self._labels = array, labels
        self._first, self._digits = 0, max(5, len(str(len(array) - 1)))

    def __len__(self) -> int:
        """Pictures."""
        return len(self.array)

    @overload
    def __getitem__(self, key: int) -> Source: ...

    @overload
    def __getitem__(self, key: slice) -> LazyIdx: ...

    def __getitem__(self, key: int | slice) -> Source | LazyIdx:
        """One picture, or a run of them under the same names."""
        if isinstance(key, slice):
            start, stop, _ = key.indices(len(self))
            part = copy(self)
            part.array, part._first = self.array[start:stop], self._first + start
            part._labels = None if self._labels is None else self._labels[start:stop]
            return part
        label = None if self._labels is None else int(self._labels[key])
        name = f"{self._first + key:0{self._digits}d}.png"
        return Source(name, pixels=self.array[key][:, :, None], label=label)

    def __iter__(self) -> Iterator[Source]:
        """All pictures."""
        return (self[index] for index in range(len(self)))


def _is_idx(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(2) in IDX_MAGIC
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
