"""Whatever a picture file holds, it is read right or refused in one line."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isthmus.errors import InputError, IsthmusError, LimitError
from isthmus.imaging.fitting import fit
from isthmus.imaging.reading import from_pillow, read_picture
from isthmus.imaging.writing import to_file_bytes, to_pillow
from isthmus.values import Picture, PictureSpec


def _png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and holds nothing."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return start + struct.pack(">I", 1000) + b"IDAT"


def test_a_picture_above_the_pixel_limit_is_refused_before_it_is_decoded(tmp_path):
    """Its header is enough."""
    path = tmp_path / "giant.png"
    path.write_bytes(_png_header(50_000, 50_000) + b"\0" * 100)
    with pytest.raises(LimitError, match="above the limit"):
        read_picture(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.png", b"", "empty"),
        ("text.png", b"this is no picture, it is a text", "not a picture"),
        ("cut.png", _png_header(8, 8), "damaged or truncated"),
    ],
)
def test_a_file_that_is_no_picture_is_refused(tmp_path, name, content, message):
    """With what is wrong with it."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_picture(tmp_path / name)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    """As what they are."""
    with pytest.raises(InputError, match="does not exist"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(InputError, match="folder"):
        read_picture(tmp_path)


def test_a_truncated_jpeg_is_refused(tmp_path):
    """Rather than filled with grey."""
    Image.effect_noise((64, 64), 50).save(tmp_path / "whole.jpg")
    data = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="truncated"):
        read_picture(tmp_path / "cut.jpg")


def test_sixteen_bits_are_refused_unless_asked_for(tmp_path):
    """And reduced to the nearest 8-bit value where they are."""
    values = np.array([[0, 128, 257, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    with pytest.raises(InputError, match="--depth 8"):
        read_picture(tmp_path / "deep.png")
    picture = read_picture(tmp_path / "deep.png", depth=8)
    assert picture.pixels[0, :, 0].tolist() == [0, 0, 1, 255]
    assert picture.conversions


def test_an_animation_is_refused_unless_a_frame_is_named(tmp_path):
    """Frames count from zero."""
    frames = [Image.new("L", (4, 4), value) for value in (10, 200)]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match="--frame"):
        read_picture(tmp_path / "two.gif")
    assert read_picture(tmp_path / "two.gif", frame=1).pixels.mean() == pytest.approx(200, abs=1)
    with pytest.raises(InputError, match="none of them"):
        read_picture(tmp_path / "two.gif", frame=2)


@pytest.mark.parametrize(
    ("mode", "channels", "has_alpha"),
    [("1", 1, False), ("L", 1, False), ("LA", 1, True), ("P", 3, False), ("RGB", 3, False), ("RGBA", 3, True),
     ("CMYK", 3, False), ("YCbCr", 3, False), ("PA", 3, True), ("RGBX", 3, False), ("HSV", 3, False)],
)  # fmt: skip
def test_every_mode_becomes_grey_or_rgb(mode, channels, has_alpha):
    """With alpha apart, and a 1×1 picture is one too."""
    picture = from_pillow(Image.new(mode, (1, 1)))
    assert picture.channels == channels
    assert (picture.alpha is not None) == has_alpha


def test_a_picture_survives_its_own_file(tmp_path):
    """Pixels, alpha, ICC and EXIF through a PNG."""
    random = np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x010E] = "a description"
    picture = Picture(
        random.integers(0, 256, (5, 7, 3), np.uint8), random.integers(0, 256, (5, 7), np.uint8), exif=exif.tobytes()
    )
    (tmp_path / "a.png").write_bytes(to_file_bytes(picture, ".png"))
    again = read_picture(tmp_path / "a.png")
    assert np.array_equal(again.pixels, picture.pixels)
    assert np.array_equal(again.alpha, picture.alpha)
    assert to_pillow(again).getexif()[0x010E] == "a description"


def test_fitting_gives_what_the_model_takes():
    """From any size and mode."""
    spec = PictureSpec(1, 28, 28)
    for shape in ((1, 1, 3), (300, 10, 1), (28, 28, 1)):
        assert spec.accepts(fit(Picture(np.zeros(shape, np.uint8)), spec))
    clear = Picture(np.zeros((4, 4, 3), np.uint8), alpha=np.zeros((4, 4), np.uint8))
    assert fit(clear, spec).pixels.min() == 255  # nothing over white


@pytest.mark.data
@pytest.mark.parametrize("scene", ["landscape", "portrait"])
def test_all_eight_orientations_give_the_same_picture(shared_data, scene):
    """EXIF orientation is applied: sizes agree, and pixels but for the number that is drawn into each."""
    folder = shared_data / "robustness" / "exif_orientation"
    pictures = [read_picture(folder / f"{scene}_{number}.jpg") for number in range(1, 9)]
    assert len({picture.pixels.shape for picture in pictures}) == 1
    first = pictures[0].pixels.ravel()
    assert min(np.corrcoef(first, picture.pixels.ravel())[0, 1] for picture in pictures) > 0.85
    assert all(picture.conversions for picture in pictures[1:])


@pytest.mark.data
def test_every_odd_picture_is_read_or_refused_in_one_line(shared_data):
    """None crashes: not the broken ones either."""
    paths = [path for path in (shared_data / "robustness").rglob("*") if path.is_file()]
    assert len(paths) > 100
    read = 0
    for path in paths:
        try:
            picture = read_picture(path, depth=8, frame=0)
        except IsthmusError as error:
            assert "\n" not in str(error), path
        else:
            read += 1
            assert picture.pixels.dtype == np.uint8
    assert read > len(paths) // 2


@pytest.mark.parametrize(
    ("data", "message"), [(b"", "is empty"), (b"no picture", "not a picture"), (b"\x89PNG\r\n\x1a\n", "")]
)
def test_bytes_that_are_no_picture_are_refused_like_files(data, message):
    """The path is only a name then: nothing needs to be there."""
    with pytest.raises(InputError, match=f"far/away.png.*{message}"):
        read_picture(Path("far/away.png"), data=data)


@pytest.mark.data
def test_alpha_that_is_not_read_is_said(shared_data):
    """One bit of it in a bitmap, which Pillow passes over; where there is none, there is no line."""
    folder = shared_data / "robustness" / "image_rs" / "bmp" / "images"
    assert read_picture(folder / "V3_A1_R5_G5_B5.bmp").conversions == ("its alpha is not read",)
    assert read_picture(folder / "Info_X1_R5_G5_B5.bmp").conversions == ()
