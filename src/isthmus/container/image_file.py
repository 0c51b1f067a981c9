"""The .isth file: one picture. docs/format.md has every byte.

the header, see `image_header`
then each section's bytes and its CRC-32(4): the tiles in rows, then what the section table lists (alpha, ICC, ...)

A section's CRC-32 also covers the header's and the section's number: a section of another file, or at another place, is
noticed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from isthmus.container.announced import check_pixels, missing_bytes
from isthmus.container.asked import Asked, write_asked
from isthmus.container.image_header import (
    FLAG_ALPHA_INSIDE,
    FLAG_ASKED,
    FLAG_NEUTRAL,
    FLAG_RGB,
    FLAG_SECTIONS,
    FLAG_TILED,
    MAGIC,
    PADDING,
    SECTION_NAMES,
    VERSION,
    ImageHeader,
    crc_of,
    format_of,
    read_header,
)
from isthmus.container.varint import write_varint
from isthmus.errors import ChecksumError, FormatError, TruncatedError
from isthmus.values import BytesLike, as_bytes

_NAMED = 5
"""Damaged sections that a message names."""


@dataclass(frozen=True)
class ImageFile:
    """A picture as it is stored: the header's facts, the sections' bytes, and the numbers of tiles that are lost."""

    model_id: bytes
    width: int
    height: int
    channels: int
    quality: int
    tiles: tuple[bytes, ...]
    tile_size: int = 0
    sections: Mapping[int, bytes] = field(default_factory=dict)
    """By kind, those of SECTION_NAMES; written in this order."""
    missing: frozenset[int] = frozenset()
    neutral: bool = False
    alpha_inside: bool = False
    asked: Asked | None = None

    @property
    def format(self) -> str | None:
        """See `format_of`."""
        return format_of(self.model_id)


def write_image(image: ImageFile) -> bytes:
    """The file's bytes."""
    flags = FLAG_RGB if image.channels == 3 else 0
    flags |= FLAG_TILED if image.tile_size else 0
    flags |= FLAG_SECTIONS if image.sections else 0
    flags |= FLAG_ALPHA_INSIDE if image.alpha_inside else 0
    flags |= FLAG_NEUTRAL if image.neutral else 0
    flags |= FLAG_ASKED if image.asked is not None else 0
    parts = [MAGIC, bytes([VERSION]), image.model_id, write_varint(image.width), write_varint(image.height)]
    parts.append(bytes([flags, image.quality]))
    if image.asked is not None:
        parts.append(write_asked(image.asked))
    if image.tile_size:
        parts.append(write_varint(image.tile_size))
    parts.extend(write_varint(len(tile)) for tile in image.tiles)
    if image.sections:
        parts.append(write_varint(len(image.sections)))
        parts.extend(bytes([kind]) + write_varint(len(section)) for kind, section in image.sections.items())
    header = b"".join(parts)
    out = [header, crc_of(header)]
    for number, section in enumerate((*image.tiles, *image.sections.values())):
        out.extend((section, _section_crc(out[1], number, section)))
    written = b"".join(out)
    missing = missing_bytes(image.width * image.height, len(written))
    return write_image(replace(image, sections={**image.sections, PADDING: bytes(missing)})) if missing else written


def read_image(data: BytesLike, *, pixel_limit: int | None = None) -> ImageFile:
    """Check and take apart a whole file.

    Raises:
        FormatError: or one of its subclasses, for anything that is not exactly a .isth file.
    """
    data = as_bytes(data)
    header = read_header(data)
    check_pixels(header.width, header.height, size=len(data), pixel_limit=pixel_limit)
    expected = header.length + sum(length + 4 for _, length in _sections(header))
    if len(data) < expected:
        raise TruncatedError(f"the file has {len(data)} bytes where its header announces {expected}", offset=len(data))
    if len(data) > expected:
        raise FormatError(f"the file has {len(data) - expected} bytes behind its end", offset=expected)
    image, missing = _take_apart(data, header)
    if missing:
        names = ", ".join(missing[:_NAMED]) + (f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else "")
        raise ChecksumError(f"{names}: does not match its checksum: the file is damaged")
    return image


def salvage_image(data: BytesLike, *, pixel_limit: int | None = None) -> tuple[ImageFile, tuple[str, ...]]:
    """What is whole of a damaged file, and the names of the sections that are not.

    Raises:
        FormatError: the header is damaged, or no tile is whole.
    """
    data = as_bytes(data)
    header = read_header(data)
    check_pixels(header.width, header.height, size=len(data), pixel_limit=pixel_limit)
    image, missing = _take_apart(data, header)
    if len(image.missing) == len(image.tiles):
        raise ChecksumError("no part of the picture is whole: there is nothing to salvage", offset=header.length)
    return image, missing


def read_sections(header: ImageHeader, read: Callable[[int, int], bytes]) -> dict[int, bytes]:
    """The sections behind the tiles that may be skipped, without the tiles: those that are whole, by kind.

    Args:
        header: of the file.
        read: the file's bytes from an offset on, at most so many.
    """
    header_crc = read(header.length - 4, 4)
    offset = header.length + sum(length + 4 for length in header.tile_lengths)
    found = {}
    for number, (kind, length) in enumerate(header.section_lengths.items(), len(header.tile_lengths)):
        if kind in SECTION_NAMES and kind % 2 == 1:
            section, crc = read(offset, length), read(offset + length, 4)
            if len(section) == length and _section_crc(header_crc, number, section) == crc:
                found[kind] = section
        offset += length + 4
    return found


def _take_apart(data: bytes, header: ImageHeader) -> tuple[ImageFile, tuple[str, ...]]:
    """The sections whose checksums match, and the names of the others."""
    header_crc = data[header.length - 4 : header.length]
    offset, missing = header.length, []
    whole: list[bytes | None] = []
    for number, (name, length) in enumerate(_sections(header)):
        section = data[offset : offset + length]
        offset += length + 4
        is_whole = len(section) == length and _section_crc(header_crc, number, section) == data[offset - 4 : offset]
        whole.append(section if is_whole else None)
        if not is_whole:
            missing.append(name)
    count = len(header.tile_lengths)
    tiles, others = whole[:count], zip(header.section_lengths, whole[count:], strict=True)
    image = ImageFile(
        model_id=header.model_id,
        width=header.width,
        height=header.height,
        channels=header.channels,
        quality=header.quality,
        tiles=tuple(tile or b"" for tile in tiles),
        tile_size=header.tile_size,
        sections={kind: section for kind, section in others if section is not None and kind in SECTION_NAMES},
        missing=frozenset(number for number, tile in enumerate(tiles) if tile is None),
        neutral=header.neutral,
        alpha_inside=header.alpha_inside,
        asked=header.asked,
    )
    return image, tuple(missing)


def _sections(header: ImageHeader) -> list[tuple[str, int]]:
    """Name and length of each section, in order."""
    tiles = [(_tile_name(number), length) for number, length in enumerate(header.tile_lengths)]
    others = header.section_lengths.items()
    return tiles + [(SECTION_NAMES.get(kind, f"section of kind {kind}"), length) for kind, length in others]


def _tile_name(number: int) -> str:
    return f"tile {number}"


def _section_crc(header_crc: bytes, number: int, section: bytes) -> bytes:
    return struct.pack("<I", zlib.crc32(section, zlib.crc32(header_crc + struct.pack("<I", number))))
