"""The first bytes of a .isthpack: what all its pictures share, the pack's own id, and sections such as its model.

magic(7) version(1) model id(8) pack id(8) flags(1) quality(1) width height [sections: count, then kind(1) length each]
CRC-32(4), then each section's bytes and its CRC-32(4); version 1 has neither a pack id nor sections

The pack id is made of the header and the first block, so that the same pictures give the same bytes. All checksums
behind the header begin with two seeds, made of the pack id and of a number that stands for the place: bytes of another
pack, or at another place, do not match.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from isthmus.container.section_table import read_lengths, refuse_unknown
from isthmus.container.varint import read_varint, write_varint
from isthmus.errors import ChecksumError, FormatError, TruncatedError, UnsupportedVersionError

MAGIC = b"\x89IPCK\r\n"
VERSION = 2
READ_VERSIONS = (1, 2)
MODEL_ID_BYTES = 8
PACK_ID_BYTES = 8

FLAG_RGB = 0x01
FLAG_SIZED = 0x02
FLAG_SECTIONS = 0x04
_KNOWN_FLAGS = {1: FLAG_RGB | FLAG_SIZED, 2: FLAG_RGB | FLAG_SIZED | FLAG_SECTIONS}

MODEL = 1
SECTION_NAMES = {MODEL: "model"}
"""Kinds of sections that this release knows; an odd kind is one that a reader may skip, as in .isth files."""
MAX_SECTIONS = 16
MAX_SECTION_BYTES = 1 << 28
MAX_HEADER_BYTES = len(MAGIC) + 1 + MODEL_ID_BYTES + PACK_ID_BYTES + 2 + 5 + 5 + 1 + MAX_SECTIONS * 6 + 4

END_PLACE = (1 << 64) - 1
"""The number of the index and the trailer, where a block has its own."""
_SECTION_PLACE = 1 << 63
"""Section kinds are counted from here."""

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
        pack_id: 8 bytes that are the pack's own; empty in version 1, and where a writer has not made it yet.
        section_lengths: bytes of each section behind the header, by its kind.
    """

    model_id: bytes
    channels: int
    quality: int
    size: tuple[int, int] | None
    pack_id: bytes = b""
    section_lengths: Mapping[int, int] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """Of the format: packs have an id of their own since version 2."""
        return 2 if self.pack_id else 1


def place_seeds(pack_id: bytes, number: int) -> tuple[int, int]:
    """What the two checksums of a place begin with; zeros in version 1, which has no pack id."""
    if not pack_id:
        return 0, 0
    digest = hashlib.sha256(pack_id + number.to_bytes(8, "little")).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")


def with_pack_id(header: PackHeader, first: bytes) -> PackHeader:
    """The header with the id of a pack whose first block has this table and these payloads."""
    without = write_header(replace(header, pack_id=bytes(PACK_ID_BYTES)))
    return replace(header, pack_id=hashlib.sha256(without + first).digest()[:PACK_ID_BYTES])


def write_header(header: PackHeader) -> bytes:
    """The header's bytes without its sections; version 1 where it has no pack id."""
    flags = (FLAG_RGB if header.channels == 3 else 0) | (FLAG_SIZED if header.size else 0)
    flags |= FLAG_SECTIONS if header.section_lengths else 0
    width, height = header.size or (0, 0)
    head = MAGIC + bytes([header.version]) + header.model_id + header.pack_id + bytes([flags, header.quality])
    head += write_varint(width) + write_varint(height)
    if header.section_lengths:
        head += write_varint(len(header.section_lengths))
        head += b"".join(bytes([kind]) + write_varint(length) for kind, length in header.section_lengths.items())
    return head + _crc(head)


def write_sections(header: PackHeader, sections: Mapping[int, bytes]) -> bytes:
    """What stands behind the header: each section and its checksum."""
    parts = []
    for kind, section in sections.items():
        parts += [section, _crc(section, place_seeds(header.pack_id, _SECTION_PLACE + kind)[0])]
    return b"".join(parts)


def read_header(data: bytes) -> tuple[PackHeader, int]:
    """The header, and where the first block starts, behind the sections.

    Args:
        data: the file's first `MAX_HEADER_BYTES`, or what there is of them.

    Raises:
        FormatError: or one of its subclasses: not the beginning of a pack.
    """
    version, fixed = _read_version(data)
    pack_id = data[len(MAGIC) + 1 + MODEL_ID_BYTES : fixed]
    flags, quality = data[fixed], data[fixed + 1]
    width, offset = read_varint(data, fixed + 2)
    height, offset = read_varint(data, offset)
    section_lengths, offset = _read_section_table(data, offset) if flags & FLAG_SECTIONS else ({}, offset)
    if len(data) < offset + 4:
        raise TruncatedError("the pack ends within its header", offset=len(data))
    if _crc(data[:offset]) != data[offset : offset + 4]:
        raise ChecksumError("the pack's header does not match its checksum: the file is damaged", offset=0)
    sized = bool(flags & FLAG_SIZED)
    if flags & ~_KNOWN_FLAGS[version]:
        raise UnsupportedVersionError(f"the pack's header has flags 0x{flags:02x}, unknown here: update isthmus")
    if not 1 <= quality <= 100 or sized != (width * height > 0) or (version > 1 and not any(pack_id)):
        raise FormatError("the pack's header says what no writer writes", offset=fixed)
    refuse_unknown(section_lengths, SECTION_NAMES, file="the pack")
    header = PackHeader(
        data[len(MAGIC) + 1 : len(MAGIC) + 1 + MODEL_ID_BYTES],
        3 if flags & FLAG_RGB else 1,
        quality,
        (width, height) if sized else None,
        pack_id,
        section_lengths,
    )
    return header, offset + 4 + sum(length + 4 for length in section_lengths.values())


def read_section(read: ReadRange, header: PackHeader, start: int, kind: int) -> bytes | None:
    """A section's bytes, None where the pack has none of the kind.

    Args:
        read: gives bytes of the file.
        header: of the pack.
        start: where the first block starts.
        kind: of the section.

    Raises:
        FormatError: or one of its subclasses: it is damaged, or cut.
    """
    offset = start - sum(length + 4 for length in header.section_lengths.values())
    for one, length in header.section_lengths.items():
        if one == kind:
            section = read(offset, length + 4)
            if len(section) < length + 4:
                raise TruncatedError(f"the pack ends within its {SECTION_NAMES[kind]}", offset=offset)
            if _crc(section[:-4], place_seeds(header.pack_id, _SECTION_PLACE + kind)[0]) != section[-4:]:
                raise ChecksumError(
                    f"the pack's {SECTION_NAMES[kind]} does not match its checksum: the file is damaged", offset=offset
                )
            return section[:-4]
        offset += length + 4
    return None


def _read_version(data: bytes) -> tuple[int, int]:
    """The format's version, and where the flags stand."""
    if data[: len(MAGIC)] != MAGIC:
        if data == MAGIC[: len(data)]:
            raise TruncatedError("the pack ends within its first bytes", offset=len(data))
        raise FormatError("not a .isthpack file: its first bytes are not the format's", offset=0)
    if len(data) <= len(MAGIC):
        raise TruncatedError("the pack ends within its header", offset=len(data))
    version = data[len(MAGIC)]
    if version not in READ_VERSIONS:
        raise UnsupportedVersionError(
            f"the pack has format version {version}, this release reads versions 1 to {VERSION}: update isthmus",
            offset=len(MAGIC),
        )
    fixed = len(MAGIC) + 1 + MODEL_ID_BYTES + (PACK_ID_BYTES if version > 1 else 0)
    if len(data) < fixed + 2:
        raise TruncatedError("the pack ends within its header", offset=len(data))
    return version, fixed


def _read_section_table(data: bytes, offset: int) -> tuple[dict[int, int], int]:
    """Length of each section by its kind, and the offset behind the table.

    Raises:
        FormatError: a kind twice, or more than `MAX_SECTIONS`.
        LimitError: a section beyond `MAX_SECTION_BYTES`.
        TruncatedError: the data ends within the table.
    """
    count, offset = read_varint(data, offset)
    if not 1 <= count <= MAX_SECTIONS:
        raise FormatError(f"the pack's header announces {count} sections", offset=offset)
    return read_lengths(data, offset, count, file="the pack", header="the pack's header", most=MAX_SECTION_BYTES)


def _crc(data: bytes, seed: int = 0) -> bytes:
    return struct.pack("<I", zlib.crc32(data, seed))
