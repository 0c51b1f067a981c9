"""The table of a .isthpack file: what is known of each picture beside its payload; in blocks and in the index.

Two zlib streams, each behind its uncompressed length: flags(1) [numbered names] lengths [widths heights] [labels]
[number of further columns, each with its kind(1)], and where names are listed, those. A million listed names take
longer than all else, so they wait until somebody asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.container.deflated import MAX_INFLATED, deflate, inflate
from isthmus.container.pack_names import MAX_NAME_BYTES, ListedNames, Names, NumberedNames, as_names
from isthmus.container.varint import read_varint, write_varint
from isthmus.errors import FormatError, LimitError, TruncatedError, UnsupportedVersionError

FLAG_NUMBERED = 0x01
FLAG_SIZES = 0x02
FLAG_LABELS = 0x04
FLAG_MORE = 0x08
_WIDTHS: dict[int, type[np.unsignedinteger[Any]]] = {1: np.uint8, 2: np.uint16, 4: np.uint32}

FORMS, QUALITIES = 2, 4
COLUMN_NAMES = {FORMS: "forms", QUALITIES: "qualities"}
"""Kinds of further columns that this release knows; an odd kind is one that a reader may skip."""
MAX_COLUMNS = 16

MAX_PICTURES = 1 << 28
MIN_TABLE_BYTES = 9
"""A length of one byte and the shortest zlib stream."""
_FIXED = 2 * (MAX_NAME_BYTES + 5) + 2 * 5 + 2
"""Bytes of a table beside its columns, at most."""

Column = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class PackTable:
    """What is known of some pictures.

    Attributes:
        names: one for each picture.
        lengths: (count,), bytes of each payload.
        sizes: (count, 2), width and height; None where all pictures have the header's.
        labels: (count,) uint32; None where there are none.
        forms: (count,), how each picture's payload is to be read, see docs/format.md; None where all are 0.
        qualities: (count,), 1 to 100; None where all have the header's.

    Columns that are read have the narrowest unsigned type of 1, 2 or 4 bytes that holds them, but for labels.
    """

    names: Names
    lengths: Column
    sizes: Column | None = None
    labels: NDArray[np.uint32] | None = None
    forms: Column | None = None
    qualities: Column | None = None

    def __len__(self) -> int:
        return len(self.lengths)


def write_table(table: PackTable, *, names: Sequence[str]) -> bytes:
    """The table's bytes, compressed."""
    flags = FLAG_SIZES if table.sizes is not None else 0
    flags |= FLAG_LABELS if table.labels is not None else 0
    more = {FORMS: table.forms, QUALITIES: table.qualities}
    further = {kind: column for kind, column in more.items() if column is not None}
    flags |= FLAG_MORE if further else 0
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
    if further:
        parts.append(write_varint(len(further)))
        parts += [bytes([kind]) + _write_column(column) for kind, column in further.items()]
    parts[0] = bytes([flags])
    return deflate(b"".join(parts)) + listed


def most_table_bytes(count: int) -> int:
    """Of a written table of so many pictures: zlib makes nothing longer by more than this."""
    raw = _FIXED + (4 + MAX_COLUMNS) * (1 + 4 * count) + count * (MAX_NAME_BYTES + 1)
    return raw + raw // 100 + 64


def read_table(data: bytes, count: int, *, most: int = MAX_INFLATED) -> PackTable:
    """Check and take apart a table of `count` pictures; its checksum was checked by the caller.

    Args:
        data: the table.
        count: pictures that it is of.
        most: bytes that the table, and its names, may take in memory.

    Raises:
        FormatError: or one of its subclasses: not such a table.
        LimitError: it unpacks to more.
    """
    if count > MAX_PICTURES:
        raise LimitError(f"the table announces {count} pictures, above the limit of {MAX_PICTURES}")
    raw, rest = inflate(data, min(most, _FIXED + (4 + MAX_COLUMNS) * (1 + 4 * count)))
    if not raw:
        raise TruncatedError("the table is empty")
    flags, offset = raw[0], 1
    if flags & ~(FLAG_NUMBERED | FLAG_SIZES | FLAG_LABELS | FLAG_MORE):
        raise UnsupportedVersionError(f"the table has flags 0x{flags:02x}, unknown here: update isthmus")
    names: Names
    if flags & FLAG_NUMBERED:
        names, offset = _read_numbered(raw, offset, count)
    else:
        names, rest = ListedNames(rest, count, most=most), b""
    lengths, offset = _read_column(raw, offset, count)
    sizes = labels = None
    if flags & FLAG_SIZES:
        widths, offset = _read_column(raw, offset, count)
        heights, offset = _read_column(raw, offset, count)
        sizes = np.stack([widths, heights], axis=1)
    if flags & FLAG_LABELS:
        column, offset = _read_column(raw, offset, count)
        labels = column.astype(np.uint32)
    further, offset = _read_further(raw, offset, count) if flags & FLAG_MORE else ({}, offset)
    if offset != len(raw) or rest:
        raise FormatError(f"the table has {len(raw) - offset + len(rest)} bytes behind its end")
    return PackTable(names, lengths, sizes, labels, further.get(FORMS), further.get(QUALITIES))


def _read_numbered(raw: bytes, offset: int, count: int) -> tuple[NumberedNames, int]:
    """Counted names, and the offset behind them."""
    prefix, offset = _read_text(raw, offset)
    suffix, offset = _read_text(raw, offset)
    first, offset = read_varint(raw, offset)
    digits, offset = read_varint(raw, offset)
    if digits > 9:
        raise FormatError(f"the table has numbers of {digits} digits")
    try:
        return NumberedNames(prefix.decode(), first, digits, suffix.decode(), count), offset
    except UnicodeDecodeError as error:
        raise FormatError("the table's names are not UTF-8") from error


def _read_further(raw: bytes, offset: int, count: int) -> tuple[dict[int, Column], int]:
    """The further columns that this release knows, by kind, and the offset behind all.

    Raises:
        FormatError: no such columns, or a kind twice.
        UnsupportedVersionError: one that is neither known nor of a kind that may be skipped.
    """
    columns: dict[int, Column] = {}
    number, offset = read_varint(raw, offset)
    if not 1 <= number <= MAX_COLUMNS:
        raise FormatError(f"the table announces {number} further columns")
    for _ in range(number):
        if offset >= len(raw):
            raise TruncatedError("the table ends before a column")
        kind = raw[offset]
        if kind in columns:
            raise FormatError(f"the table has two columns of kind {kind}")
        if kind not in COLUMN_NAMES and kind % 2 == 0:
            raise UnsupportedVersionError(f"the table has a column of kind {kind}, unknown here: update isthmus")
        columns[kind], offset = _read_column(raw, offset + 1, count)
    return columns, offset


def _write_column(values: NDArray[np.integer[Any]]) -> bytes:
    """Bytes per value (1, 2 or 4), then all lowest bytes, all next ones, ...: neighbours compress well."""
    highest = int(values.max()) if len(values) else 0
    width = 1 if highest < 1 << 8 else 2 if highest < 1 << 16 else 4
    planes = values.astype("<u4").view(np.uint8).reshape(-1, 4).T[:width]  # (bytes, count)
    return bytes([width]) + np.ascontiguousarray(planes).tobytes()


def _read_column(raw: bytes, offset: int, count: int) -> tuple[Column, int]:
    """The values of a column, in as many bytes as it has, and the offset behind it."""
    if offset >= len(raw):
        raise TruncatedError("the table ends before a column")
    width = raw[offset]
    end = offset + 1 + width * count
    if width not in _WIDTHS:
        raise FormatError(f"the table has a column of {width} bytes a value")
    if end > len(raw):
        raise TruncatedError("the table ends within a column")
    planes = np.frombuffer(raw, np.uint8, width * count, offset + 1).reshape(width, count)
    if width == 1:
        return planes[0], end
    little_endian = np.dtype(_WIDTHS[width]).newbyteorder("<")
    column: Column = np.ascontiguousarray(planes.T).reshape(-1).view(little_endian).astype(_WIDTHS[width], copy=False)
    return column, end


def _read_text(raw: bytes, offset: int) -> tuple[bytes, int]:
    """Bytes behind their length, and the offset behind them."""
    length, offset = read_varint(raw, offset)
    if offset + length > len(raw):
        raise TruncatedError("the table ends within its names")
    return raw[offset : offset + length], offset + length
