"""The section table of a .isth file: what an older reader may skip, and what it refuses."""

from __future__ import annotations

import pytest

from isthmus.container import image_file
from isthmus.container.image_file import ImageFile, read_image, write_image
from isthmus.container.image_header import ALPHA, EXIF, ICC, read_header
from isthmus.errors import ChecksumError, FormatError, UnsupportedVersionError

PLAIN = ImageFile(b"modelid.", 20, 10, 3, 50, (b"payload",))


def _with_kinds(sections):
    """The bytes that a newer release writes, which knows these kinds."""
    return write_image(ImageFile(**{**vars(PLAIN), "sections": sections}))


def test_an_unknown_kind_that_may_be_skipped_is_skipped():
    """What is known comes back."""
    data = _with_kinds({ICC: b"profile", 251: b"of the future", EXIF: b"exif"})
    assert read_image(data).sections == {ICC: b"profile", EXIF: b"exif"}
    assert dict(read_header(data).section_lengths) == {ICC: 7, 251: 13, EXIF: 4}


def test_a_skipped_section_still_has_a_checksum():
    """Damage in it is damage in the file."""
    data = bytearray(_with_kinds({251: b"of the future"}))
    data[-6] ^= 1
    with pytest.raises(ChecksumError, match="section of kind 251"):
        read_image(bytes(data))


def test_an_unknown_kind_that_decoding_needs_is_refused():
    """In one line that says what to do."""
    data = _with_kinds({ALPHA: b"png", 250: b"needed"})
    with pytest.raises(UnsupportedVersionError, match="kind 250, unknown here: update isthmus"):
        read_image(data)


def test_a_kind_twice_is_refused():
    """Which of them would count?"""
    data = bytearray(write_image(ImageFile(**{**vars(PLAIN), "sections": {ICC: b"a", EXIF: b"b"}})))
    place = data.index(bytes([EXIF, 1]), 20)
    data[place] = ICC
    with pytest.raises(FormatError, match="two sections of kind 3"):
        read_header(bytes(data))


def test_a_picture_without_sections_has_no_table():
    """So that small pictures pay nothing for it."""
    data = write_image(PLAIN)
    assert not data[18] & image_file.FLAG_SECTIONS
    assert len(data) == 7 + 1 + 8 + 2 + 2 + 1 + 4 + 7 + 4
