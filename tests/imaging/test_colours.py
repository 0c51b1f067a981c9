"""What a file says of its colours becomes a profile, or is said."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from isthmus.imaging.formats import readable
from isthmus.imaging.reading import from_pillow, read_picture
from isthmus.values import Picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
DISPLAY_P3 = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
SRGB_POINTS = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)


def grey_profile() -> bytes:
    """A GRAY profile, as this project makes them."""
    profile = read(Image.new("L", (2, 2)), (b"gAMA", struct.pack(">I", 100000))).icc
    assert profile is not None
    return profile


def read(image: Image.Image, *chunks: tuple[bytes, bytes], **settings) -> Picture:
    """A PNG with chunks behind its header, read."""
    out = io.BytesIO()
    image.save(out, "PNG", **settings)
    data = out.getvalue()
    more = (struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks)
    return read_picture(Path("a.png"), data=data[:33] + b"".join(more) + data[33:])


def shown(picture: Picture) -> np.ndarray:
    """The pixels as a colour-managed program shows them on an sRGB screen: Little CMS', not ours."""
    assert picture.icc is not None
    image = Image.fromarray(picture.pixels[:, :, 0] if picture.channels == 1 else picture.pixels)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.icc))
    screen = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, profile, screen, renderingIntent=1, outputMode="RGB")
    return np.asarray(converted).astype(int)


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light in [0, 1] to 8 bits."""
    linear = np.clip(linear, 0, 1)
    return np.rint(255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


RAMP = np.tile(np.arange(256, dtype=np.uint8), (4, 1))


@pytest.mark.parametrize("gamma", [1.0, 0.7, 0.35])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_gamma_becomes_a_profile_that_shows_the_same(gamma, channels):
    """And a line says so; the pixels are as they were."""
    pixels = RAMP if channels == 1 else np.dstack([RAMP] * 3)
    picture = read(Image.fromarray(pixels), (b"gAMA", struct.pack(">I", round(gamma * 100000))))
    assert np.array_equal(picture.pixels[:, :, 0], RAMP)
    assert picture.channels == channels
    assert picture.conversions == (f"its gamma of {gamma:g} became a colour profile",)
    expected = to_srgb((RAMP / 255.0) ** (1 / gamma))
    difference = np.abs(shown(picture)[0, :, 0] - expected[0])
    assert difference[24:].max() <= 2  # near black, Little CMS' table of 8-bit grey is coarse
    assert difference.max() <= 12


@pytest.mark.parametrize(
    "chunks",
    [
        [(b"gAMA", struct.pack(">I", 45455))],
        [(b"gAMA", struct.pack(">I", 45000)), (b"cHRM", SRGB_POINTS)],
        [(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100000))],
        [(b"cICP", bytes([1, 13, 0, 1])), (b"gAMA", struct.pack(">I", 100000))],
    ],
)
def test_what_is_srgb_needs_no_profile_and_no_line(chunks):
    """However it is said."""
    picture = read(Image.new("RGB", (4, 4), "teal"), *chunks)
    assert picture.icc is None
    assert picture.conversions == ()


def test_primaries_become_a_profile_that_shows_the_same():
    """Display P3's green is beyond sRGB; its grey is sRGB's."""
    image = Image.fromarray(np.array([[[128, 128, 128], [200, 100, 100], [90, 120, 160]]], np.uint8))
    for chunk in ((b"cHRM", DISPLAY_P3), (b"cICP", bytes([12, 13, 0, 1]))):
        picture = read(image, chunk)
        assert "became a colour profile" in picture.conversions[0]
        grey, red, blue = shown(picture)[0]
        assert grey.tolist() == pytest.approx([128, 128, 128], abs=1)
        assert red.tolist() == pytest.approx([215, 95, 97], abs=2)  # 200, 100, 100 of Display P3, converted by matrix
        assert blue.tolist() == pytest.approx([80, 121, 163], abs=2)


@pytest.mark.parametrize("transfer", [16, 18])
def test_high_dynamic_range_becomes_a_profile(transfer):
    """Of PQ and HLG, in BT.2020."""
    picture = read(Image.fromarray(np.dstack([RAMP] * 3)), (b"cICP", bytes([9, transfer, 0, 1])))
    assert picture.conversions == (
        f"its coding-independent colours (primaries 9, transfer {transfer}) became a colour profile",
    )
    levels = shown(picture)[0, :, 1]
    assert np.all(np.diff(levels) >= 0)
    assert (levels[0], levels[255]) == (0, 255)


def test_video_levels_are_made_full_ones():
    """What cICP's last byte says."""
    picture = read(
        Image.fromarray(np.array([[[16, 16, 16], [235, 235, 235]]], np.uint8)), (b"cICP", bytes([1, 13, 0, 0]))
    )
    assert picture.pixels[0, :, 0].tolist() == [0, 255]
    assert "video levels" in picture.conversions[0]


@pytest.mark.parametrize(
    "chunk",
    [
        (b"gAMA", struct.pack(">I", 0)),
        (b"gAMA", struct.pack(">I", 2**31 - 1)),
        (b"cHRM", bytes(32)),
        (b"cHRM", struct.pack(">8I", *[33333] * 8)),
        (b"cHRM", struct.pack(">8I", *[2**31 - 1] * 8)),
        (b"cICP", bytes([200, 13, 0, 1])),
        (b"cICP", bytes([9, 77, 0, 1])),
    ],
)
def test_facts_that_cannot_be_are_left_out_with_a_line(chunk):
    """The picture is read."""
    picture = read(Image.new("RGB", (4, 4), "teal"), chunk)
    assert picture.icc is None
    assert "left out" in picture.conversions[0]


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("profile", ["grey", "colour", "none"])
def test_a_profile_that_does_not_fit_the_channels_is_left_out(mode, profile):
    """With a line; one that fits stays."""
    icc = {"grey": grey_profile(), "colour": SRGB, "none": b"no profile at all, but some bytes"}[profile]
    image = Image.new(mode, (4, 4))
    image.info["icc_profile"] = icc
    picture = from_pillow(image)
    fits = profile == ("grey" if mode in ("L", "LA") else "colour")
    assert picture.icc == (icc if fits else None)
    assert any("profile" in line for line in picture.conversions) == (not fits)


def test_a_grey_png_with_transparency_stays_grey_and_keeps_its_profile():
    """Rather than RGB with a GRAY profile."""
    pixels = np.array([[10, 20], [30, 40]], np.uint8)
    picture = read(Image.fromarray(pixels), transparency=20, icc_profile=grey_profile())
    assert np.array_equal(picture.pixels[:, :, 0], pixels)
    assert picture.channels == 1
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[255, 0], [255, 255]]
    assert picture.icc == grey_profile()
    assert picture.conversions == ()


def test_a_profile_of_ink_is_left_out_where_colours_are_converted():
    """With a line."""
    image = Image.new("CMYK", (4, 4))
    image.info["icc_profile"] = SRGB.replace(b"RGB XYZ ", b"CMYKLab ")
    picture = from_pillow(image)
    assert picture.icc is None
    assert any("profile is of the colours before" in line for line in picture.conversions)


@pytest.mark.data
def test_bitmaps_and_avif_state_their_colours(shared_data):
    """A bitmap's own profile and its calibration, which Pillow passes over."""
    folder = shared_data / "robustness"
    embedded = read_picture(folder / "image_rs" / "bmp" / "images" / "rgb24prof.bmp")
    assert embedded.icc is not None
    assert embedded.icc[36:40] == b"acsp"
    calibrated = read_picture(folder / "image_rs" / "bmp" / "images" / "pal8v4.bmp")
    assert calibrated.icc is None  # sRGB's primaries and a gamma of 2.2
    if "AVIF" not in readable():
        pytest.skip("this Pillow reads no AVIF")
    plain = read_picture(folder / "sharp_fixtures" / "sdr_cosmos12920_cicp1-13-6_yuv444_full_qp10.avif")
    assert plain.icc is None


@pytest.mark.skipif("AVIF" not in readable(), reason="this Pillow reads no AVIF")
def test_avif_of_other_primaries_gets_a_profile():
    """As libavif writes them into a colr box."""
    out = io.BytesIO()
    Image.new("RGB", (16, 16), "teal").save(out, "AVIF")
    data = out.getvalue()
    place = data.index(b"nclx") + 4
    wide = data[:place] + struct.pack(">HH", 12, 13) + data[place + 4 :]
    picture = read_picture(Path("a.avif"), data=wide)
    assert picture.icc is not None
    assert "primaries 12, transfer 13" in picture.conversions[0]
    assert read_picture(Path("a.avif"), data=data).icc is None
