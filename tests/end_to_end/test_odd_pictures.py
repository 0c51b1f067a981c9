"""Pictures that strangers send, through the commands: what is kept, what is said, what is refused."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from isthmus.imaging.reading import read_picture
from tests.conftest import GOLDEN

MODEL = str(GOLDEN / "golden-hyperprior.isthmus")
UNIT_AS_TEXT = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHI4s", 0x128, 2, 2, b"2\0\0\0") + bytes(4)
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">kept</x:xmpmeta>'


def isthmus(*arguments: object) -> subprocess.CompletedProcess:
    """The command in a fresh process."""
    command = [sys.executable, "-m", "isthmus", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """One picture of each kind."""
    folder = tmp_path_factory.mktemp("sent")
    linear = PngInfo()
    linear.add(b"gAMA", struct.pack(">I", 100000))
    plain = Image.effect_mandelbrot((40, 30), (-2, -1.5, 1, 1.5), 60)
    (folder / "holiday.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    plain.convert("RGB").save(folder / "exif.jpg", exif=UNIT_AS_TEXT)
    plain.save(folder / "gamma.png", pnginfo=linear)
    plain.convert("RGB").save(folder / "kept.jpg", xmp=XMP, dpi=(144, 144))
    Image.fromarray(np.linspace(0, 1.01, 1200, dtype=np.float32).reshape(30, 40)).save(folder / "float.tif")
    Image.new("RGBA", (40, 30), (255, 0, 0, 0)).save(folder / "clear.png")
    return folder


@pytest.fixture(scope="module")
def compressed(folder, tmp_path_factory) -> tuple[Path, str]:
    """All of them, and what was said."""
    out = tmp_path_factory.mktemp("isth")
    done = isthmus("compress", folder, "-o", out, "--model", MODEL, "--depth", 8)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return out, done.stderr


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("holiday.jpg", "is not a picture that can be read"),
        ("exif.jpg", "its EXIF cannot be written again and is left out"),
        ("gamma.png", "its gamma of 1 became a colour profile"),
        ("float.tif", "floats up to 1.01 taken as 0 to 1, clipped, reduced to 8 bits"),
    ],
)
def test_what_was_changed_or_refused_is_one_line(compressed, name, line):
    """On stderr, with the file's name; the others are done."""
    out, said = compressed
    lines = [one for one in said.splitlines() if name in one and line in one]
    assert len(lines) == 1
    assert len(list(out.glob("*.isth"))) == 5


def test_what_no_file_lost_is_not_spoken_of(compressed):
    """A picture that is kept as it is needs no line but that on its size."""
    assert not [one for one in compressed[1].splitlines() if "kept.jpg" in one and "own file" not in one]


def test_alpha_goes_over_white_where_the_output_has_none(compressed, tmp_path):
    """With a line; where it has some, it is as it was."""
    out, _ = compressed
    done = isthmus("decompress", out / "clear.isth", "-o", tmp_path / "a.jpg", "--model", MODEL)
    assert done.returncode == 0
    assert "JPEG has no alpha: laid over white" in done.stderr
    assert read_picture(tmp_path / "a.jpg").pixels.min() >= 250
    done = isthmus("decompress", out / "clear.isth", "-o", tmp_path / "a.png", "--model", MODEL)
    assert done.stderr == ""
    assert read_picture(tmp_path / "a.png").alpha.max() == 0


def test_metadata_goes_through(compressed, tmp_path):
    """XMP, the resolution, and a profile that a gamma became."""
    out, _ = compressed
    assert isthmus("decompress", out, "-o", tmp_path, "--model", MODEL, "--format", "tif").returncode == 0
    kept = read_picture(tmp_path / "kept.tif")
    assert kept.xmp == XMP
    assert kept.resolution == pytest.approx((144, 144))
    gamma = read_picture(tmp_path / "gamma.tif")
    assert gamma.icc is not None
    assert gamma.channels == 1
