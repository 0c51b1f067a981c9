"""The blocks of a .isthpack: at most 128 pictures each, so that a damaged byte or a crash costs no more than those.

marker(4) number(4) count(2) table length(4) payload length(4) CRC-32 of the former and the table(4) CRC-32 of the
payloads(4), the table, the payloads; version 1 has no number
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from isthmus.container.pack_header import PackHeader, ReadRange, place_seeds
from isthmus.container.pack_table import MIN_TABLE_BYTES, PackTable, most_table_bytes, read_table, write_table
from isthmus.errors import ChecksumError, FormatError, LimitError, TruncatedError

BLOCK_MARKER = b"\xb1BLK"
BLOCK_PICTURES = 128
BLOCK_PAYLOAD_BYTES = 1 << 16  # a block ends with the picture that reaches this
MAX_BLOCK_BYTES = 1 << 31
_HEADS = {1: struct.Struct("<4sHII"), 2: struct.Struct("<4sIHII")}
_WASTE = 16
"""Bytes that a search for blocks may look at in vain, in bytes of the file: damage has few false markers."""


@dataclass(frozen=True)
class Block:
    """A block whose checksums are right.

    Attributes:
        offset: of its first byte.
        length: bytes, head and all.
        number: of the block in its pack, from 0; in version 1, which does not say, 0.
        table: of its pictures.
        payloads: of them, in a row.
        checksum: CRC-32 of the payloads, seeded with pack and place.
    """

    offset: int
    length: int
    number: int
    table: PackTable
    payloads: bytes
    checksum: int


def head_bytes(version: int) -> int:
    """Of a block, its two checksums included."""
    return _HEADS[version].size + 8


def least_block_bytes(version: int) -> int:
    """Of a block with one picture, or with 128."""
    return head_bytes(version) + MIN_TABLE_BYTES


def write_block(
    table: PackTable, *, names: list[str], payloads: list[bytes], pack_id: bytes = b"", number: int = 0
) -> bytes:
    """One block's bytes, of version 1 where there is no pack id."""
    return frame_block(write_table(table, names=names), b"".join(payloads), len(table), pack_id=pack_id, number=number)


def frame_block(table: bytes, payloads: bytes, count: int, *, pack_id: bytes, number: int) -> bytes:
    """A block of a written table and joined payloads."""
    facts = (number, count, len(table), len(payloads)) if pack_id else (count, len(table), len(payloads))
    head = _HEADS[2 if pack_id else 1].pack(BLOCK_MARKER, *facts)
    of_head, of_payloads = place_seeds(pack_id, number)
    return head + _crc(head + table, of_head) + _crc(payloads, of_payloads) + table + payloads


def read_block(read: ReadRange, offset: int, *, pack_id: bytes = b"") -> Block:
    """The block at an offset, both checksums checked.

    Raises:
        FormatError: or one of its subclasses: no whole block of this pack is there.
    """
    head = _read_head(read, offset, version=2 if pack_id else 1)
    body = read(offset + head.length, head.table_length + head.payload_length)
    if len(body) < head.table_length + head.payload_length:
        raise TruncatedError("the pack ends within a block", offset=offset + head.length + len(body))
    table_bytes, payloads = body[: head.table_length], body[head.table_length :]
    of_head, of_payloads = place_seeds(pack_id, head.number)
    if _crc(head.data[:-8] + table_bytes, of_head) != head.data[-8:-4]:
        raise ChecksumError("a block's table does not match its checksum: the file is damaged", offset=offset)
    if _crc(payloads, of_payloads) != head.data[-4:]:
        raise ChecksumError(
            f"the payloads of {head.count} pictures do not match their checksum: the file is damaged", offset=offset
        )
    table = read_table(table_bytes, head.count)
    if int(table.lengths.sum(dtype=np.int64)) != head.payload_length:
        raise FormatError("a block's payloads are not as long as its table says", offset=offset)
    checksum = int.from_bytes(head.data[-4:], "little")
    return Block(offset, head.length + len(body), head.number, table, payloads, checksum)


def find_blocks(read: ReadRange, size: int, *, header: PackHeader, start: int) -> Iterator[Block]:
    """Every whole block of a damaged or unfinished pack, in order; damage is skipped to the next good block of it.

    Args:
        read: gives bytes of the file.
        size: bytes of the file.
        header: of the pack.
        start: where the first block starts.

    Raises:
        LimitError: so much of the file looks like blocks and is none that no damage does it.
    """
    offset, number, wasted = start, 0, 0
    while offset + head_bytes(header.version) <= size:
        try:
            block = read_block(read, offset, pack_id=header.pack_id)
            if header.pack_id and block.number < number:
                raise FormatError("a block of the pack is there a second time", offset=offset)
        except FormatError:
            wasted += _looked_at(read, offset, size, version=header.version)
            if wasted > _WASTE * size:
                raise LimitError("the pack has more that looks like blocks and is none than damage leaves") from None
            found = _next_marker(read, offset + 1, size)
            if found is None:
                return
            offset = found
            continue
        yield block
        offset, number = offset + block.length, block.number + 1


@dataclass(frozen=True)
class _Head:
    number: int
    count: int
    table_length: int
    payload_length: int
    data: bytes

    @property
    def length(self) -> int:
        return len(self.data)


def _read_head(read: ReadRange, offset: int, *, version: int) -> _Head:
    """The facts before a block's table.

    Raises:
        FormatError: or one of its subclasses: no head is there.
    """
    size = head_bytes(version)
    data = read(offset, size)
    if len(data) < size:
        raise TruncatedError("the pack ends within a block's head", offset=offset + len(data))
    marker, *facts = _HEADS[version].unpack(data[:-8])
    number, count, table_length, payload_length = facts if version > 1 else (0, *facts)
    if marker != BLOCK_MARKER or not 1 <= count <= BLOCK_PICTURES:
        raise FormatError("a block of the pack does not start where it should", offset=offset)
    if table_length > most_table_bytes(count) or table_length + payload_length > MAX_BLOCK_BYTES:
        raise LimitError("a block of the pack announces more than blocks hold", offset=offset)
    return _Head(number, count, table_length, payload_length, data)


def _looked_at(read: ReadRange, offset: int, size: int, *, version: int) -> int:
    """Bytes that a failed `read_block` went through."""
    try:
        head = _read_head(read, offset, version=version)
    except FormatError:
        return 0
    return min(head.table_length + head.payload_length, size - offset)


def _next_marker(read: ReadRange, offset: int, size: int) -> int | None:
    """Where the next block's marker is, searched a mebibyte at a time."""
    step = 1 << 20
    while offset < size:
        found = read(offset, step + len(BLOCK_MARKER) - 1).find(BLOCK_MARKER)
        if found >= 0:
            return offset + found
        offset += step
    return None


def _crc(data: bytes, seed: int) -> bytes:
    return struct.pack("<I", zlib.crc32(data, seed))
