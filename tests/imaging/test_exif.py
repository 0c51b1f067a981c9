"""EXIF and XMP are kept, wherever a file has them, or left out with a line."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import IFDRational as Rational

from isthmus.imaging.reading import from_pillow, read_picture
from isthmus.imaging.writing import FORMATS, held_by, to_file_bytes
from isthmus.values import Picture
from tests.conftest import writable

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:title="caf\xc3\xa9"/></x:xmpmeta>'


def block(entries: list[tuple[int, int, int, bytes]], order: str = "<") -> bytes:
    """An EXIF block of one directory: tag, type, count and four bytes of value each."""
    table = b"".join(struct.pack(f"{order}HHI", *entry[:3]) + entry[3] for entry in entries)
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return b"Exif\0\0" + start + struct.pack(f"{order}H", len(entries)) + table + bytes(4)


def full() -> Image.Exif:
    """With every directory that Pillow writes."""
    exif = Image.Exif()
    exif[0x010F], exif[0x010E], exif[0x8298] = "Maker", "a description", "nobody"
    exif[ExifTags.IFD.Exif] = {0x829A: Rational(1, 250), 0x9003: "2026:11:28 12:00:00", 0x927C: b"note"}
    exif[ExifTags.IFD.GPSInfo] = {1: "N", 2: (Rational(52), Rational(31), Rational(12, 5))}
    return exif


def facts(exif: Image.Exif) -> dict[str, object]:
    """All tags of all directories, but for where they lie."""
    data = exif.tobytes()
    exif = Image.Exif()
    exif.load(data)
    offsets = {ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo}
    main = {tag: value for tag, value in exif.items() if tag not in offsets}
    return {str(key): dict(exif.get_ifd(key)) for key in offsets} | {"main": main}


def of(picture: Picture) -> Image.Exif:
    """A picture's EXIF as Pillow reads it."""
    assert picture.exif is not None
    exif = Image.Exif()
    exif.load(picture.exif)
    return exif


def file(name: str, **settings) -> bytes:
    """A picture file of Pillow's."""
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, name, **settings)
    return out.getvalue()


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_block_is_kept_byte_by_byte(order):
    """Tags that nobody knows too."""
    data = block([(0x010F, 2, 4, b"abc\0"), (0xC0DE, 7, 4, b"\x01\x02\x03\x04")], order)
    picture = read_picture(Path("a.jpg"), data=file("JPEG", exif=data))
    assert picture.exif == data
    assert picture.conversions == ()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied_and_reset(orientation, order):
    """All else stays as it is, and the pixels are those that Pillow turns."""
    value = struct.pack(f"{order}HH", orientation, 0)
    data = file("PNG", exif=block([(0x0112, 3, 1, value), (0xC0DE, 7, 4, b"\x01\x02\x03\x04")], order))
    picture = read_picture(Path("a.png"), data=data)
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(picture.pixels, np.asarray(ImageOps.exif_transpose(image)))
    upright = struct.pack(f"{order}HH", 1, 0)
    assert picture.exif == block([(0x0112, 3, 1, upright), (0xC0DE, 7, 4, b"\x01\x02\x03\x04")], order)
    assert ("EXIF orientation applied" in picture.conversions) == (orientation != 1)


def test_a_thumbnail_that_was_not_turned_is_unlinked():
    """Programs would show it lying on its side."""
    tiff = bytearray(block([(0x0112, 3, 1, b"\x06\0\0\0")])[6:])
    struct.pack_into("<I", tiff, len(tiff) - 4, len(tiff))
    tiff += struct.pack("<HHHI", 1, 0x0103, 3, 1) + b"\x06\0\0\0" + bytes(4)
    picture = read_picture(Path("a.png"), data=file("PNG", exif=b"Exif\0\0" + bytes(tiff)))
    assert of(picture).get_ifd(ExifTags.IFD.IFD1) == {}
    upright = bytearray(tiff)
    upright[18] = 1
    picture = read_picture(Path("a.png"), data=file("PNG", exif=b"Exif\0\0" + bytes(upright)))
    assert of(picture).get_ifd(ExifTags.IFD.IFD1) == {0x0103: 6}


UNWRITABLE = [
    block([(0x0128, 2, 2, b"2\0\0\0")]),  # a resolution unit as text
    block([(0x0112, 2, 2, b"6\0\0\0")]),  # an orientation as text
    block([(0x011A, 2, 2, b"7\0\0\0"), (0x0213, 12, 1, b"\0\0\0\0")]),
    b"Exif\0\0these are no tags",
    b"Exif\0\0II*\0\xff\xff\xff\xff",
    b"Exif\0\0",
]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # Pillow's, of this test's own opening
@pytest.mark.parametrize("data", UNWRITABLE)
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_a_block_that_cannot_be_written_again_costs_nothing_but_itself(data, name):
    """The picture is read, from a file and from Pillow; a line says what was left out, or what was kept is written."""
    whole = file(name, exif=data, **({"lossless": True} if name == "WEBP" else {}))
    with Image.open(io.BytesIO(whole)) as image:
        for picture in (read_picture(Path("a"), data=whole), from_pillow(image)):
            assert picture.pixels.shape == PIXELS.shape
            if picture.exif is None:
                assert len(data) == 6 or any("EXIF cannot be written again" in line for line in picture.conversions)
            for suffix in writable(FORMATS):
                to_file_bytes(picture, suffix)


def test_a_unit_as_text_is_left_out_with_a_line():
    """The first that was met."""
    picture = read_picture(Path("a.jpg"), data=file("JPEG", exif=UNWRITABLE[0]))
    assert picture.exif is None
    assert picture.conversions[0].startswith("its EXIF cannot be written again and is left out")


def test_the_tags_of_a_tiff_file_are_its_exif():
    """Those of its pixels are not; and they come back from one that is written."""
    exif = full()
    data = file("TIFF", exif=exif.tobytes())
    picture = read_picture(Path("a.tif"), data=data)
    assert facts(of(picture)) == facts(exif)
    again = read_picture(Path("b.tif"), data=to_file_bytes(picture, ".tif"))
    assert facts(of(again)) == facts(exif)
    assert picture.conversions == again.conversions == ()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_every_directory_comes_back_from_every_format(suffix):
    """That has a place for it."""
    picture = Picture(PIXELS, exif=full().tobytes())
    back = read_picture(Path(f"a{suffix}"), data=to_file_bytes(picture, suffix))
    assert facts(of(back)) == facts(full())


@pytest.mark.parametrize("keyword", ["exif", "APP1"])
def test_profiles_in_text_as_imagemagick_writes_them_are_read(keyword):
    """Before and behind the pixels."""
    data = full().tobytes()
    digits = data.hex()
    lines = "\n".join(digits[start : start + 72] for start in range(0, len(digits), 72))
    text = PngInfo()
    text.add_text(f"Raw profile type {keyword}", f"\n{keyword}\n{len(data):8d}\n{lines}\n", zip=True)
    picture = read_picture(Path("a.png"), data=file("PNG", pnginfo=text))
    assert picture.exif == data
    whole = file("PNG")
    inner = PngInfo()
    inner.add_text(f"Raw profile type {keyword}", f"\n{keyword}\n{len(data):8d}\n{lines}\n")
    ((name, content, *_),) = inner.chunks
    chunk = struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    late = whole[:-12] + chunk + whole[-12:]
    assert read_picture(Path("a.png"), data=late).exif == data


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_xmp_comes_back_from_every_format(suffix):
    """That has a place for it."""
    picture = Picture(PIXELS, xmp=XMP.replace(b'"6"', b'"1"'))
    back = read_picture(Path(f"a{suffix}"), data=to_file_bytes(picture, suffix))
    assert back.xmp == picture.xmp


def test_the_orientation_of_xmp_is_applied_and_reset():
    """Where EXIF has none."""
    picture = read_picture(Path("a.jpg"), data=file("JPEG", xmp=XMP))
    assert picture.pixels.shape == (9, 6, 3)
    assert picture.xmp == XMP.replace(b'"6"', b'"1"')


def test_tags_that_a_caller_changed_are_those_that_are_kept():
    """On a Pillow image that has a block already."""
    with Image.open(io.BytesIO(file("PNG", exif=full()))) as image:
        image.getexif()[0x010E] = "another"
        assert of(from_pillow(image))[0x010E] == "another"


@pytest.mark.parametrize(("name", "suffix"), [("PNG", ".png"), ("JPEG", ".jpg"), ("BMP", ".bmp"), ("TIFF", ".tif")])
def test_the_resolution_comes_back_from_every_format(name, suffix):
    """That has a place for it."""
    picture = read_picture(Path("a"), data=file(name, dpi=(144, 300)))
    assert picture.resolution == pytest.approx((144, 300), rel=1e-3)
    back = read_picture(Path("a"), data=to_file_bytes(picture, suffix))
    assert back.resolution == pytest.approx((144, 300), rel=1e-3)


def test_a_resolution_that_exif_has_is_not_kept_twice():
    """Nor one that Pillow only guesses."""
    exif = full()
    assert read_picture(Path("a"), data=file("JPEG", exif=exif)).resolution is None
    exif[0x011A], exif[0x011B], exif[0x0128] = 300.0, 300.0, 2
    assert read_picture(Path("a"), data=file("PNG", exif=exif, dpi=(300, 300))).resolution is None
    assert read_picture(Path("a"), data=file("TIFF")).resolution is None


def test_what_a_format_cannot_hold_is_left_out_with_a_line():
    """Rather than the picture being refused."""
    picture = Picture(PIXELS, exif=b"Exif\0\0no tags", xmp=bytes(70000), icc=bytes(255 * 65519 + 1))
    lines = held_by(picture, ".jpg").conversions
    assert [line.split(" is left out")[0] for line in lines] == ["its colour profile", "its XMP"]
    assert held_by(picture, ".tif").conversions[0].startswith("its EXIF is left out")
    assert len(held_by(picture, ".bmp").conversions) == 3
    for suffix in writable(FORMATS):
        to_file_bytes(picture, suffix)


def test_tags_of_how_another_file_was_stored_do_not_spoil_one():
    """What cameras and scanners put beside the description: width, bits, compression, strips, a colour map."""
    exif = Image.Exif()
    exif[0x010E], exif[0xC0DE] = "a description", 7
    numbers = {256: 9999, 257: 5, 258: 16, 259: 6, 262: 5, 273: 12345, 277: 1, 278: 3, 279: 77, 284: 2, 320: (1, 2, 3)}
    for tag, value in (numbers | {322: 16, 324: 7, 330: 99, 338: 1, 339: 3, 700: b"xmp", 34675: b"icc"}).items():
        exif[tag] = value
    picture = Picture(PIXELS, exif=exif.tobytes())
    back = read_picture(Path("a.tif"), data=to_file_bytes(picture, ".tif"))
    assert np.array_equal(back.pixels, PIXELS)
    assert (back.icc, back.xmp) == (None, None)
    assert of(back)[0x010E] == "a description"
    assert held_by(picture, ".tif").conversions == ()
    assert read_picture(Path("a.png"), data=to_file_bytes(picture, ".png")).exif == picture.exif
