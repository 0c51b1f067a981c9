"""A folder as people have them, to files and back by one command each; and pictures through pipes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from isthmus.imaging.reading import read_picture
from tests.conftest import GOLDEN

MODEL = str(GOLDEN / "golden-hyperprior.isthmus")
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r exif:GPSLatitude="47,22N" dc:title="kept"/></x:xmpmeta>'
YEARS_AGO = 1_000_000_000


def isthmus(*arguments: object, data: bytes | None = None, **options) -> subprocess.CompletedProcess:
    """The command in a fresh process; what it prints are bytes."""
    command = [sys.executable, "-m", "isthmus", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, input=data, timeout=300, **options)


def lines_of(stream: bytes) -> list[str]:
    """As text."""
    return stream.decode().splitlines()


def _photo(seed: int) -> Image.Image:
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (8, 9, 3), np.uint8)).resize((90, 80), Image.Resampling.BICUBIC)
    return Image.fromarray(np.clip(np.asarray(coarse) + random.normal(0, 3, (80, 90, 1)), 0, 255).astype(np.uint8))


def _drawing(mode: str) -> Image.Image:
    image = Image.new(mode, (90, 80))
    ImageDraw.Draw(image).ellipse((10, 10, 70, 60), fill="#c02040")
    return image


@pytest.fixture(scope="module")
def album(tmp_path_factory) -> Path:
    """Photographs, drawings, grey and flat pictures, and what lies beside them."""
    folder = tmp_path_factory.mktemp("album")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    exif[0x8825] = {1: "N", 2: (47.0, 22.0, 30.0)}
    for number in (1, 2, 10):
        _photo(number).save(folder / f"photo {number}.jpg", quality=95)
    _photo(3).save(folder / "turned.jpg", quality=95, exif=exif.tobytes(), xmp=XMP, dpi=(300, 300))
    _photo(1).save(folder / "photo 1.png")
    _drawing("RGB").save(folder / "screenshot.png", dpi=(144, 144))
    _drawing("RGBA").save(folder / "logo.png")
    _photo(4).convert("L").save(folder / "grey.png")
    _photo(4).convert("L").convert("RGB").save(folder / "grey as colours.png")
    Image.new("RGB", (70, 70), "red").save(folder / "flat.png")
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "notes.txt").write_text("of the journey")
    os.utime(folder / "flat.png", (YEARS_AGO, YEARS_AGO))
    return folder


@pytest.fixture(scope="module")
def done(album, tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    """All of them by one command, in two processes."""
    out = tmp_path_factory.mktemp("out")
    command = ("compress", album, "-o", out, "--model", MODEL, "--quality", 70)
    return out, isthmus(*command, "--keep-suffix", "--jobs", 2, "--preserve-dates")


def test_a_folder_goes_to_files_in_natural_order_with_a_sum(album, done):
    """For each picture the bytes before and after, their share and the coding; everything left out is one line."""
    out, process = done
    assert process.returncode == 0, process.stderr
    *each, total = lines_of(process.stdout)
    names = [Path(line.split(": ")[0]).name for line in each]
    photos = [name for name in names if name.startswith("photo")]
    assert photos == ["photo 1.jpg.isth", "photo 1.png.isth", "photo 2.jpg.isth", "photo 10.jpg.isth"]
    assert sorted(names) == sorted(path.name for path in out.iterdir())
    flat = next(line for line in each if "flat.png" in line)
    before, after = (album / "flat.png").stat().st_size, (out / "flat.png.isth").stat().st_size
    assert f"{before} → {after} bytes ({100 * after / before:.1f} %, exact by WebP)" in flat
    sizes = [sum(path.stat().st_size for path in folder.iterdir()) for folder in (album, out)]
    sizes[0] -= (album / "notes.txt").stat().st_size
    assert total.startswith(f"10 pictures: {sizes[0]} → {sizes[1]} bytes")
    hidden = [line for line in lines_of(process.stderr) if "hidden" in line]
    assert hidden == [f"isthmus: {album}: left out, as hidden: .hidden.png"]
    assert (out / "flat.png.isth").stat().st_mtime == YEARS_AGO


def test_and_back(album, done, tmp_path):
    """Each as it was: exact where it was coded so, near where it was not; turned once, alpha and metadata in place."""
    out, _ = done
    process = isthmus("decompress", out, "-o", tmp_path, "--model", MODEL, "--jobs", 2, "--preserve-dates")
    assert process.returncode == 0, process.stderr
    assert lines_of(process.stdout)[-1] == "10 pictures"
    for path in album.glob("*.*g"):
        if path.name.startswith("."):
            continue
        sent, back = read_picture(path), read_picture(tmp_path / f"{path.name}.png")
        assert (back.pixels.shape, back.alpha is None) == (sent.pixels.shape, sent.alpha is None), path.name
        if path.name in ("screenshot.png", "flat.png"):
            assert np.array_equal(back.pixels, sent.pixels)
        if sent.alpha is not None:
            assert np.array_equal(back.alpha, sent.alpha)
    neutral = read_picture(tmp_path / "grey as colours.png.png").pixels
    assert np.array_equal(neutral[:, :, 0], neutral[:, :, 2])
    turned = read_picture(tmp_path / "turned.jpg.png")
    assert (turned.width, turned.height) == (80, 90)
    assert turned.xmp == XMP
    assert turned.resolution == pytest.approx((300, 300), abs=0.1)
    assert (tmp_path / "flat.png.png").stat().st_mtime == YEARS_AGO


def test_two_pictures_of_one_name_are_kept_apart_on_request(album, tmp_path):
    """The second is not done, and the line says what does it."""
    process = isthmus("compress", album, "-o", tmp_path, "--model", MODEL, "--lossless", "--json")
    assert process.returncode == 1
    assert len(json.loads(process.stdout)["files"]) == 9
    clash = [line for line in lines_of(process.stderr) if "--keep-suffix" in line]
    assert len(clash) == 1
    assert "photo 1.png" in clash[0]


def test_what_is_there_is_one_line_and_may_be_skipped(album, done):
    """Without a request nothing is written over; --skip-existing does the others."""
    out, _ = done
    command = ("compress", album, "-o", out, "--model", MODEL, "--keep-suffix")
    times = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    refused = isthmus(*command)
    assert refused.returncode == 1
    told = [line for line in lines_of(refused.stderr) if "exist already" in line]
    assert len(told) == 1
    assert "10 files" in told[0]
    assert "--skip-existing" in told[0]
    (out / "flat.png.isth").unlink()
    del times[out / "flat.png.isth"]
    again = isthmus(*command, "--skip-existing", "--json")
    assert again.returncode == 0, again.stderr
    found = json.loads(again.stdout)
    assert [Path(one["output"]).name for one in found["files"]] == ["flat.png.isth"]
    assert len(found["skipped"]) == 9
    assert {path: path.stat().st_mtime_ns for path in times} == times
    both = isthmus(*command, "--skip-existing", "--force")
    assert both.returncode == 2


@pytest.mark.parametrize(
    ("what", "has_maker", "has_place"), [(None, True, True), ("gps", True, False), ("all", False, False)]
)
def test_metadata_is_left_out_on_request(album, tmp_path, what, has_maker, has_place):
    """All of it, or where the picture was taken: no byte of it is left in the file."""
    strip = ["--strip", what] if what else []
    process = isthmus("compress", album / "turned.jpg", "-o", tmp_path / "a.isth", "--model", MODEL, *strip)
    assert process.returncode == 0, process.stderr
    data = (tmp_path / "a.isth").read_bytes()
    assert (b"Maker" in data, b"GPS" in data, b"kept" in data) == (has_maker, has_place, has_maker)
    process = isthmus("decompress", tmp_path / "a.isth", "-o", tmp_path / "a.png", "--model", MODEL)
    with Image.open(tmp_path / "a.png") as image:
        assert bool(image.getexif().get_ifd(0x8825)) == has_place
        assert image.getexif().get(0x010F) == ("Maker" if has_maker else None)
        assert ("dpi" in image.info) == has_maker
        assert image.size == (80, 90)


def test_a_picture_goes_through_pipes(album, tmp_path):
    """In and out at both ends; what is said goes to stderr."""
    packed = isthmus("compress", "-", "-o", "-", "--model", MODEL, data=(album / "grey.png").read_bytes())
    assert packed.returncode == 0, packed.stderr
    assert packed.stdout.startswith(b"\x89ISTH")
    assert f"{len(packed.stdout)} bytes" in packed.stderr.decode()
    back = isthmus("decompress", "-", "-o", "-", "--model", MODEL, "--format", "tif", data=packed.stdout)
    assert back.returncode == 0, back.stderr
    with Image.open(io.BytesIO(back.stdout)) as image:
        assert (image.format, image.size, image.mode) == ("TIFF", (90, 80), "L")
    assert back.stderr.decode().strip() == "-: 90×80"
    into_folder = isthmus(
        "compress", "-", "-o", f"{tmp_path}/", "--model", MODEL, data=(album / "grey.png").read_bytes()
    )
    assert into_folder.returncode == 0, into_folder.stderr
    assert (tmp_path / "stdin.isth").is_file()


@pytest.mark.parametrize(
    ("arguments", "data", "code", "message"),
    [
        (["compress", "-", "-o", "x.isth"], b"", 1, "stdin is empty"),
        (["compress", "-", "-o", "x.isth"], b"no picture", 1, "stdin is not a picture"),
        (["compress", "-", "-o", "-"], b"\x89PNG\r\n\x1a\n", 1, "stdin is PNG, but damaged"),
        (["decompress", "-", "-o", "-"], b"no picture", 1, "stdin: not a .isth"),
        (["decompress", "-", "-o", "x.png"], b"", 1, "stdin is empty"),
        (["compress", "a.png", "b.png", "-o", "-"], None, 2, "name a folder"),
        (["compress", "-", "-o", "-", "--json"], b"", 2, "--json"),
        (["compress", "a.png", "-o", "x.jpg"], None, 2, "ends in .jpg"),
        (["compress", "a.png", "b.png", "-o", "x.jpg"], None, 2, "ends in .jpg"),
        (["compress", "a.png", "-o", "x.isth", "--strip", "exif"], None, 2, "all or gps"),
        (["decompress", "a.isth", "-o", "x.gif"], None, 2, "ends in .gif"),
        (["decompress", "a.isth", "-o", "x.png", "--output-quality", "80"], None, 2, "keeps every pixel"),
        (["denoise", "a.png", "-o", "-", "--model", MODEL], None, 2, "standard output"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(tmp_path, arguments, data, code, message):
    """And nothing is written."""
    for name in ("a.png", "b.png"):
        _photo(1).save(tmp_path / name)
    (tmp_path / "a.isth").write_bytes((GOLDEN / "plain-75.isth").read_bytes())
    process = isthmus(*arguments, data=data, cwd=tmp_path)
    assert process.returncode == code
    assert process.stdout == b""
    told = lines_of(process.stderr)
    assert len(told) == 1, told
    assert message in told[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.isth", "a.png", "b.png"]


def test_an_endless_stdin_is_given_up(tmp_path):
    """At the limit, here a small one."""
    code = (
        "import sys; from isthmus.sources import standard; standard.MAX_BYTES = 1 << 21; "
        "from isthmus.cli.main import run; sys.argv = ['isthmus', 'compress', '-', '-o', 'x.isth']; run()"
    )
    with Path("/dev/zero").open("rb") as endless:
        process = subprocess.run(
            [sys.executable, "-c", code], stdin=endless, capture_output=True, cwd=tmp_path, timeout=60
        )
    assert process.returncode == 1
    assert lines_of(process.stderr) == ["isthmus: stdin has more than the 2097152 bytes that are read of it"]


@pytest.mark.parametrize("arguments", [["compress", "-", "-o", "-", "--model", MODEL], ["models"]])
def test_a_reader_that_went_away_gets_no_traceback(album, arguments):
    """Exit code 1, and nothing is said."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        process = subprocess.run(
            [sys.executable, "-m", "isthmus", *arguments],
            input=(album / "grey.png").read_bytes(), stdout=writing, stderr=subprocess.PIPE, timeout=300,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert process.returncode == 1
    assert process.stderr == b""


def _upright(path: Path) -> np.ndarray:
    return read_picture(path).pixels.astype(int)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif", ".tif"])
def test_every_output_says_what_the_picture_is(album, done, tmp_path, suffix):
    """Upright once, with EXIF, XMP and its colours."""
    out, _ = done
    target = tmp_path / f"a{suffix}"
    process = isthmus("decompress", out / "turned.jpg.isth", "-o", target, "--model", MODEL)
    assert process.returncode == 0, process.stderr
    isthmus("decompress", out / "turned.jpg.isth", "-o", tmp_path / "a.png", "--model", MODEL)
    back = read_picture(target)
    assert np.abs(back.pixels.astype(int) - _upright(tmp_path / "a.png")).mean() < 3
    assert back.xmp == XMP
    with Image.open(target) as image:
        assert image.getexif().get(0x010F) == "Maker"
        assert image.getexif().get(0x0112, 1) == 1
        assert image.getexif().get_ifd(0x8825)[1] == "N"


@pytest.mark.skipif(find_spec("imagecodecs") is None, reason="the extra evaluate is not installed")
def test_jpeg_xl_is_written_where_it_can_be(album, done, tmp_path):
    """Exact without a quality, smaller with one; EXIF and XMP are in its boxes."""
    import imagecodecs

    out, _ = done
    command = ("decompress", out / "turned.jpg.isth", "--model", MODEL, "-o")
    assert isthmus(*command, tmp_path / "a.png").returncode == 0
    assert isthmus(*command, tmp_path / "a.jxl").returncode == 0
    assert isthmus(*command, tmp_path / "b.jxl", "--output-quality", 50).returncode == 0
    data = (tmp_path / "a.jxl").read_bytes()
    assert np.array_equal(imagecodecs.jpegxl_decode(data), _upright(tmp_path / "a.png"))
    assert b"Exif" in data
    assert XMP in data
    assert (tmp_path / "b.jxl").stat().st_size < len(data) / 2
