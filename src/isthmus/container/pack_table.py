"""The table of a .isthpack file: what is known of each picture beside its payload; in blocks and in the index.

Two zlib streams, each behind its uncompressed length: flags(1) [numbered names] lengths [widths heights] [labels], and
where names are listed, those. A million listed names take longer than all else, so they wait until somebody asks.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isthmus.container.varint import read_varint, write_varint
from isthmus.errors import FormatError, LimitError, TruncatedError

FLAG_NUMBERED = 0x01
FLAG_SIZES = 0x02
FLAG_LABELS = 0x04
_WIDTHS = (1, 2, 4)

MAX_NAME_BYTES = 1024
MAX_PICTURES = 1 << 28
MAX_TABLE_BYTES = 1 << 33
_INFLATION = 1100  # zlib expands by at most 1032; more announced than this cannot be true

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_NUMBERED = re.compile(r"(.*?)([0-9]{1,9})([^0-9]*)", re.DOTALL)


@dataclass(frozen=True)
class NumberedNames:
    """Names such as a/00017.png, counted up by one: prefix, number with leading zeros, suffix."""

    prefix: str
    first: int
    digits: int
    suffix: str
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < self.count:  # iteration ends with it
            raise IndexError(f"there are {self.count} names, none has the index {index}")
        return f"{self.prefix}{self.first + index:0{self.digits}d}{self.suffix}"

    def find(self, name: str) -> int:
        """The position of a name, -1 where it is none of them."""
        middle = name[len(self.prefix) : len(name) - len(self.suffix)]
        if not middle.isascii() or not middle.isdigit():
            return -1
        index = int(middle) - self.first
        return index if 0 <= index < self.count and self[index] == name else -1


class ListedNames:
    """Any names, kept as one run of bytes: a million of them cost their letters, not a million objects.

    Args:
        packed: UTF-8 names, each followed by a zero byte; compressed, until a name is asked for.
        count: how many they are.

    Every access raises FormatError where the bytes are not that.
    """

    def __init__(self, packed: bytes, count: int) -> None:
        self.packed, self._count = packed, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> str:
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
        data, rest = inflate(self.packed)
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


Names = NumberedNames | ListedNames


@dataclass(frozen=True)
class PackTable:
    """What is known of some pictures.

    Attributes:
        names: one for each picture.
        lengths: (count,) uint32, bytes of each payload.
        sizes: (count, 2) uint32, width and height; None where all pictures have the header's.
        labels: (count,) uint32; None where there are none.
    """

    names: Names
    lengths: NDArray[np.uint32]
    sizes: NDArray[np.uint32] | None = None
    labels: NDArray[np.uint32] | None = None

    def __len__(self) -> int:
        return len(self.lengths)


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


def as_names(names: Sequence[str]) -> Names:
    """Counted names where they are that, else a list."""
    match = _NUMBERED.fullmatch(names[0]) if names else None
    if match:
        numbered = NumberedNames(match[1], int(match[2]), len(match[2]), match[3], len(names))
        if all(numbered[index] == name for index, name in enumerate(names)):
            return numbered
    return ListedNames(deflate(b"".join([name.encode() + b"\0" for name in names])), len(names))


def write_table(table: PackTable, *, names: Sequence[str]) -> bytes:
    """The table's bytes, compressed."""
    flags = FLAG_SIZES if table.sizes is not None else 0
    flags |= FLAG_LABELS if table.labels is not None else 0
    form = as_names(names)
    parts, listed = [b""], b""
    if isinstance(form, NumberedNames):
        flags |= FLAG_NUMBERED
        for text in (form.prefix.encode(), form.suffix.encode()):
            parts += [write_varint(len(text)), text]
        parts += [write_varint(form.first), write_varint(form.digits)]
    else:
        listed = form.packed
    parts.append(_write_column(table.lengths))
    if table.sizes is not None:
        parts += [_write_column(table.sizes[:, 0]), _write_column(table.sizes[:, 1])]
    if table.labels is not None:
        parts.append(_write_column(table.labels))
    parts[0] = bytes([flags])
    return deflate(b"".join(parts)) + listed


def read_table(data: bytes, count: int) -> PackTable:
    """Check and take apart a table of `count` pictures; its checksum was checked by the caller.

    Raises:
        FormatError: or one of its subclasses: not such a table.
    """
    raw, rest = inflate(data)
    if count > MAX_PICTURES:
        raise LimitError(f"the table announces {count} pictures, above the limit of {MAX_PICTURES}")
    if not raw:
        raise TruncatedError("the table is empty")
    flags, offset = raw[0], 1
    if flags & ~(FLAG_NUMBERED | FLAG_SIZES | FLAG_LABELS):
        raise FormatError(f"the table has unknown flags 0x{flags:02x}")
    names: Names
    if flags & FLAG_NUMBERED:
        prefix, offset = _read_text(raw, offset)
        suffix, offset = _read_text(raw, offset)
        first, offset = read_varint(raw, offset)
        digits, offset = read_varint(raw, offset)
        if digits > 9:
            raise FormatError(f"the table has numbers of {digits} digits")
        try:
            names = NumberedNames(prefix.decode(), first, digits, suffix.decode(), count)
        except UnicodeDecodeError as error:
            raise FormatError("the table's names are not UTF-8") from error
    else:
        names, rest = ListedNames(rest, count), b""
    lengths, offset = _read_column(raw, offset, count)
    sizes = labels = None
    if flags & FLAG_SIZES:
        widths, offset = _read_column(raw, offset, count)
        heights, offset = _read_column(raw, offset, count)
        sizes = np.stack([widths, heights], axis=1)
    if flags & FLAG_LABELS:
        labels, offset = _read_column(raw, offset, count)
    if offset != len(raw) or rest:
        raise FormatError(f"the table has {len(raw) - offset + len(rest)} bytes behind its end")
    return PackTable(names, lengths, sizes, labels)


def deflate(raw: bytes) -> bytes:
    """Bytes as their length, a varint, and a zlib stream."""
    return write_varint(len(raw)) + zlib.compress(raw, 9)


def inflate(data: bytes) -> tuple[bytes, bytes]:
    """The bytes of `deflate`, and what is behind the stream.

    Raises:
        FormatError: it has not; nothing was allocated beyond what the stream can hold.
    """
    length, offset = read_varint(data, 0)
    if length > MAX_TABLE_BYTES or length > _INFLATION * len(data):
        raise LimitError(f"the table announces {length} bytes, more than its {len(data)} compressed bytes can hold")
    stream = zlib.decompressobj()
    try:
        raw = stream.decompress(memoryview(data)[offset:], length + 1)
    except zlib.error as error:
        raise FormatError(f"the table cannot be decompressed: {error}") from error
    if len(raw) != length or not stream.eof:
        raise FormatError("the table is not of the length that it announces")
    return raw, stream.unused_data


def _write_column(values: NDArray[np.uint32]) -> bytes:
    """Bytes per value (1, 2 or 4), then all lowest bytes, all next ones, ...: neighbours compress well."""
    highest = int(values.max()) if len(values) else 0
    width = 1 if highest < 1 << 8 else 2 if highest < 1 << 16 else 4
    planes = values.astype("<u4").view(np.uint8).reshape(-1, 4).T[:width]  # (bytes, count)
    return bytes([width]) + np.ascontiguousarray(planes).tobytes()


def _read_column(raw: bytes, offset: int, count: int) -> tuple[NDArray[np.uint32], int]:
    """The values of a column and the offset behind it."""
    if offset >= len(raw):
        raise TruncatedError("the table ends before a column")
    width = raw[offset]
    end = offset + 1 + width * count
    if width not in _WIDTHS:
        raise FormatError(f"the table has a column of {width} bytes a value")
    if end > len(raw):
        raise TruncatedError("the table ends within a column")
    values = np.zeros((count, 4), np.uint8)
    values[:, :width] = np.frombuffer(raw, np.uint8, width * count, offset + 1).reshape(width, count).T
    column: NDArray[np.uint32] = values.reshape(-1).view("<u4").astype(np.uint32, copy=False)
    return column, end


def _read_text(raw: bytes, offset: int) -> tuple[bytes, int]:
    """Bytes behind their length, and the offset behind them."""
    length, offset = read_varint(raw, offset)
    if offset + length > len(raw):
        raise TruncatedError("the table ends within its names")
    return raw[offset : offset + length], offset + length
