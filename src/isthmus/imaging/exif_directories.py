"""EXIF blocks byte by byte: a tag taken out of them, and what it points to made zeros. All else stays where it is."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from isthmus.imaging.exif import PREFIX

GPS = 0x8825
_EXIF = 0x8769
_POINTERS = frozenset({GPS, _EXIF, 0xA005})
"""Tags whose value is the place of a further directory."""
_ENTRY_BYTES = 12
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of one value of each TIFF type."""
_FIRST_PLACE = 8
"""Behind a TIFF header."""
_DEEPEST = 4


def without_tag(block: bytes, tag: int) -> bytes:
    """An EXIF block without a tag, in whichever of its directories it is; what the tag's values were is zeros.

    Args:
        block: that begins with `exif.PREFIX`.
        tag: its number.

    Raises:
        ValueError: the block is damaged.
    """
    tiff = bytearray(block[len(PREFIX) :])
    order = {b"II": "<", b"MM": ">"}.get(bytes(tiff[:2]))
    if order is None:
        raise ValueError("it has no TIFF header")
    try:
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        for start in list(_directories(tiff, order, first)):
            _take_out(tiff, order, start, tag)
    except struct.error as error:
        raise ValueError("its directories lie behind its end") from error
    return PREFIX + bytes(tiff)


def _directories(tiff: bytearray, order: str, first: int) -> Iterator[int]:
    """Where the main directories and the Exif directory of each begin; each once."""
    seen: set[int] = set()
    while first and first not in seen and len(seen) < _DEEPEST:
        seen.add(first)
        yield first
        for entry in _entries(tiff, order, first):
            number, _, _, value = struct.unpack_from(f"{order}HHII", tiff, entry)
            if number == _EXIF and value not in seen:
                seen.add(value)
                yield value
        end = _end(tiff, order, first)
        first = struct.unpack_from(f"{order}I", tiff, end)[0] if end + 4 <= len(tiff) else 0


def _entries(tiff: bytearray, order: str, start: int) -> range:
    return range(start + 2, _end(tiff, order, start), _ENTRY_BYTES)


def _end(tiff: bytearray, order: str, start: int) -> int:
    (count,) = struct.unpack_from(f"{order}H", tiff, start)
    return int(start + 2 + _ENTRY_BYTES * count)


def _take_out(tiff: bytearray, order: str, start: int, tag: int) -> None:
    """The entries of a tag; those behind move up, and so does the place of the next directory."""
    for entry in reversed(_entries(tiff, order, start)):
        (number,) = struct.unpack_from(f"{order}H", tiff, entry)
        if number != tag:
            continue
        _blank(tiff, order, entry)
        end = _end(tiff, order, start)
        behind = bytes(tiff[entry + _ENTRY_BYTES : end + 4])
        tiff[entry : entry + len(behind)] = behind
        _zero(tiff, entry + len(behind), _ENTRY_BYTES)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        struct.pack_into(f"{order}H", tiff, start, count - 1)


def _blank(tiff: bytearray, order: str, entry: int, *, depth: int = 0) -> None:
    """Zeros in place of what an entry points to: values, or a directory with its own."""
    number, kind, count, place = struct.unpack_from(f"{order}HHII", tiff, entry)
    size = _SIZES.get(kind, 1) * count
    if number in _POINTERS:
        if place < _FIRST_PLACE or place + 2 > len(tiff) or depth >= _DEEPEST:
            return
        end = min(_end(tiff, order, place), len(tiff) - _ENTRY_BYTES + 1)
        for inner in range(place + 2, end, _ENTRY_BYTES):
            _blank(tiff, order, inner, depth=depth + 1)
        _zero(tiff, place, end - place)
    elif size > 4:
        _zero(tiff, place, size)


def _zero(tiff: bytearray, place: int, size: int) -> None:
    if place >= _FIRST_PLACE:
        size = max(0, min(size, len(tiff) - place))
        tiff[place : place + size] = bytes(size)
