"""What Pillow does not say of a file, read without decoding a pixel: PNG's chunks, JPEG 2000's and AVIF's boxes, BMP's
colour header.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""x and y of white, red, green and blue, as PNG's cHRM chunk has them."""

_MAX_PARTS = 4096
"""Chunks or boxes of one level that are looked at."""
_MAX_BYTES = 1 << 22
"""Bytes of one part that are read: a colour profile is the largest that is wanted."""
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_BMP_HEADER = 14
_FIXED_ONE = 1 << 30
_D65 = (0.3127, 0.3290)
_JP2_CODESTREAM = b"\xff\x4f\xff\x51"


@dataclass(frozen=True)
class Box:
    """One box: its type, and where its contents lie in the file."""

    type: bytes
    start: int
    end: int


def png_chunk(file: BinaryIO, name: bytes) -> bytes | None:
    """The data of the first chunk of a name before the pixels; None where there is none."""
    if _bytes_at(file, 0, 8) != _PNG_MAGIC:
        return None
    offset = 8
    for _ in range(_MAX_PARTS):
        head = _bytes_at(file, offset, 8)
        if len(head) < 8 or head[4:] in (b"IDAT", b"IEND"):
            return None
        length = int.from_bytes(head[:4], "big")
        if head[4:] == name:
            return _bytes_at(file, offset + 8, length)
        offset += 12 + length
    return None


def jpeg2000_bits(file: BinaryIO) -> int:
    """Bits of the deepest component of a JPEG 2000 file; 8 where its header does not say."""
    start = 0
    if _bytes_at(file, 0, 4) != _JP2_CODESTREAM:
        stream = next((box for box in boxes(file) if box.type == b"jp2c"), None)
        if stream is None:
            return 8
        start = stream.start
    head = _bytes_at(file, start, 42)  # SOC, then SIZ: length, capabilities, eight sizes, the number of components
    if len(head) < 42 or head[:4] != _JP2_CODESTREAM:
        return 8
    components = _bytes_at(file, start + 42, 3 * int.from_bytes(head[40:], "big"))
    return max(((value & 0x7F) + 1 for value in components[::3]), default=8)


def jpeg2000_profile(file: BinaryIO) -> bytes | None:
    """The colour profile in the header of a JPEG 2000 file."""
    for box in boxes(file, inside=(b"jp2h", b"colr")):
        data = _bytes_at(file, box.start, box.end - box.start)
        if data[:1] in (b"\x02", b"\x03"):  # a restricted profile, or any
            return data[3:]
    return None


def avif_bits(file: BinaryIO) -> int:
    """Bits of the deepest item of an AVIF file."""
    deepest = 8
    for box in boxes(file, inside=(b"meta", b"iprp", b"ipco", b"av1C")):
        configuration = _bytes_at(file, box.start, 4)
        if len(configuration) == 4 and configuration[2] & 0x40:
            deepest = max(deepest, 12 if configuration[2] & 0x20 else 10)
    return deepest


def avif_coding_points(file: BinaryIO) -> tuple[int, int] | None:
    """Colour primaries and transfer characteristics (ITU-T H.273) of an AVIF file's first coloured item."""
    for box in boxes(file, inside=(b"meta", b"iprp", b"ipco", b"colr")):
        data = _bytes_at(file, box.start, 11)
        if data[:4] == b"nclx" and len(data) == 11:
            primaries, transfer = struct.unpack_from(">HH", data, 4)
            return primaries, transfer
    return None


def bmp_profile(file: BinaryIO) -> bytes | None:
    """The colour profile within a BMP file of version 5."""
    header = _bytes_at(file, _BMP_HEADER, 124)
    if len(header) < 124 or header[:4] != struct.pack("<I", 124) or header[56:60] != b"DEBM":
        return None
    start, length = struct.unpack_from("<2I", header, 112)
    return _bytes_at(file, _BMP_HEADER + start, length) or None


def bmp_has_alpha(file: BinaryIO) -> bool:
    """Whether the header of a BMP file, from version 3 on, states bits of alpha."""
    header = _bytes_at(file, _BMP_HEADER, 56)
    return len(header) == 56 and header[0] >= 56 and header[52:56] != bytes(4)


def bmp_calibration(file: BinaryIO) -> tuple[Chromaticities, float] | None:
    """Chromaticities, and the exponent that was applied to linear light, of a BMP file from version 4 that has them."""
    header = _bytes_at(file, _BMP_HEADER, 108)
    if len(header) < 108 or header[0] not in (108, 124) or header[56:60] != bytes(4):
        return None
    primaries = [struct.unpack_from("<3I", header, 60 + 12 * index) for index in range(3)]
    gammas = [value / 65536 for value in struct.unpack_from("<3I", header, 96)]
    if min(map(sum, primaries)) == 0 or min(gammas) <= 0:
        return None
    points = [value / sum(primary) for primary in primaries for value in primary[:2]]
    white = [sum(column) for column in zip(*primaries, strict=True)]
    is_scaled = any(abs(sum(primary) / _FIXED_ONE - 1) > 0.01 for primary in primaries)
    # many writers put chromaticities there, whose sums are 1: then nothing is said of white
    white_x, white_y = (white[0] / sum(white), white[1] / sum(white)) if is_scaled else _D65
    red_x, red_y, green_x, green_y, blue_x, blue_y = points
    gamma = sum(gammas) / 3  # some write the exponent, some its inverse
    return (white_x, white_y, red_x, red_y, green_x, green_y, blue_x, blue_y), min(gamma, 1 / gamma)


def boxes(file: BinaryIO, *, inside: tuple[bytes, ...] = ()) -> Iterator[Box]:
    """The boxes of a file; or those that lie along a path of types, such as jp2h, colr."""
    file.seek(0, 2)
    yield from _along(file, Box(b"", 0, file.tell()), inside)


def _along(file: BinaryIO, outer: Box, path: tuple[bytes, ...]) -> Iterator[Box]:
    for box in _children(file, outer):
        if not path:
            yield box
        elif box.type == path[0]:
            if len(path) == 1:
                yield box
            else:
                yield from _along(file, box, path[1:])


def _children(file: BinaryIO, outer: Box) -> Iterator[Box]:
    offset = outer.start + (4 if outer.type == b"meta" else 0)  # behind its version and flags
    for _ in range(_MAX_PARTS):
        head = _bytes_at(file, offset, 16)
        if len(head) < 8:
            return
        length, header = int.from_bytes(head[:4], "big"), 8
        if length == 1 and len(head) == 16:
            length, header = int.from_bytes(head[8:], "big"), 16
        end = outer.end if length == 0 else offset + length
        if end < offset + header or end > outer.end:
            return
        yield Box(head[4:8], offset + header, end)
        offset = end


def _bytes_at(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(min(length, _MAX_BYTES))
