"""Metadata taken out: what goes is gone from the bytes, what stays is as it was."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from isthmus.errors import UsageError
from isthmus.imaging.exif_directories import GPS, without_tag
from isthmus.imaging.stripping import stripped
from isthmus.values import Picture

HIDDEN = "THE HIDDEN PLACE"


def _block(*, little: bool = False) -> bytes:
    exif = Image.Exif()
    exif.endian = "<" if little else ">"
    exif[0x010E], exif[0x010F] = "a description", "Maker"
    exif[0x8825] = {1: "N", 2: (47.0, 22.0, 30.5), 27: b"ASCII\0\0\0" + HIDDEN.encode()}
    exif[0x8769] = {0x9003: "2026:11:29 08:00:00", 0x920A: 35.0}
    return exif.tobytes()


def _picture(**metadata: object) -> Picture:
    return Picture(np.zeros((4, 4, 3), np.uint8), **metadata)


def _tags(block: bytes) -> tuple[dict, dict, dict]:
    exif = Image.Exif()
    exif.load(block)
    places = (0x8825, 0x8769)
    return {tag: value for tag, value in exif.items() if tag not in places}, *(
        dict(exif.get_ifd(one)) for one in places
    )


def test_the_place_is_gone_and_all_else_is_there():
    """Of EXIF: pointer, directory and values; of XMP: attributes and elements, whatever their prefix."""
    block = _block()
    xmp = (
        b'<x:xmpmeta><rdf:Description exif:GPSLatitude="47,22.5N" e:GPSLongitude = \'8,32E\' dc:title="GP">'
        b"<exif:GPSTimeStamp>now</exif:GPSTimeStamp><exif:GPSMapDatum/><dc:x>kept</dc:x></rdf:Description></x:xmpmeta>"
    )
    left = stripped(_picture(exif=block, xmp=xmp, icc=b"profile", resolution=(72, 72)), "gps")
    assert HIDDEN.encode() in block
    assert HIDDEN.encode() not in left.exif
    main, place, details = _tags(left.exif)
    assert (main, place, details) == (_tags(block)[0], {}, _tags(block)[2])
    assert len(left.exif) == len(block)
    assert left.xmp == b'<x:xmpmeta><rdf:Description dc:title="GP"><dc:x>kept</dc:x></rdf:Description></x:xmpmeta>'
    assert (left.icc, left.resolution, left.conversions) == (b"profile", (72, 72), ())


def test_all_is_all_but_the_profile():
    """Which says what the colours are."""
    left = stripped(_picture(exif=_block(), xmp=b"<x/>", icc=b"profile", resolution=(72, 72)), "all")
    assert (left.exif, left.xmp, left.resolution, left.icc) == (None, None, None, b"profile")


def test_what_the_place_cannot_be_taken_out_of_goes_as_a_whole():
    """And is said."""
    left = stripped(_picture(exif=b"Exif\0\0damaged", xmp=b"<x GPS:a=broken>"), "gps")
    assert (left.exif, left.xmp) == (None, None)
    assert len(left.conversions) == 2
    assert stripped(_picture(xmp='<x exif:GPSLatitude="1"/>'.encode("utf-16")), "gps").xmp is None


def test_nothing_to_take_out_changes_nothing():
    """Not a byte."""
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    picture = _picture(exif=exif.tobytes(), xmp=b'<x dc:title="a"/>')
    assert stripped(picture, "gps") == picture
    assert stripped(picture, None) is picture
    with pytest.raises(UsageError, match="all or gps"):
        stripped(picture, "icc")


def test_directories_that_point_at_themselves_end():
    """A block that only an attacker writes."""
    entry = struct.pack("<HHII", GPS, 4, 1, 8)
    block = (
        b"Exif\0\0II*\0"
        + struct.pack("<IH", 8, 2)
        + entry
        + struct.pack("<HHII", 0x8769, 4, 1, 8)
        + struct.pack("<I", 8)
    )
    assert GPS not in _tags_or_none(stripped(_picture(exif=block), "gps").exif)


def _tags_or_none(block: bytes | None) -> dict:
    return {} if block is None else _tags(block)[0]


@given(st.integers(6, len(_block()) - 1), st.integers(1, 255))
def test_damaged_blocks_are_an_error_of_ours_or_hold_no_place(where, change):
    """Whatever byte is another."""
    damaged = bytearray(_block())
    damaged[where] ^= change
    try:
        left = without_tag(bytes(damaged), GPS)
    except ValueError:
        return
    assert len(left) == len(damaged)
    assert struct.pack(">H", GPS) not in left[14 : 14 + 2 + 12 * left[15]]
