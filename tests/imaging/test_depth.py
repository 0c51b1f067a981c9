"""Depth is what the file says: pictures of more than 8 bits are refused, or reduced by their own white."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isthmus.errors import InputError, LimitError, UsageError
from isthmus.imaging.formats import readable
from isthmus.imaging.reading import from_pillow, read_picture

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 65536, (20, 30), np.uint16)
COLOUR = RANDOM.integers(0, 65536, (20, 30, 3), np.uint16)
ALPHA = RANDOM.integers(0, 65536, (20, 30, 1), np.uint16)


def nearest(values: np.ndarray, white: int) -> np.ndarray:
    """8 bits, computed apart from the code under test."""
    return np.rint(np.clip(values.astype(np.float64), 0, white) * 255 / white).astype(np.uint8)


def read(data: bytes) -> np.ndarray:
    """Pixels with alpha as a last channel, after a refusal without leave."""
    with pytest.raises(InputError, match=r"has \d+ bits a value: pass --depth 8"):
        read_picture(Path("a"), data=data)
    picture = read_picture(Path("a"), depth=8, data=data)
    assert any("8 bits" in line or "to 8" in line for line in picture.conversions)
    return picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])


def tiff(array: np.ndarray, **settings) -> bytes:
    """A file of tifffile's, which writes what Pillow cannot."""
    out = io.BytesIO()
    pytest.importorskip("tifffile").imwrite(out, array, **settings)
    return out.getvalue()


def png(values: np.ndarray, kind: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of 16 bits with chunks before its pixels; kind is PNG's colour type."""
    rows = values.reshape(len(values), -1).astype(">u2")
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, kind, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    body = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (GREY[:, :, None], 0),
        (COLOUR, 2),
        (np.dstack([GREY[:, :, None], ALPHA]), 4),
        (np.dstack([COLOUR, ALPHA]), 6),
    ],
    ids=["grey", "RGB", "grey with alpha", "RGB with alpha"],
)
def test_a_png_of_16_bits_is_rounded_to_the_nearest(values, kind):
    """Not cut off, and grey with alpha stays grey."""
    assert np.array_equal(read(png(values, kind)), nearest(values, 65535))


def test_one_transparent_value_of_16_bits_is_alpha():
    """The value itself, not those that share its upper byte."""
    grey = GREY.copy()
    grey[3, 4], grey[3, 5] = 0x1234, 0x1235
    back = read(png(grey[:, :, None], 0, (b"tRNS", struct.pack(">H", 0x1234))))
    assert np.array_equal(back[:, :, 0], nearest(grey, 65535))
    assert np.array_equal(back[:, :, 1] == 0, grey == 0x1234)
    colour = COLOUR.copy()
    colour[3, 4], colour[3, 5] = (1, 2, 3), (1, 2, 4)
    back = read(png(colour, 2, (b"tRNS", struct.pack(">3H", 1, 2, 3))))
    assert np.argwhere(back[:, :, 3] == 0).tolist() == [[3, 4]]


def test_one_transparent_grey_of_few_bits_is_alpha(shared_data):
    """Pillow scales the pixels of 4 bits, but not the value that stands for transparent."""
    picture = read_picture(shared_data / "robustness" / "pngsuite" / "tbbn0g04.png")
    assert picture.channels == 1
    assert picture.alpha is not None
    assert 0.4 < (picture.alpha == 0).mean() < 0.5


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("values", "settings"),
    [
        (GREY, {"photometric": "minisblack"}),
        (COLOUR, {"photometric": "rgb"}),
        (np.dstack([COLOUR, ALPHA]), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
    ],
    ids=["grey", "RGB", "RGB with alpha"],
)
def test_a_tiff_of_16_bits_is_rounded_to_the_nearest(values, settings, order, compression):
    """In either byte order, compressed or not."""
    data = tiff(values, byteorder=order, compression=compression, **settings)
    shaped = values if values.ndim == 3 else values[:, :, None]
    assert np.array_equal(read(data), nearest(shaped, 65535))


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_channels_of_16_bits_that_lie_apart_are_read(compression):
    """Pillow alone would take each half of a value for a value."""
    data = tiff(COLOUR.transpose(2, 0, 1), photometric="rgb", planarconfig="separate", compression=compression)
    assert np.abs(read(data).astype(int) - nearest(COLOUR, 65535)).max() <= 1


def test_premultiplied_colours_are_divided_by_their_alpha():
    """At 16 bits, before they are reduced."""
    opaque = np.maximum(ALPHA, 20000)
    premultiplied = (COLOUR.astype(np.uint64) * opaque // 65535).astype(np.uint16)
    data = tiff(np.dstack([premultiplied, opaque]), photometric="rgb", extrasamples=["assocalpha"])
    assert np.abs(read(data).astype(int) - nearest(np.dstack([COLOUR, opaque]), 65535)).max() <= 1


def test_white_that_is_zero_is_white():
    """At 16 bits and among floats, where Pillow leaves it black."""
    assert np.array_equal(read(tiff(GREY, photometric="miniswhite"))[:, :, 0], 255 - nearest(GREY, 65535))
    floats = (GREY / 65535).astype(np.float32)
    assert np.array_equal(read(tiff(floats, photometric="miniswhite"))[:, :, 0], 255 - nearest(floats, 1))


def test_whole_numbers_are_scaled_by_the_bits_that_tiff_states():
    """32 unsigned, 16 signed; 8 signed ones need no leave but a line."""
    assert np.array_equal(read(tiff(GREY.astype(np.uint32) * 65537))[:, :, 0], nearest(GREY, 65535))
    signed = GREY.view(np.int16)
    assert np.array_equal(read(tiff(signed))[:, :, 0], nearest(signed, 32767))
    few = (GREY >> 8).astype(np.uint8).view(np.int8)
    picture = read_picture(Path("a"), data=tiff(few))
    assert np.array_equal(picture.pixels[:, :, 0], nearest(few, 127))
    assert "signed" in picture.conversions[0]


def test_12_bits_are_scaled_by_4095():
    """As packed by hand: two values in three bytes."""
    values = RANDOM.integers(0, 4096, (4, 6), np.uint16)
    pairs = values.reshape(-1, 2)
    packed = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], 1)
    entries = [(256, 6), (257, 4), (258, 12), (259, 1), (262, 1), (273, 128), (277, 1), (278, 4), (279, 36)]
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    header = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + bytes(4)
    data = header.ljust(128, b"\0") + packed.astype(np.uint8).tobytes() + bytes(100)
    assert np.array_equal(read(data)[:, :, 0], nearest(values, 4095))


@pytest.mark.parametrize(
    ("brightest", "white"), [(0.3, 1), (1.0, 1), (1.01, 1), (9.0, 1), (254.9, 255), (260.0, 255), (60000.0, 65535)]
)
def test_floats_are_scaled_by_the_range_that_they_are_nearest_to(brightest, white):
    """And what lies beyond it is clipped, with a line that says both."""
    floats = np.linspace(0, brightest, 600, dtype=np.float32).reshape(20, 30)
    out = io.BytesIO()
    Image.fromarray(floats).save(out, "TIFF")
    picture = read_picture(Path("a"), depth=8, data=out.getvalue())
    assert np.array_equal(picture.pixels[:, :, 0], nearest(floats, white))
    line = picture.conversions[0]
    assert f"taken as 0 to {white}" in line
    assert ("clipped" in line) == (brightest > white)


def test_what_is_no_finite_number_is_black_or_white():
    """With a line."""
    floats = np.full((1, 4), 0.5, np.float32)
    floats[0, :3] = np.nan, np.inf, -np.inf
    picture = from_pillow(Image.fromarray(floats), depth=8)
    assert picture.pixels[0, :, 0].tolist() == [0, 255, 0, 128]
    assert "3 are no finite numbers" in picture.conversions[0]


@pytest.mark.parametrize(("kind", "channels"), [(b"P5", 1), (b"P6", 3)])
@pytest.mark.parametrize("white", [1023, 65535])
def test_a_pixmap_is_as_deep_as_its_largest_value(kind, channels, white):
    """Colour too, which Pillow reduces without a word."""
    values = RANDOM.integers(0, white + 1, (5, 7, channels)).astype(">u2")
    data = kind + b"\n7 5\n%d\n" % white + values.tobytes()
    assert np.abs(read(data).astype(int) - nearest(values, white)).max() <= 1


def test_a_bitmap_of_5_6_5_bits_is_none_of_16_bits():
    """Its pixels have 16, its values fewer."""
    values = np.array([[0xF800, 0x07E0], [0x001F, 0xFFFF]], "<u2")
    header = struct.pack("<IiiHHIIiiII", 40, 2, -2, 1, 16, 3, 8, 0, 0, 0, 0) + struct.pack("<3I", 0xF800, 0x7E0, 0x1F)
    data = b"BM" + struct.pack("<IHHI", 14 + len(header) + 8, 0, 0, 14 + len(header)) + header + values.tobytes()
    picture = read_picture(Path("a.bmp"), data=data)
    assert picture.pixels.tolist() == [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]]


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("container", ["jp2", "j2k"])
def test_jpeg_2000_is_scaled_by_its_precision(bits, container):
    """Grey; in colour Pillow turns white to black there, so it is refused."""
    codecs = pytest.importorskip("imagecodecs")
    grey = GREY >> (16 - bits)
    grey[0, :9] = 2**bits - 1
    data = codecs.jpeg2k_encode(grey, level=0, bitspersample=bits, codecformat=container)
    assert np.array_equal(read(data)[:, :, 0], nearest(grey, 2**bits - 1))
    data = codecs.jpeg2k_encode(COLOUR >> (16 - bits), level=0, bitspersample=bits, codecformat=container)
    with pytest.raises(InputError, match=f"of {bits} bits a value is not read"):
        read_picture(Path("a.jp2"), depth=8, data=data)


@pytest.mark.skipif("AVIF" not in readable(), reason="this Pillow reads no AVIF")
def test_avif_of_10_bits_is_deep():
    """Libavif reduces it without a word."""
    codecs = pytest.importorskip("imagecodecs")
    ramp = np.tile(np.linspace(0, 1023, 64).astype(np.uint16)[None, :, None], (64, 1, 3))
    data = codecs.avif_encode(ramp, bitspersample=10, level=100)
    assert np.abs(read(data).astype(int) - nearest(ramp, 1023)).max() <= 2


@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_pillow_image_follows_the_rule_of_the_command(tmp_path, is_loaded):
    """Also where Pillow has already reduced its pixels."""
    (tmp_path / "a.png").write_bytes(png(COLOUR, 2))
    with Image.open(tmp_path / "a.png") as image:
        if is_loaded:
            image.load()
        with pytest.raises(UsageError, match="16 bits a value"):
            from_pillow(image)
        picture = from_pillow(image, depth=8)
    assert np.abs(picture.pixels.astype(int) - nearest(COLOUR, 65535)).max() <= is_loaded
    assert picture.conversions


def test_a_later_page_above_the_limit_is_refused(tmp_path, monkeypatch):
    """The first page's size says nothing of it."""
    monkeypatch.setattr("isthmus.imaging.reading.MAX_PIXELS", 100)
    small, large = Image.new("L", (8, 8)), Image.new("L", (40, 40))
    small.save(tmp_path / "a.tif", save_all=True, append_images=[large])
    assert read_picture(tmp_path / "a.tif", frame=0).width == 8
    with pytest.raises(LimitError, match="40×40 pixels, above the limit"):
        read_picture(tmp_path / "a.tif", frame=1)
