"""Only picture formats are opened, at every door."""

from __future__ import annotations

import io
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import isthmus
from isthmus.errors import InputError, UsageError
from isthmus.imaging.formats import readable
from isthmus.imaging.reading import from_pillow, read_picture

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
WMF = bytes.fromhex("d7cdc69a0000000000006400640048000000000000000100090000030000000000000000000000000000") + bytes(40)
SOURCES = Path(isthmus.__file__).parent


@pytest.fixture(autouse=True)
def _no_program_starts(monkeypatch):
    """Whatever starts one fails the test."""

    def refused(*arguments, **_):
        raise AssertionError(f"a program was started: {arguments}")

    monkeypatch.setattr(subprocess, "Popen", refused)
    monkeypatch.setattr(subprocess, "check_call", refused)


@pytest.mark.parametrize("content", [EPS, WMF, b"%PDF-1.4\n", b"BUFR" + bytes(60), b"\x89HDF\r\n\x1a\n" + bytes(60)])
@pytest.mark.parametrize("name", ["holiday.jpg", "drawing.eps"])
def test_what_is_no_picture_format_is_refused_in_one_line(tmp_path, content, name):
    """Under whatever name, and no program is asked to draw it."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=r"not a picture that can be read: .*PNG") as caught:
        read_picture(tmp_path / name)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="not a picture"):
        read_picture(Path(name), data=content)


def test_a_page_that_pillow_has_opened_is_refused():
    """Its pixels would be Ghostscript's."""
    page = Image.open(io.BytesIO(EPS))
    assert page.format == "EPS"
    with pytest.raises(UsageError, match="EPS is no picture format"):
        from_pillow(page)
    with pytest.raises(UsageError, match="EPS"):
        isthmus.encode(page)


@pytest.mark.parametrize("name", [name for name in readable() if name not in ("CUR", "ICNS", "PSD", "QOI")])
def test_every_format_that_is_listed_is_read(name):
    """From what Pillow itself writes; of those four it writes none, or only other sizes."""
    pixels = np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))
    out = io.BytesIO()
    image = Image.fromarray(np.dstack([pixels, pixels.T, pixels]))
    image.save(out, name, **({"lossless": True} if name == "WEBP" else {}))
    picture = read_picture(Path("a"), data=out.getvalue())
    assert (picture.width, picture.height) == (64, 64)
    assert np.abs(picture.pixels.astype(int) - np.asarray(image)).mean() < 12


def test_every_file_is_opened_at_one_door():
    """`imaging.formats` is the only module that calls Pillow's `open`."""
    callers = [path for path in SOURCES.rglob("*.py") if re.search(r"\bImage\.open\(", _code(path))]
    assert [path.relative_to(SOURCES).as_posix() for path in callers] == ["imaging/formats.py"]


def _code(path: Path) -> str:
    """Without docstrings."""
    return re.sub(r'""".*?"""', "", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_a_picture_that_is_damaged_or_of_an_odd_kind_is_said_to_be_one():
    """Rather than no picture at all."""
    out = io.BytesIO()
    Image.new("L", (8, 8)).save(out, "TIFF")
    with pytest.raises(InputError, match=r"is TIFF, but damaged|it is damaged"):
        read_picture(Path("a.tif"), data=out.getvalue()[:20])
