"""Picture files, Pillow images and arrays into `Picture` values: the first step of encoding.

Files and Pillow images follow one rule, `from_pillow`: which formats, how deep, what is kept and what is said.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isthmus.errors import InputError, LimitError, UsageError
from isthmus.imaging.boxes import bmp_has_alpha
from isthmus.imaging.colours import Colours, colours_of
from isthmus.imaging.depth import bits_of, is_signed, reduce
from isthmus.imaging.exif import ExifOfFile, exif_of, has_resolution, xmp_of
from isthmus.imaging.formats import SUFFIXES, frames_of, open_image, readable, refuse_programs
from isthmus.imaging.pillow_errors import translated
from isthmus.values import MAX_PIXELS, Picture

__all__ = ["SUFFIXES", "as_picture", "count_frames", "from_array", "from_pillow", "read_picture"]

Pixels = NDArray[np.uint8]

_STRIP = 256
_TIFF_ORIENTATION = 274
_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels.swapaxes(0, 1)[:, ::-1],
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: pixels.swapaxes(0, 1)[::-1],
}
"""What makes stored pixels upright, by their EXIF orientation."""


def read_picture(
    path: Path, *, depth: int | None = None, frame: int | None = None, data: bytes | None = None
) -> Picture:
    """Read a picture file.

    Args:
        path: a file of one of `formats.readable()`, whatever its suffix.
        depth: 8 allows pictures of 16 bits or floats to be reduced; otherwise they are refused.
        frame: which picture of an animation, from 0; without it animations are refused.
        data: the file's bytes where they are at hand; the path then only names it.

    Raises:
        InputError: missing, empty, not a picture, truncated, deep or animated without leave.
        LimitError: more pixels than `values.MAX_PIXELS`; nothing was decoded.
    """
    with translated(str(path), path, data), open_image(path if data is None else io.BytesIO(data)) as image:
        _check_size(image, path)
        frames = frames_of(image)
        if frames > 1 and frame is None:
            raise InputError(f"{path} has {frames} frames: choose one with --frame 0 to --frame {frames - 1}")
        if frame is not None:
            if not 0 <= frame < frames:
                raise InputError(f"{path} has {frames} frames: --frame {frame} is none of them")
            if frames > 1:
                image.seek(frame)
            _check_size(image, path)
        try:
            return _read(image, depth)
        except UsageError as error:
            raise InputError(f"{path}: {error}") from error


def count_frames(path: Path) -> int:
    """How many pictures a file holds; 1 for a camera's extra views, as `read_picture` takes them.

    Raises:
        InputError: it is no picture file.
    """
    with translated(str(path), path), open_image(path) as image:
        return frames_of(image)


def from_pillow(image: Image.Image, *, depth: int | None = None) -> Picture:
    """A Pillow image's pixels with its alpha and metadata; orientation applied. Of an animation, the frame it is at.

    Args:
        image: opened by Pillow, its pixels loaded or not, or made in memory.
        depth: 8 allows 16 bits or floats to be reduced.

    Raises:
        UsageError: 16 bits or floats without `depth=8`; no picture, such as EPS.
        InputError: its file is damaged or truncated.
        LimitError: more pixels than `values.MAX_PIXELS`.
    """
    with translated("the Pillow image"):
        _check_size(image, "the Pillow image")
        return _read(image, depth)


def from_array(array: NDArray[Any]) -> Picture:
    """A uint8 array of shape (rows, columns), or (rows, columns, channels) with 1 to 4 channels.

    2 and 4 channels are grey and RGB with alpha, as `decode` returns them.

    Raises:
        UsageError: another type or shape.
    """
    if array.ndim == 3 and array.dtype == np.uint8 and array.shape[2] in (2, 4):
        return Picture(np.ascontiguousarray(array[:, :, :-1]), alpha=np.ascontiguousarray(array[:, :, -1]))
    return Picture(np.ascontiguousarray(array[:, :, None] if array.ndim == 2 else array))


def as_picture(value: object, *, depth: int | None = None) -> Picture:
    """Whatever the Python interface takes, as a `Picture`: one, a Pillow image, or an array of any library.

    Raises:
        UsageError: something else, or an array of another type or shape.
        InputError: see `from_pillow`.
    """
    if isinstance(value, Picture):
        return value
    if isinstance(value, Image.Image):
        return from_pillow(value, depth=depth)
    if isinstance(value, np.ndarray):
        return from_array(value)
    if hasattr(value, "__array__") or hasattr(value, "__array_interface__"):
        return from_array(np.asarray(value))
    raise UsageError(f"a picture is a NumPy array or a Pillow image, not {type(value).__name__}")


def _check_size(image: Image.Image, name: Path | str) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise LimitError(f"{name} has {image.width}×{image.height} pixels, above the limit of {MAX_PIXELS}")


def _read(image: Image.Image, depth: int | None) -> Picture:
    """The rule: pixels as 8 bits, then what the file says of them."""
    refuse_programs(image)
    with _unread(image) as unread:
        file = _file_of(unread)
        bits = bits_of(unread, file)
        colours = colours_of(unread, file)
        rescale = _grey_scale(unread)
        conversions = ["its alpha is not read"] if _is_read_without_alpha(unread, file) else []
    if bits > 8 and depth != 8:
        raise UsageError(f"it has {bits} bits a value: pass --depth 8 (in Python depth=8) to have them reduced to 8")
    stored = getattr(image, "tag_v2", {}).get(_TIFF_ORIENTATION, 1)  # which Pillow applies while it loads TIFF
    pixels, alpha = _eight_bits(image, bits, rescale, conversions)
    exif = exif_of(image)
    if exif.orientation != 1 or stored in _TURNS:
        conversions.append("EXIF orientation applied")
    if exif.orientation in _TURNS:
        turn = _TURNS[exif.orientation]
        pixels, alpha = np.ascontiguousarray(turn(pixels)), None if alpha is None else np.ascontiguousarray(turn(alpha))
    pixels, profile = _with_profile(image, pixels, colours, conversions)
    conversions += [exif.note] if exif.note else []
    return Picture(
        pixels,
        alpha=alpha,
        icc=profile,
        exif=exif.block,
        xmp=xmp_of(image),
        resolution=_resolution(image, exif),
        conversions=tuple(conversions),
    )


@contextmanager
def _unread(image: Image.Image) -> Iterator[Image.Image]:
    """The image; or, where its pixels are loaded and its facts gone, its file opened once more."""
    path = getattr(image, "filename", "")
    if getattr(image, "tile", None) or not path or image.format not in readable():
        yield image
        return
    try:
        again = open_image(Path(os.fsdecode(path)))
    except (OSError, SyntaxError, ValueError):  # it is gone, or is another by now
        yield image
        return
    with again:
        yield again if (again.format, again.size) == (image.format, image.size) else image


def _file_of(image: Image.Image) -> BinaryIO | None:
    """The file behind an image whose pixels are not loaded."""
    file = getattr(image, "fp", None) if getattr(image, "tile", None) else None
    return file if file is not None and hasattr(file, "seek") else None


def _eight_bits(image: Image.Image, bits: int, rescale: int, conversions: list[str]) -> tuple[Pixels, Pixels | None]:
    """Pixels (rows, columns, 1 or 3) and alpha as they are stored."""
    if bits > 8 or is_signed(image):
        reduced = reduce(image, _file_of(image), bits)
        if reduced is not None:
            conversions.append(reduced.note)
            return reduced.pixels, reduced.alpha
        conversions.append(f"values of {bits} bits reduced to 8")
    image.load()
    _check_size(image, "the picture")  # ICO and ICNS say it only now
    mode = image.mode
    transparent = image.info.get("transparency")
    if mode in ("1", "L", "RGB") and transparent is not None:
        pixels = _to_array(image if mode != "1" else image.convert("L"))
        return pixels, _alpha_of(pixels, transparent, rescale)
    if image.has_transparency_data and mode not in ("CMYK", "YCbCr", "LAB", "HSV"):
        image = image.convert("LA" if mode in ("LA", "La") else "RGBA")
        alpha: Pixels | None = _to_array(image.getchannel("A"))[:, :, 0]
    else:
        alpha = None
    is_grey = mode in ("L", "LA", "La", "1")
    if mode not in ("L", "RGB", "LA", "RGBA"):
        conversions.append(f"{mode} converted to {'grey' if is_grey else 'RGB'}")
    wanted = "L" if is_grey else "RGB"
    return _to_array(image if image.mode == wanted else image.convert(wanted)), alpha


def _is_read_without_alpha(image: Image.Image, file: BinaryIO | None) -> bool:
    """Whether Pillow leaves out what a file says it has: the one bit of alpha of some bitmaps."""
    return image.format == "BMP" and image.mode == "RGB" and file is not None and bmp_has_alpha(file)


def _grey_scale(image: Image.Image) -> int:
    """What Pillow multiplies the grey of a PNG of 2 or 4 bits by, but not the one that stands for transparent."""
    tiles = getattr(image, "tile", None) or []
    raw = str(tiles[0][3]) if image.format == "PNG" and tiles else ""
    return {"L;2": 85, "L;4": 17}.get(raw, 1)


def _alpha_of(pixels: Pixels, transparent: object, rescale: int) -> Pixels | None:
    """Alpha where one grey or one colour stands for transparent; None where what Pillow says is neither."""
    wanted = np.atleast_1d(np.asarray(transparent))
    if wanted.dtype.kind not in "iu" or wanted.shape != pixels.shape[2:]:
        return None
    if wanted.max() > 255:  # of 16 bits, of which Pillow has left the upper ones
        wanted = wanted >> 8
    return np.where((pixels == wanted * rescale).all(2), np.uint8(0), np.uint8(255))


def _to_array(image: Image.Image) -> Pixels:
    """The pixels of an L or RGB image, copied in strips: Pillow would need them three times over."""
    pixels = np.empty((image.height, image.width, len(image.getbands())), np.uint8)
    for top in range(0, image.height, _STRIP):
        bottom = min(top + _STRIP, image.height)
        strip = np.asarray(image.crop((0, top, image.width, bottom)))
        pixels[top:bottom] = strip[:, :, None] if strip.ndim == 2 else strip
    return pixels


def _with_profile(
    image: Image.Image, pixels: Pixels, colours: Colours, conversions: list[str]
) -> tuple[Pixels, bytes | None]:
    """The colour profile that belongs to the pixels as they are now, and video levels made full ones."""
    if colours.has_narrow_range:
        pixels = np.clip(np.rint((pixels.astype(np.float32) - 16) * (255 / 219)), 0, 255).astype(np.uint8)
        conversions.append("video levels (16 to 235) made 0 to 255")
    profile, note = colours.profile(pixels.shape[2], was_converted=image.mode in ("CMYK", "YCbCr", "LAB", "HSV"))
    conversions += [note] if note else []
    return pixels, profile


def _resolution(image: Image.Image, exif: ExifOfFile) -> tuple[float, float] | None:
    """Pixels per inch across and down, where the file itself says it and EXIF does not."""
    if has_resolution(exif.block):
        return None
    if image.format in ("JPEG", "MPO") and image.info.get("jfif_unit") not in (1, 2):
        return None  # Pillow's own guess
    if image.format == "TIFF" and not {282, 283} <= set(getattr(image, "tag_v2", {})):
        return None
    try:
        across, down = (float(value) for value in image.info.get("dpi", ()))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if all(0 < value < math.inf for value in (across, down)) else None
