"""Writing pictures: the memory that it needs."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from isthmus.imaging import writing
from isthmus.imaging.reading import read_picture
from isthmus.metrics.distortion import psnr
from isthmus.values import Picture


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
@pytest.mark.parametrize("suffix", sorted(writing.FORMATS))
def test_every_format_is_read_back(suffix, channels, tmp_path):
    """Exactly, but JPEG nearly; with the ICC profile and EXIF where the format has them."""
    if suffix == ".pgm" and channels == 3:
        pytest.skip("a .pgm is grey")
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
    if writing.FORMATS[suffix] == "JPEG":
        assert psnr(back.pixels, pixels) > 40
    else:
        assert np.array_equal(back.pixels, pixels)
    if writing.FORMATS[suffix] not in ("BMP", "PPM"):
        assert back.icc == picture.icc
    if writing.FORMATS[suffix] in ("JPEG", "PNG", "WEBP"):
        assert back.exif is not None
        assert b"a description" in back.exif


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
