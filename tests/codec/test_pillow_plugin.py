"""Pillow opens and saves .isth files."""

from __future__ import annotations

import io
import shutil

import numpy as np
import pytest
from PIL import Image

import isthmus
from isthmus.codec.model import load_model
from isthmus.zoo import finding
from tests.conftest import GOLDEN


@pytest.fixture(autouse=True)
def _plugin():
    """The golden photo model is installed, and Pillow knows the format."""
    finding.models_folder().mkdir(parents=True)
    shutil.copy(GOLDEN / "golden-hyperprior.isthmus", finding.models_folder())
    isthmus.register_pillow()


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_picture_saved_by_pillow_is_opened_by_pillow(tmp_path, mode):
    """Through the suffix, with the quality, to the same pixels as the Python interface gives."""
    model = load_model("golden-hyperprior")
    pixels = np.random.default_rng(1).integers(0, 256, (40, 50, 4), np.uint8)
    image = Image.fromarray(pixels, "RGBA").convert(mode) if mode != "RGBA" else Image.fromarray(pixels)
    image.save(tmp_path / "a.isth", quality=30, model=model)
    data = (tmp_path / "a.isth").read_bytes()
    assert data == model.encode(image, quality=30)
    with Image.open(tmp_path / "a.isth") as opened:
        assert (opened.format, opened.size, opened.mode) == ("ISTH", (50, 40), mode)
        assert opened.get_format_mimetype() == "image/x-isthmus"
        assert np.array_equal(np.asarray(opened), isthmus.decode(data))


def test_target_bytes_is_kept(tmp_path):
    """As `isthmus.encode` keeps it."""
    image = Image.effect_mandelbrot((128, 128), (-2, -1.5, 1, 1.5), 60)
    out = io.BytesIO()
    image.save(out, "ISTH", target_bytes=900, model=load_model("golden-hyperprior"))
    assert len(out.getvalue()) <= 900


def test_opening_reads_no_more_than_the_header(tmp_path):
    """A damaged payload is met when pixels are asked for, not before."""
    data = bytearray((GOLDEN / "colour-50.isth").read_bytes())
    data[-10] ^= 1
    image = Image.open(io.BytesIO(bytes(data)))
    assert image.size == (100, 70)
    with pytest.raises(isthmus.ChecksumError):
        image.load()


def test_what_is_no_isth_file_is_left_to_others():
    """A truncated header is an unidentified image, as with any other format."""
    with pytest.raises(Image.UnidentifiedImageError):
        Image.open(io.BytesIO((GOLDEN / "colour-50.isth").read_bytes()[:12]))
