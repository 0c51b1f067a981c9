"""The header of a .isth file: what it says before its sections, written and read. docs/format.md has every byte.

magic(7) version(1) coder(8) width height flags(1) quality(1) [asked] [tile size] tile lengths... [sections] CRC-32(4)

The coder is a model's id, or the name of a format whose files the tiles are. A section that the table lists has a kind.
Readers skip unknown kinds whose lowest bit is set, as those of PNG skip ancillary chunks, and refuse files with other
unknown kinds.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from isthmus.container.asked import Asked, read_asked
from isthmus.container.section_table import read_lengths, refuse_unknown
from isthmus.container.varint import read_varint
from isthmus.errors import ChecksumError, FormatError, LimitError, TruncatedError, UnsupportedVersionError
from isthmus.values import BytesLike, as_bytes

MAGIC = b"\x89ISTH\r\n"  # a byte above 0x7F and a line ending, so that a text-mode transfer is caught (as PNG does)
VERSION = 2
READ_VERSIONS = (1, 2)
MODEL_ID_BYTES = 8
FORMATS = {name: name.encode().ljust(MODEL_ID_BYTES, b"\0") for name in ("webp", "avif")}
"""Formats of other makers, by name, and what stands in the place of the model's id where the tiles are files of one."""

FLAG_RGB = 0x01
FLAG_TILED = 0x02
FLAG_SECTIONS = 0x04
"""A section table follows; in version 1 this flag and the next two announce alpha, ICC and EXIF."""
FLAG_ALPHA_INSIDE = 0x08
FLAG_NEUTRAL = 0x10
FLAG_ASKED = 0x20
KNOWN_FLAGS = {1: 0x1F, 2: 0x3F}

ALPHA, ICC, EXIF, XMP, RESOLUTION = 2, 3, 5, 7, 9
SECTION_NAMES = {ALPHA: "alpha", ICC: "ICC", EXIF: "EXIF", XMP: "XMP", RESOLUTION: "resolution"}
"""The kinds of sections that this release knows; an odd kind is one that a reader may skip."""
PADDING = 1
"""Zeros that make a file of very flat pixels long enough, see `announced`; a reader skips them."""
VERSION_1_FLAGS = {0x04: ALPHA, 0x08: ICC, 0x10: EXIF}

MAX_TILES = 1 << 20


@dataclass(frozen=True)
class ImageHeader:
    """What a .isth file says before its sections.

    Attributes:
        version: of the format, one of READ_VERSIONS.
        model_id: first 8 bytes of the SHA-256 that names the model, or one of FORMATS.
        width: columns, 1 or more.
        height: rows, 1 or more.
        channels: that are coded: 1 for grey, 3 for RGB.
        quality: the quality index, 1 to 100.
        neutral: the picture is RGB whose three channels are equal, coded as grey.
        alpha_inside: the tiles hold alpha themselves.
        asked: what was asked for, where that is not `quality`.
        tile_size: side of a tile in pixels; 0 where the picture is one tile.
        tile_lengths: bytes of each tile's payload, row by row.
        section_lengths: bytes of each other section, by its kind, in the file's order.
        length: bytes of the header itself, its CRC included.
    """

    version: int
    model_id: bytes
    width: int
    height: int
    channels: int
    quality: int
    neutral: bool
    alpha_inside: bool
    asked: Asked | None
    tile_size: int
    tile_lengths: tuple[int, ...]
    section_lengths: Mapping[int, int]
    length: int

    @property
    def format(self) -> str | None:
        """See `format_of`."""
        return format_of(self.model_id)

    @property
    def mode(self) -> tuple[int, bool]:
        """Channels of the picture as it comes back, and whether it has alpha."""
        return 3 if self.neutral else self.channels, self.alpha_inside or ALPHA in self.section_lengths


def format_of(model_id: bytes) -> str | None:
    """The name of the format whose files the tiles are; None where a model decodes them.

    Example:
        >>> format_of(b"webp" + bytes(4)), format_of(bytes(8))
        ('webp', None)
    """
    return next((name for name, coder in FORMATS.items() if coder == model_id), None)


def tile_count(width: int, height: int, tile_size: int) -> int:
    """Tiles of a picture; 0 for the size means one tile."""
    return -(-width // tile_size) * -(-height // tile_size) if tile_size else 1


def read_header(data: BytesLike) -> ImageHeader:
    """Check and read the header alone; nothing is allocated by what it announces.

    Raises:
        FormatError: not a .isth file, or a header that does not add up.
        TruncatedError: the data ends within the header.
        UnsupportedVersionError: a version that this release does not know.
        LimitError: more pixels or tiles than the limits.
        ChecksumError: the header does not match its checksum.
    """
    data = as_bytes(data)
    if data[: len(MAGIC)] != MAGIC:
        raise _wrong_magic(data)
    fixed = len(MAGIC) + 1 + MODEL_ID_BYTES
    if len(data) <= len(MAGIC):
        raise TruncatedError("the file ends within its header", offset=len(data))
    version = data[len(MAGIC)]
    if version not in READ_VERSIONS:
        raise UnsupportedVersionError(
            f"the file has format version {version}, this release reads versions 1 to {VERSION}: update isthmus",
            offset=len(MAGIC),
        )
    width, offset = read_varint(data, fixed)
    height, offset = read_varint(data, offset)
    if len(data) < offset + 2:
        raise TruncatedError("the file ends within its header", offset=len(data))
    flags, quality = struct.unpack_from("BB", data, offset)
    offset += 2
    _check_flags(flags, version)
    later = flags if version > 1 else 0
    asked, offset = read_asked(data, offset) if later & FLAG_ASKED else (None, offset)
    tile_size, offset = read_varint(data, offset) if flags & FLAG_TILED else (0, offset)
    _check_facts(width, height, flags=flags, quality=quality, tile_size=tile_size)
    tile_lengths: list[int] = []
    for _ in range(tile_count(width, height, tile_size)):
        length, offset = read_varint(data, offset)
        tile_lengths.append(length)
    section_lengths, offset = _read_section_table(data, offset, version=version, flags=flags)
    if len(data) < offset + 4:
        raise TruncatedError("the file ends within its header", offset=len(data))
    if crc_of(data[:offset]) != data[offset : offset + 4]:
        raise ChecksumError("the header does not match its checksum: the file is damaged", offset=0)
    refuse_unknown(section_lengths, SECTION_NAMES, file="the file")
    if later & FLAG_ALPHA_INSIDE and (ALPHA in section_lengths or format_of(data[len(MAGIC) + 1 : fixed]) is None):
        raise FormatError("the header announces alpha in tiles that hold none, or twice")
    return ImageHeader(
        version=version,
        model_id=data[len(MAGIC) + 1 : fixed],
        width=width,
        height=height,
        channels=3 if flags & FLAG_RGB else 1,
        quality=quality,
        neutral=bool(later & FLAG_NEUTRAL),
        alpha_inside=bool(later & FLAG_ALPHA_INSIDE),
        asked=asked,
        tile_size=tile_size,
        tile_lengths=tuple(tile_lengths),
        section_lengths=section_lengths,
        length=offset + 4,
    )


def _read_section_table(data: bytes, offset: int, *, version: int, flags: int) -> tuple[dict[int, int], int]:
    """Length of each section behind the tiles, by its kind, and the offset behind the table.

    Raises:
        FormatError: a kind twice.
        TruncatedError: the data ends within the table.
    """
    if version == 1:
        lengths: dict[int, int] = {}
        for flag, kind in VERSION_1_FLAGS.items():
            if flags & flag:
                lengths[kind], offset = read_varint(data, offset)
        return lengths, offset
    count, offset = read_varint(data, offset) if flags & FLAG_SECTIONS else (0, offset)
    if count > 256:
        raise FormatError(f"the header announces {count} sections", offset=offset)
    return read_lengths(data, offset, count, file="the file", header="the header")


def _check_flags(flags: int, version: int) -> None:
    """Refuse unknown flags, and those that exclude each other."""
    if flags & ~KNOWN_FLAGS[version]:
        raise FormatError(f"the header has unknown flags 0x{flags & ~KNOWN_FLAGS[version]:02x}")
    if version > 1 and flags & FLAG_RGB and flags & FLAG_NEUTRAL:
        raise FormatError("the header announces colours that are coded as grey")


def _check_facts(width: int, height: int, *, flags: int, quality: int, tile_size: int) -> None:
    """Refuse what no writer writes, before any of it is used as a size."""
    if width < 1 or height < 1:
        raise FormatError("the header announces a picture without pixels")
    if not 1 <= quality <= 100:
        raise FormatError(f"the header has quality {quality}, outside 1 to 100")
    if flags & FLAG_TILED and tile_size < 1:
        raise FormatError("the header announces tiles without pixels")
    if tile_count(width, height, tile_size) > MAX_TILES:
        raise LimitError(f"the header announces more than {MAX_TILES} tiles")


def _wrong_magic(data: bytes) -> FormatError:
    """Say what the first bytes look like."""
    if not data:
        return TruncatedError("the file is empty", offset=0)
    if data == MAGIC[: len(data)]:
        return TruncatedError("the file ends within its first bytes", offset=len(data))
    for altered in (MAGIC.replace(b"\r\n", b"\n"), MAGIC.replace(b"\r\n", b"\r\r\n"), b"\x09" + MAGIC[1:]):
        if data.startswith(altered):
            return FormatError("the file was altered by a text-mode transfer: transfer it as binary", offset=0)
    return FormatError("not a .isth file: its first bytes are not the format's", offset=0)


def crc_of(data: bytes) -> bytes:
    """CRC-32 as in zlib, little-endian."""
    return struct.pack("<I", zlib.crc32(data))
