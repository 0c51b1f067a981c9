"""The .isthpack file: many pictures of one model.

header: magic(7) version(1) model id(8) flags(1) quality(1) width height CRC-32(4)
blocks: marker(4) count(2) table length(4) payload length(4) CRC-32 of head and table(4) CRC-32 of payloads(4)
        table, payloads; at most 128 pictures, so that a damaged byte or a crash costs no more than those
end:    index (the blocks' counts and all tables in one; compressed), trailer(44)
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus.container.pack_table import PackTable, deflate, inflate, read_table, write_table
from isthmus.container.varint import read_varint, write_varint
from isthmus.errors import ChecksumError, FormatError, LimitError, TruncatedError, UnsupportedVersionError
from isthmus.values import MAX_PIXELS

MAGIC = b"\x89IPCK\r\n"
VERSION = 1
MODEL_ID_BYTES = 8
FLAG_RGB = 0x01
FLAG_SIZED = 0x02
MAX_HEADER_BYTES = len(MAGIC) + 1 + MODEL_ID_BYTES + 2 + 5 + 5 + 4

BLOCK_MARKER = b"\xb1BLK"
BLOCK_HEAD = struct.Struct(
    "<4sHIII"
)  # marker, pictures, table bytes, payload bytes, CRC-32 of the former and the table
BLOCK_HEAD_BYTES = BLOCK_HEAD.size + 4  # and the CRC-32 of the payloads
BLOCK_PICTURES = 128
BLOCK_PAYLOAD_BYTES = 1 << 16  # a block ends with the picture that reaches this
MAX_BLOCK_BYTES = 1 << 31

TRAILER = struct.Struct("<QQIQQI4s")
# index offset, index bytes, CRC-32 of index, pictures, bytes of their sources, CRC-32 of the former, mark
TRAILER_BYTES = TRAILER.size
END_MARK = b"\xb1END"

ReadRange = Callable[[int, int], bytes]
"""(offset, length) to that many bytes, fewer at the file's end."""


@dataclass(frozen=True)
class PackHeader:
    """What all pictures of a pack share.

    Attributes:
        model_id: first 8 bytes of the SHA-256 that names the model.
        channels: 1 for grey, 3 for RGB.
        quality: 1 to 100.
        size: (width, height) of every picture; None where each has its own.
    """

    model_id: bytes
    channels: int
    quality: int
    size: tuple[int, int] | None


@dataclass(frozen=True)
class PackLayout:
    """Where everything is.

    Attributes:
        header: the shared facts.
        table: of all pictures.
        offsets: (count,) int64, where each payload starts.
        block_of: (count,) int32, the block of each picture.
        block_offsets: (blocks + 1,) int64, where each block starts, and where the last one ends.
        counts: (blocks,) int64, pictures of each block.
        table_lengths: (blocks,) int64, bytes of each block's table.
        source_bytes: what the pictures took before they were packed.
    """

    header: PackHeader
    table: PackTable
    offsets: NDArray[np.int64]
    block_of: NDArray[np.int32]
    block_offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    table_lengths: NDArray[np.int64]
    source_bytes: int


@dataclass(frozen=True)
class Block:
    """A block whose checksums are right: where it is, its table, its payloads in a row."""

    offset: int
    length: int
    table: PackTable
    payloads: bytes


def write_header(header: PackHeader) -> bytes:
    """The header's bytes."""
    flags = (FLAG_RGB if header.channels == 3 else 0) | (FLAG_SIZED if header.size else 0)
    width, height = header.size or (0, 0)
    head = MAGIC + bytes([VERSION]) + header.model_id + bytes([flags, header.quality])
    head += write_varint(width) + write_varint(height)
    return head + _crc(head)


def read_header(data: bytes) -> tuple[PackHeader, int]:
    """The header and its length in bytes.

    Args:
        data: the file's first `MAX_HEADER_BYTES`, or what there is of them.

    Raises:
        FormatError: or one of its subclasses: not the beginning of a pack.
    """
    if data[: len(MAGIC)] != MAGIC:
        if data == MAGIC[: len(data)]:
            raise TruncatedError("the pack ends within its first bytes", offset=len(data))
        raise FormatError("not a .isthpack file: its first bytes are not the format's", offset=0)
    fixed = len(MAGIC) + 1 + MODEL_ID_BYTES
    if len(data) < fixed + 2:
        raise TruncatedError("the pack ends within its header", offset=len(data))
    if data[len(MAGIC)] != VERSION:
        raise UnsupportedVersionError(
            f"the pack has format version {data[len(MAGIC)]}, this release reads version {VERSION}: update isthmus",
            offset=len(MAGIC),
        )
    flags, quality = data[fixed], data[fixed + 1]
    width, offset = read_varint(data, fixed + 2)
    height, offset = read_varint(data, offset)
    if len(data) < offset + 4:
        raise TruncatedError("the pack ends within its header", offset=len(data))
    if _crc(data[:offset]) != data[offset : offset + 4]:
        raise ChecksumError("the pack's header does not match its checksum: the file is damaged", offset=0)
    sized = bool(flags & FLAG_SIZED)
    if flags & ~(FLAG_RGB | FLAG_SIZED) or not 1 <= quality <= 100 or sized != (width * height > 0):
        raise FormatError("the pack's header says what no writer writes", offset=fixed)
    if width * height > MAX_PIXELS:
        raise LimitError(f"the pack announces {width}×{height} pixels, above the limit of {MAX_PIXELS}")
    header = PackHeader(
        data[len(MAGIC) + 1 : fixed], 3 if flags & FLAG_RGB else 1, quality, (width, height) if sized else None
    )
    return header, offset + 4


def write_block(table: PackTable, *, names: list[str], payloads: list[bytes]) -> bytes:
    """One block's bytes."""
    packed = write_table(table, names=names)
    joined = b"".join(payloads)
    head = BLOCK_HEAD.pack(BLOCK_MARKER, len(table), len(packed), len(joined), 0)[:-4]
    return head + _crc(head + packed) + _crc(joined) + packed + joined


def read_block(read: ReadRange, offset: int) -> Block:
    """The block at an offset, both checksums checked.

    Raises:
        FormatError: or one of its subclasses: no whole block is there.
    """
    count, table_length, payload_length, head = read_block_head(read, offset)
    body = read(offset + BLOCK_HEAD_BYTES, table_length + payload_length)
    if len(body) < table_length + payload_length:
        raise TruncatedError("the pack ends within a block", offset=offset + BLOCK_HEAD_BYTES + len(body))
    table_bytes, payloads = body[:table_length], body[table_length:]
    if _crc(head[:14] + table_bytes) != head[14:18]:
        raise ChecksumError("a block's table does not match its checksum: the file is damaged", offset=offset)
    if _crc(payloads) != head[18:22]:
        raise ChecksumError(
            f"the payloads of {count} pictures do not match their checksum: the file is damaged", offset=offset
        )
    table = read_table(table_bytes, count)
    if int(table.lengths.sum(dtype=np.int64)) != payload_length:
        raise FormatError("a block's payloads are not as long as its table says", offset=offset)
    return Block(offset, BLOCK_HEAD_BYTES + len(body), table, payloads)


def read_block_head(read: ReadRange, offset: int) -> tuple[int, int, int, bytes]:
    """Pictures, table bytes, payload bytes, and the head itself.

    Raises:
        FormatError: or `TruncatedError`: no head is there.
    """
    head = read(offset, BLOCK_HEAD_BYTES)
    if len(head) < BLOCK_HEAD_BYTES:
        raise TruncatedError("the pack ends within a block's head", offset=offset + len(head))
    marker, count, table_length, payload_length, _ = BLOCK_HEAD.unpack(head[: BLOCK_HEAD.size])
    if marker != BLOCK_MARKER or not 1 <= count <= BLOCK_PICTURES:
        raise FormatError("a block of the pack does not start where it should", offset=offset)
    if table_length + payload_length > MAX_BLOCK_BYTES:
        raise LimitError("a block of the pack announces more than 2 GiB", offset=offset)
    return count, table_length, payload_length, head


def write_index(
    table: PackTable,
    *,
    names: list[str],
    counts: list[int],
    table_lengths: list[int],
    offset: int,
    source_bytes: int = 0,
) -> bytes:
    """The index and the trailer behind it.

    Args:
        table: of all pictures.
        names: of all pictures.
        counts: pictures of each block.
        table_lengths: bytes of each block's table.
        offset: where the index will start.
        source_bytes: what the pictures took before they were packed.
    """
    raw = b"".join(write_varint(count) + write_varint(size) for count, size in zip(counts, table_lengths, strict=True))
    index = write_varint(len(counts)) + deflate(raw) + write_table(table, names=names)
    trailer = TRAILER.pack(offset, len(index), zlib.crc32(index), len(table), source_bytes, 0, END_MARK)[:-8]
    return index + trailer + _crc(trailer) + END_MARK


def read_layout(read: ReadRange, size: int) -> PackLayout:
    """Everything but the payloads of a whole pack.

    Args:
        read: gives bytes of the file.
        size: bytes of the file.

    Raises:
        FormatError: or one of its subclasses: damaged, or not finished (`scan` gets what there is).
    """
    header, start = read_header(read(0, MAX_HEADER_BYTES))
    trailer = read(max(0, size - TRAILER_BYTES), TRAILER_BYTES)
    if size < start + TRAILER_BYTES or trailer[-4:] != END_MARK:
        raise TruncatedError(
            "the pack has no end: it was cut, or its writing was stopped: try 'isthmus unpack --recover'",
            offset=size,
        )
    if _crc(trailer[:-8]) != trailer[-8:-4]:
        raise ChecksumError(
            "the pack's last bytes do not match their checksum: try 'isthmus unpack --recover'", offset=size
        )
    offset, length, checksum, count, source_bytes, _, _ = TRAILER.unpack(trailer)
    if offset < start or offset + length + TRAILER_BYTES != size:
        raise FormatError(
            "the pack's index is not where its last bytes say: try 'isthmus unpack --recover'", offset=size
        )
    index = read(offset, length)
    if len(index) != length or zlib.crc32(index) != checksum:
        raise ChecksumError(
            "the pack's index does not match its checksum: try 'isthmus unpack --recover'", offset=offset
        )
    blocks, place = read_varint(index, 0)
    raw, rest = inflate(index[place:])
    counts, table_lengths = _read_blocks(raw, blocks)
    table = read_table(rest, count)
    return _layout(header, table, counts, table_lengths, start=start, end=offset, source_bytes=source_bytes)


def scan(read: ReadRange, size: int) -> Iterator[Block]:
    """Every whole block of a damaged or unfinished pack, in order; damage is skipped to the next good block."""
    _, offset = read_header(read(0, MAX_HEADER_BYTES))
    while offset + BLOCK_HEAD_BYTES <= size:
        try:
            block = read_block(read, offset)
        except FormatError:
            found = _next_marker(read, offset + 1, size)
            if found is None:
                return
            offset = found
            continue
        yield block
        offset += block.length


def _next_marker(read: ReadRange, offset: int, size: int) -> int | None:
    """Where the next block's marker is, searched a mebibyte at a time."""
    step = 1 << 20
    while offset < size:
        found = read(offset, step + len(BLOCK_MARKER) - 1).find(BLOCK_MARKER)
        if found >= 0:
            return offset + found
        offset += step
    return None


def _read_blocks(raw: bytes, blocks: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(blocks,) pictures and (blocks,) table bytes."""
    if 2 * blocks > len(raw):
        raise FormatError("the index announces more blocks than it holds")
    pairs = np.empty((blocks, 2), np.int64)
    offset = 0
    for pair in pairs:
        pair[0], offset = read_varint(raw, offset)
        pair[1], offset = read_varint(raw, offset)
    if offset != len(raw):
        raise FormatError("the index has bytes behind its blocks")
    return pairs[:, 0], pairs[:, 1]


def _layout(
    header: PackHeader,
    table: PackTable,
    counts: NDArray[np.int64],
    table_lengths: NDArray[np.int64],
    *,
    start: int,
    end: int,
    source_bytes: int,
) -> PackLayout:
    """Offsets out of lengths; refuses what does not add up."""
    if int(counts.sum()) != len(table) or (
        len(counts) and not 1 <= int(counts.min()) <= int(counts.max()) <= BLOCK_PICTURES
    ):
        raise FormatError("the index's blocks do not hold as many pictures as it names")
    if (table.sizes is None) != (header.size is not None):
        raise FormatError("the index gives pictures sizes where the header does, or neither does")
    if table.sizes is not None and len(table.sizes):
        pixels = table.sizes.astype(np.int64).prod(axis=1)
        if int(pixels.min()) < 1 or int(pixels.max()) > MAX_PIXELS:
            raise LimitError(f"the pack holds a picture without pixels, or with more than {MAX_PIXELS}")
    overhead = BLOCK_HEAD_BYTES + table_lengths
    lengths = table.lengths.astype(np.int64)
    block_of = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    offsets = start + np.cumsum(lengths) - lengths + np.cumsum(overhead)[block_of]
    firsts = np.cumsum(counts) - counts
    block_offsets = offsets[firsts] - overhead
    total = start + int(lengths.sum()) + int(overhead.sum())
    if total != end:
        raise FormatError(f"the index describes {total} bytes of blocks where the file has {end}", offset=end)
    block_ends = np.append(block_offsets, end)
    return PackLayout(header, table, offsets, block_of, block_ends, counts, table_lengths, source_bytes)


def _crc(data: bytes) -> bytes:
    return struct.pack("<I", zlib.crc32(data))
