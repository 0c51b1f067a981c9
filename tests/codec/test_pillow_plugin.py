"""Pillow opens and saves .isth files."""

from __future__ import annotations

import copy
import io
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile

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
    assert data == isthmus.encode(image, quality=30, model=model)
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


EXIF = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x0e\x01\x02\0\x04\0\0\0abc\0\0\0\0\0"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def saved(tmp_path) -> Path:
    """A file with alpha and metadata."""
    image = Image.effect_mandelbrot((50, 40), (-2, -1.5, 1, 1.5), 60).convert("RGBA")
    image.save(tmp_path / "a.isth", model=load_model("golden-hyperprior"), exif=EXIF, icc_profile=PROFILE, dpi=(72, 96))
    return tmp_path / "a.isth"


@pytest.mark.parametrize("is_loaded", [False, True])
@pytest.mark.parametrize("through", [lambda image: pickle.loads(pickle.dumps(image)), copy.deepcopy, copy.copy])  # noqa: S301
def test_an_opened_image_is_pickled_and_copied(saved, through, is_loaded):
    """Before and after its pixels are loaded; with its metadata."""
    with Image.open(saved) as image:
        if is_loaded:
            image.load()
        other = through(image)
        assert np.array_equal(np.asarray(other), np.asarray(image))
        assert other.info == image.info
        assert other.getexif()[0x010E] == "abc"


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted under /proc")
def test_loaded_images_hold_no_open_file(saved):
    """As those of other formats."""

    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    images = [Image.open(saved) for _ in range(10)]
    for image in images:
        image.load()
    assert count() <= before
    assert len({image.tobytes() for image in images}) == 1


def test_metadata_is_there_before_pixels_are(saved, monkeypatch):
    """And the same behind them."""
    with Image.open(saved) as image:
        assert image.getexif()[0x010E] == "abc"
        assert image.info["exif"] == EXIF
        assert image.info["icc_profile"] == PROFILE
        assert image.info["dpi"] == (72, 96)
        before = dict(image.info)
        image.load()
        assert image.info == before


def test_save_takes_metadata_in_place_of_the_images_own(saved):
    """And nothing, where None or nothing is given."""
    model = load_model("golden-hyperprior")
    with Image.open(saved) as image:
        for settings, expected in (
            ({}, (EXIF, PROFILE)),
            ({"exif": b"", "icc_profile": None}, (None, None)),
            ({"exif": EXIF.replace(b"abc", b"xyz")}, (EXIF.replace(b"abc", b"xyz"), PROFILE)),
        ):
            out = io.BytesIO()
            image.save(out, "ISTH", model=model, **settings)
            with Image.open(out) as again:
                assert (again.info.get("exif"), again.info.get("icc_profile")) == expected
        exif = Image.Exif()
        exif[0x010E] = "of Pillow"
        out = io.BytesIO()
        image.save(out, "ISTH", model=model, exif=exif, xmp=b"<x/>")
        with Image.open(out) as again:
            assert again.getexif()[0x010E] == "of Pillow"
            assert again.info["xmp"] == b"<x/>"
        assert image.info["exif"] == EXIF  # nothing of the image itself was changed


@pytest.mark.parametrize(
    ("option", "message"),
    [("qualty", "did you mean 'quality'"), ("target_byte", "did you mean 'target_bytes'"), ("optimize", "no option")],
)
def test_an_option_that_is_none_is_refused(tmp_path, option, message):
    """Rather than passed over; no file is left."""
    with pytest.raises(ValueError, match=message):
        Image.new("RGB", (9, 9)).save(tmp_path / "b.isth", model=load_model("golden-hyperprior"), **{option: 5})
    assert not (tmp_path / "b.isth").exists()


def test_frames_are_refused_in_words(tmp_path):
    """A .isth file holds one picture."""
    image = Image.new("RGB", (9, 9))
    with pytest.raises(ValueError, match="holds one picture"):
        image.save(tmp_path / "b.isth", save_all=True, append_images=[image])


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_truncated_file_is_an_os_error(saved, kept):
    """As of every format of Pillow's, and still one of ours."""
    data = saved.read_bytes()
    with Image.open(io.BytesIO(data[: int(kept * len(data))])) as image:
        with pytest.raises(OSError, match="announces") as caught:
            image.load()
        assert isinstance(caught.value, isthmus.TruncatedError)


def test_a_truncated_file_is_loaded_where_pillow_is_told_to(monkeypatch):
    """What is lost is blank: here the last tiles of many."""
    model = load_model("golden-hyperprior")
    pixels = np.random.default_rng(0).integers(100, 200, (1100, 600, 3), np.uint8)
    data = model.encode(pixels, quality=10)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with Image.open(io.BytesIO(data[: len(data) * 2 // 3])) as image:
        whole = np.asarray(Image.open(io.BytesIO(data)))
        assert np.array_equal(np.asarray(image)[:400, :400], whole[:400, :400])
        assert not np.array_equal(np.asarray(image), whole)


def test_verify_checks_without_decoding(saved):
    """As Pillow's own plugins do."""
    with Image.open(saved) as image:
        image.verify()
    data = bytearray(saved.read_bytes())
    data[len(data) // 2] ^= 1
    with pytest.raises(OSError, match="checksum"):
        Image.open(io.BytesIO(bytes(data))).verify()


def test_a_closed_image_says_so(saved):
    """And no more than that."""
    with Image.open(saved) as image:
        pass
    with pytest.raises((ValueError, AssertionError, OSError, AttributeError)):  # as this Pillow's own formats do
        image.load()
