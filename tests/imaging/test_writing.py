"""Writing pictures: the memory that it needs."""

from __future__ import annotations

import io
import platform
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from isthmus.errors import MissingExtraError, UsageError
from isthmus.imaging import writing
from isthmus.imaging.exif_directories import without_tag
from isthmus.imaging.icc import Curve, make_profile
from isthmus.imaging.reading import read_picture
from isthmus.metrics.distortion import psnr
from isthmus.values import Picture
from tests.conftest import writable

needs_avif = pytest.mark.skipif(not writable([".avif"]), reason="this Pillow has no AVIF")


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc keeps freed memory, and offers to return it")
def test_freed_memory_goes_back_to_the_system():
    """Also behind what is still in use."""
    blocks = [np.ones(100_000, np.uint8) for _ in range(1500)]
    last = np.ones(100_000, np.uint8)
    used = resident()
    del blocks
    writing.give_back_memory()
    assert used - resident() > 100e6
    assert last.all()


@pytest.mark.parametrize(("side", "is_large"), [(20, False), (40, True)])
def test_large_pictures_are_written_behind_it(monkeypatch, side, is_large):
    """Small ones are not worth the time."""
    asked = []
    monkeypatch.setattr(writing, "LARGE", 40 * 40 * 3)
    monkeypatch.setattr(writing, "give_back_memory", lambda: asked.append(side))
    data = writing.to_file_bytes(Picture(np.zeros((side, side, 3), np.uint8)), ".png")
    assert data.startswith(b"\x89PNG")
    assert bool(asked) == is_large


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", writable(sorted(writing.FORMATS)))
def test_every_format_is_read_back(suffix, channels, tmp_path):
    """Exactly, but JPEG nearly; with the ICC profile and EXIF where the format has them."""
    if suffix == ".pgm" and channels == 3:
        pytest.skip("a .pgm is grey")
    if suffix == ".jxl":
        pytest.skip("it is not read; tests/end_to_end/test_folders.py has it")
    rows, columns = np.mgrid[:40, :50]
    pixels = np.stack([4 * rows + columns, 5 * columns, 255 - 3 * rows], -1).astype(np.uint8)[:, :, :channels]
    exif = Image.Exif()
    exif[0x010E] = "a description"
    picture = Picture(
        pixels, icc=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), exif=exif.tobytes()
    )
    if channels == 1:
        picture = replace(picture, icc=None)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(writing.to_file_bytes(picture, suffix))
    back = read_picture(path)
    if channels == 1 and back.channels == 3:  # WebP knows no grey
        assert np.all(back.pixels == back.pixels[:, :, :1])
        back = replace(back, pixels=back.pixels[:, :, :1])
    if writing.FORMATS[suffix] in ("JPEG", "AVIF"):
        assert psnr(back.pixels, pixels) > 40
    else:
        assert np.array_equal(back.pixels, pixels)
    if writing.FORMATS[suffix] not in ("BMP", "PPM"):
        assert back.icc == picture.icc
    if writing.FORMATS[suffix] in ("JPEG", "PNG", "WEBP", "AVIF"):
        assert back.exif is not None
        assert b"a description" in back.exif


@pytest.mark.parametrize("suffix", writable([".jpg", ".png", ".webp", ".avif", ".tif"]))
def test_exif_and_xmp_go_together(suffix):
    """One does not take the other's place; where the picture was taken is there as well."""
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x8825] = {1: "N", 2: (47.0, 22.0, 30.0)}
    picture = Picture(np.zeros((8, 8, 3), np.uint8), exif=exif.tobytes(), xmp=b"<x>kept</x>")
    data = writing.to_file_bytes(picture, suffix)
    assert read_picture(Path("a"), data=data).xmp == picture.xmp
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif()[0x010F] == "Maker"
        assert image.getexif().get_ifd(0x8825)[1] == "N"


@pytest.mark.parametrize("suffix", writable([".jpg", ".png", ".webp", ".avif", ".tif", ".bmp"]))
def test_the_resolution_is_kept(suffix):
    """Where a format has no place for it, in EXIF."""
    picture = Picture(np.zeros((8, 8, 3), np.uint8), resolution=(300.0, 150.0))
    assert writing.held_by(picture, suffix).conversions == ()
    back = read_picture(Path("a"), data=writing.to_file_bytes(picture, suffix))
    if suffix in (".webp", ".avif"):
        exif = Image.Exif()
        exif.load(back.exif)
        assert (exif[282], exif[283], exif[296]) == (300, 150, 2)
    else:
        assert back.resolution == pytest.approx((300, 150), abs=0.1)
    assert writing.held_by(picture, ".ppm").conversions == ("its resolution is left out: PPM has no place for it",)


@pytest.mark.parametrize("suffix", writable([".jpg", ".webp", ".avif"]))
def test_a_quality_of_the_output_is_heard(suffix):
    """The lower, the smaller."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    sizes = []
    for quality in (10, 90, None):
        out = io.BytesIO()
        writing.write_picture(Picture(pixels), suffix, out, quality=quality)
        sizes.append(len(out.getvalue()))
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize(("suffix", "quality"), [(".png", 90), (".tif", 90), (".jpg", 0), (".jpg", 101)])
def test_a_quality_that_is_none_is_refused(suffix, quality):
    """Of a format that keeps every pixel, or outside 1 to 100."""
    with pytest.raises(UsageError, match="quality of the output"):
        writing.write_picture(Picture(np.zeros((8, 8, 3), np.uint8)), suffix, io.BytesIO(), quality=quality)


@needs_avif
def test_an_avif_keeps_exif_byte_by_byte_but_for_its_orientation():
    """Pillow would write it anew, without what it does not know."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x927C] = 1, "Maker", b"a note of the maker's"
    block = exif.tobytes()
    back = read_picture(
        Path("a"), data=writing.to_file_bytes(Picture(np.zeros((8, 8, 3), np.uint8), exif=block), ".avif")
    )
    assert back.exif == without_tag(block, 0x0112)


@needs_avif
def test_exif_that_avif_cannot_hold_is_left_out_with_a_line():
    """The picture is written all the same."""
    held = writing.held_by(Picture(np.zeros((8, 8, 3), np.uint8), exif=b"Exif\0\0damaged"), ".avif")
    assert held.exif is None
    assert held.conversions == ("its EXIF is left out: AVIF needs it whole, and it is damaged",)


def test_without_avif_or_jpeg_xl_a_line_says_what_is_missing(monkeypatch):
    """Before anything is done."""
    monkeypatch.setattr(writing, "has_avif", lambda: False)
    with pytest.raises(UsageError, match="install Pillow"):
        writing.check_suffix(".avif")
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(MissingExtraError, match=r"JPEG XL needs more packages: .*evaluate"):
        writing.check_suffix(".jxl")


@pytest.mark.skipif(find_spec("imagecodecs") is None, reason="the extra evaluate is not installed")
def test_colours_of_jpeg_xl_are_srgb():
    """A profile of other primaries is applied, with a line; one of sRGB changes nothing."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    wide = make_profile(3, Curve(power=2.2), (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046), "wide")
    held = writing.held_by(Picture(pixels, icc=wide), ".jxl")
    assert held.icc is None
    assert held.conversions == ("its colour profile was applied: JPEG XL is written as sRGB",)
    assert np.abs(held.pixels.astype(int) - pixels).max() > 30
    same = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    held = writing.held_by(Picture(pixels, icc=same), ".jxl")
    assert held.conversions == ()
    assert np.array_equal(held.pixels, pixels)
    held = writing.held_by(Picture(pixels, icc=b"no profile"), ".jxl")
    assert "cannot be applied" in held.conversions[0]


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".ppm"])
@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_that_a_format_cannot_hold_goes_over_white_with_a_line(suffix, channels, tmp_path):
    """Rather than showing what was hidden."""
    pixels = np.zeros((8, 8, channels), np.uint8)
    alpha = np.zeros((8, 8), np.uint8)
    alpha[:, 4:] = 128
    held = writing.held_by(Picture(pixels, alpha=alpha), suffix)
    assert held.conversions == (f"{writing.FORMATS[suffix]} has no alpha: laid over white",)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(writing.to_file_bytes(Picture(pixels, alpha=alpha), suffix))
    back = read_picture(path)
    assert back.alpha is None
    assert back.pixels[:, :3].min() >= 250
    assert np.abs(back.pixels[:, 5:].astype(int) - 127).max() <= 4


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_alpha_that_a_format_holds_is_kept_without_a_line(suffix, tmp_path):
    """Hidden colours too."""
    random = np.random.default_rng(0)
    picture = Picture(random.integers(0, 256, (8, 8, 3), np.uint8), alpha=random.integers(0, 256, (8, 8), np.uint8))
    assert writing.held_by(picture, suffix).conversions == ()
    path = tmp_path / f"a{suffix}"
    path.write_bytes(writing.to_file_bytes(picture, suffix))
    back = read_picture(path)
    assert np.array_equal(back.alpha, picture.alpha)
    seen = picture.alpha > 0
    assert np.array_equal(back.pixels[seen], picture.pixels[seen])
