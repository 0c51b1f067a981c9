"""The .isthpack file: many pictures of one model.

header (pack_header.py), blocks of at most 128 pictures (pack_block.py), and the end: index, trailer(44)
index: the number of blocks; compressed, each one's pictures and table bytes; each one's payload checksum(4 each), the
length of the table of all pictures, the table, sections: kind(1) length bytes; version 1 has of these the blocks and
the table alone
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus.container.announced import PACK_FREE_PIXELS, PACK_PIXELS_PER_BYTE
from isthmus.container.deflated import deflate, inflate
from isthmus.container.pack_block import (
    BLOCK_MARKER,
    BLOCK_PAYLOAD_BYTES,
    BLOCK_PICTURES,
    Block,
    find_blocks,
    frame_block,
    head_bytes,
    least_block_bytes,
    read_block,
    write_block,
)
from isthmus.container.pack_header import (
    END_PLACE,
    FLAG_RGB,
    FLAG_SECTIONS,
    FLAG_SIZED,
    MAGIC,
    MAX_HEADER_BYTES,
    MODEL,
    VERSION,
    PackHeader,
    ReadRange,
    place_seeds,
    read_header,
    read_section,
    with_pack_id,
    write_header,
    write_sections,
)
from isthmus.container.pack_table import PackTable, read_table, write_table
from isthmus.container.varint import MAX_BYTES, read_varint, write_varint
from isthmus.errors import ChecksumError, FormatError, LimitError, TruncatedError, UnsupportedVersionError
from isthmus.values import MAX_PIXELS, QUALITIES

__all__ = [  # the whole format, parts included
    "BLOCK_MARKER",
    "BLOCK_PAYLOAD_BYTES",
    "BLOCK_PICTURES",
    "END_MARK",
    "FLAG_RGB",
    "FLAG_SECTIONS",
    "FLAG_SIZED",
    "MAGIC",
    "MAX_HEADER_BYTES",
    "MODEL",
    "TRAILER",
    "VERSION",
    "Block",
    "PackHeader",
    "PackLayout",
    "ReadRange",
    "find_blocks",
    "frame_block",
    "head_bytes",
    "read_block",
    "read_block_of",
    "read_header",
    "read_layout",
    "read_section",
    "scan",
    "with_pack_id",
    "write_block",
    "write_header",
    "write_index",
    "write_sections",
]  # fmt: skip

TRAILER = struct.Struct("<QQIQQI4s")
# index offset, index bytes, CRC-32 of index, pictures, bytes of their sources, CRC-32 of the former, mark
TRAILER_BYTES = TRAILER.size
END_MARK = b"\xb1END"
_MEMORY = (1 << 24, 64)
"""Bytes that opening a pack may unpack to: these, and so many for each byte of the file; names that are alike, and
pictures that are one colour, take less than a fiftieth of what they unpack to."""
_RECOVER = ": try 'isthmus unpack --recover'"
_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class PackLayout:
    """Where everything is.

    Attributes:
        header: the shared facts.
        start: where the first block starts.
        table: of all pictures.
        firsts: (blocks + 1,) int64, the first picture of each block, and how many there are.
        block_offsets: (blocks + 1,) int64, where each block starts, and where the last one ends.
        checksums: (blocks,) uint32 of each block's payloads; None in version 1.
        source_bytes: what the pictures took before they were packed.
    """

    header: PackHeader
    start: int
    table: PackTable
    firsts: NDArray[np.int64]
    block_offsets: NDArray[np.int64]
    checksums: NDArray[np.uint32] | None
    source_bytes: int

    def block_of(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The block of each picture."""
        return np.searchsorted(self.firsts, places, side="right") - 1


def write_index(
    table: PackTable,
    *,
    names: list[str],
    counts: list[int],
    table_lengths: list[int],
    offset: int,
    source_bytes: int = 0,
    checksums: list[int] | None = None,
    pack_id: bytes = b"",
) -> bytes:
    """The index and the trailer behind it, of version 1 where there is no pack id.

    Args:
        table: of all pictures.
        names: of all pictures.
        counts: pictures of each block.
        table_lengths: bytes of each block's table.
        offset: where the index will start.
        source_bytes: what the pictures took before they were packed.
        checksums: CRC-32 of each block's payloads, seeded with its place; since version 2.
        pack_id: of the header.
    """
    raw = b"".join(write_varint(count) + write_varint(size) for count, size in zip(counts, table_lengths, strict=True))
    written = write_table(table, names=names)
    index = write_varint(len(counts)) + deflate(raw)
    if pack_id:
        index += np.array(checksums, "<u4").tobytes() + write_varint(len(written))
    index += written
    of_index, of_trailer = place_seeds(pack_id, END_PLACE)
    facts = (offset, len(index), zlib.crc32(index, of_index), len(table), source_bytes, 0, END_MARK)
    trailer = TRAILER.pack(*facts)[:-8]
    return index + trailer + struct.pack("<I", zlib.crc32(trailer, of_trailer)) + END_MARK


def read_layout(read: ReadRange, size: int, *, pixel_limit: int | None = None) -> PackLayout:
    """Everything but the payloads of a whole pack; memory in proportion to the file.

    Args:
        read: gives bytes of the file.
        size: bytes of the file.
        pixel_limit: the most pixels that a picture may have; None for as many as so long a pack can hold.

    Raises:
        FormatError: or one of its subclasses: damaged, or not finished (`scan` gets what there is).
        LimitError: it unpacks to more than the pictures of so small a file need.
    """
    header, start = read_header(read(0, MAX_HEADER_BYTES))
    trailer = read(max(0, size - TRAILER_BYTES), TRAILER_BYTES)
    if size < start + TRAILER_BYTES or trailer[-4:] != END_MARK:
        raise TruncatedError(f"the pack has no end: it was cut, or its writing was stopped{_RECOVER}", offset=size)
    of_index, of_trailer = place_seeds(header.pack_id, END_PLACE)
    if struct.pack("<I", zlib.crc32(trailer[:-8], of_trailer)) != trailer[-8:-4]:
        raise ChecksumError(f"the pack's last bytes do not match their checksum{_RECOVER}", offset=size)
    offset, length, checksum, count, source_bytes, _, _ = TRAILER.unpack(trailer)
    if offset < start or offset + length + TRAILER_BYTES != size:
        raise FormatError(f"the pack's index is not where its last bytes say{_RECOVER}", offset=size)
    index = read(offset, length)
    if len(index) != length or zlib.crc32(index, of_index) != checksum:
        raise ChecksumError(f"the pack's index does not match its checksum{_RECOVER}", offset=offset)
    most = _MEMORY[0] + _MEMORY[1] * size
    counts, table_lengths, place = _read_blocks(index, header.version, offset - start)
    if count > BLOCK_PICTURES * len(counts):
        raise LimitError(f"the pack announces {count} pictures, more than its {len(counts)} blocks can hold")
    has_checksums = header.version > 1
    checksums, written = _read_checksums(index, place, len(counts)) if has_checksums else (None, index[place:])
    table = read_table(written, count, most=most)
    _check_table(header, table)
    _check_pixels(header, table, size, pixel_limit)
    firsts, block_offsets = _places(header, table, counts, table_lengths, start=start, end=offset)
    return PackLayout(header, start, table, firsts, block_offsets, checksums, source_bytes)


def read_block_of(read: ReadRange, layout: PackLayout, number: int) -> Block:
    """A block of a whole pack, held to what the index says of it.

    Raises:
        FormatError: or one of its subclasses: damaged, or the block of another place or pack.
    """
    offset, end = layout.block_offsets[number : number + 2].tolist()
    whole, pack_id = read(offset, end - offset), layout.header.pack_id
    block = read_block(lambda at, length: whole[at - offset : at - offset + length], offset, pack_id=pack_id)
    first, behind = layout.firsts[number : number + 2].tolist()
    if block.length != end - offset or not np.array_equal(block.table.lengths, layout.table.lengths[first:behind]):
        raise FormatError("a block of the pack is not as the index says", offset=offset)
    if layout.checksums is None:
        ends = (0, behind - first - 1)  # of names that are unique
        is_there = all(block.table.names[index] == layout.table.names[first + index] for index in ends)
    else:
        is_there = block.number == number and block.checksum == int(layout.checksums[number])
    if not is_there:
        raise ChecksumError("a block of the pack is not the one of its place: the file was put together", offset=offset)
    return block


def scan(read: ReadRange, size: int) -> Iterator[Block]:
    """Every whole block of a damaged or unfinished pack, in order; blocks of other packs are left out.

    So are, where the index is whole, blocks that it does not know: of an earlier state of the same pack, say.

    Raises:
        FormatError: or one of its subclasses: the header is damaged.
    """
    header, start = read_header(read(0, MAX_HEADER_BYTES))
    try:
        checksums = read_layout(read, size).checksums
    except FormatError:
        checksums = None
    for block in find_blocks(read, size, header=header, start=start):
        known = checksums is None or (block.number < len(checksums) and block.checksum == checksums[block.number])
        if known:
            yield block


def _read_blocks(index: bytes, version: int, room: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """(blocks,) pictures, (blocks,) table bytes, and the place in the index behind them."""
    blocks, place = read_varint(index, 0)
    if blocks * least_block_bytes(version) > room:
        raise LimitError(f"the pack announces {blocks} blocks, more than its {room} bytes can hold")
    raw, rest = inflate(index[place:], 2 * MAX_BYTES * blocks)
    pairs = np.empty((blocks, 2), np.int64)
    offset = 0
    for pair in pairs:
        pair[0], offset = read_varint(raw, offset)
        pair[1], offset = read_varint(raw, offset)
    if offset != len(raw):
        raise FormatError("the index has bytes behind its blocks")
    return pairs[:, 0], pairs[:, 1], len(index) - len(rest)


def _read_checksums(index: bytes, place: int, blocks: int) -> tuple[NDArray[np.uint32], bytes]:
    """(blocks,) checksums, and the table; sections behind it are of kinds that this release may skip."""
    if place + 4 * blocks > len(index):
        raise TruncatedError("the index ends within its checksums")
    checksums = np.frombuffer(index, "<u4", blocks, place).astype(np.uint32)
    length, place = read_varint(index, place + 4 * blocks)
    table, place = index[place : place + length], place + length
    while place < len(index):
        kind = index[place]
        if kind % 2 == 0:
            raise UnsupportedVersionError(f"the index has a section of kind {kind}, unknown here: update isthmus")
        length, place = read_varint(index, place + 1)
        place += length
    if place != len(index):
        raise TruncatedError("the index ends within a section")
    return checksums, table


def _check_table(header: PackHeader, table: PackTable) -> None:
    """Refuse what no picture has."""
    if (table.sizes is None) != (header.size is not None):
        raise FormatError("the index gives pictures sizes where the header does, or neither does")
    qualities = table.qualities
    if qualities is not None and len(table) and not 1 <= qualities.min() <= qualities.max() <= QUALITIES:
        raise FormatError(f"the index gives a picture a quality outside 1 to {QUALITIES}")


def _check_pixels(header: PackHeader, table: PackTable, size: int, pixel_limit: int | None) -> None:
    """Refuse more pixels than so long a pack can hold.

    Raises:
        LimitError: a picture has none, or more than the limit, or all together have more than `announced` allows.
    """
    width, height = header.size or (0, 0)
    total, largest, least = width * height * len(table), width * height, 1
    for start in range(0, len(table) if table.sizes is not None else 0, _AT_ONCE):
        pixels = table.sizes[start : start + _AT_ONCE].astype(np.int64).prod(axis=1)  # type: ignore[index]  # see above
        total, largest, least = (
            total + int(pixels.sum()),
            max(largest, int(pixels.max())),
            min(least, int(pixels.min())),
        )
    most = MAX_PIXELS if pixel_limit is None else pixel_limit
    if least < 1 or (len(table) and largest > most):
        raise LimitError(f"the pack holds a picture without pixels, or with more than {most}")
    most = PACK_FREE_PIXELS + PACK_PIXELS_PER_BYTE * size
    if pixel_limit is None and total > most:
        raise LimitError(
            f"the pack announces {total} pixels, above the limit of {most} for its {size} bytes: "
            "--pixel-limit N (in Python pixel_limit=N) allows each picture so many"
        )


def _places(
    header: PackHeader,
    table: PackTable,
    counts: NDArray[np.int64],
    table_lengths: NDArray[np.int64],
    *,
    start: int,
    end: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`PackLayout.firsts` and `PackLayout.block_offsets` out of lengths; refuses what does not add up."""
    if int(counts.sum()) != len(table) or (len(counts) and not 1 <= counts.min() <= counts.max() <= BLOCK_PICTURES):
        raise FormatError("the index's blocks do not hold as many pictures as it names")
    firsts = np.concatenate([[0], np.cumsum(counts)])
    payloads = np.add.reduceat(table.lengths, firsts[:-1], dtype=np.int64) if len(counts) else counts
    lengths = head_bytes(header.version) + table_lengths + payloads
    block_offsets = start + np.concatenate([[0], np.cumsum(lengths)])
    if int(block_offsets[-1]) != end:
        raise FormatError(
            f"the index describes {block_offsets[-1] - start} bytes of blocks where the file has {end - start}",
            offset=end,
        )
    return firsts, block_offsets
