"""Picture files, Pillow images and arrays into `Picture` values: the first step of encoding."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from isthmus.errors import InputError, LimitError, UsageError
from isthmus.imaging.pillow_limits import pillow_limits_aside
from isthmus.values import MAX_PIXELS, Picture

SUFFIXES = frozenset(
    {
        *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".jp2", ".qoi"),
        *(".bmp", ".dib", ".tif", ".tiff", ".gif", ".ico", ".tga", ".ppm", ".pgm", ".pnm", ".pbm"),
    }
)
"""What a folder is searched for; a file that is named is read whatever its suffix."""

_STRIP = 256
_ORIENTATION = 0x0112
_DEEP_MODES = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})


def read_picture(
    path: Path, *, depth: int | None = None, frame: int | None = None, data: bytes | None = None
) -> Picture:
    """Read a picture file.

    Args:
        path: any format that Pillow reads.
        depth: 8 allows pictures of 16 bits or floats to be reduced; otherwise they are refused.
        frame: which picture of an animation, from 0; without it animations are refused.
        data: the file's bytes where they are at hand; the path then only names it.

    Raises:
        InputError: missing, empty, not a picture, truncated, deep or animated without leave.
        LimitError: more pixels than `values.MAX_PIXELS`; nothing was decoded.
    """
    with _translated(path, data), Image.open(path if data is None else io.BytesIO(data)) as image:
        if image.width * image.height > MAX_PIXELS:
            raise LimitError(f"{path} has {image.width}×{image.height} pixels, above the limit of {MAX_PIXELS}")
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and frame is None and image.format != "MPO":
            raise InputError(f"{path} has {frames} frames: choose one with --frame 0 to --frame {frames - 1}")
        if frame is not None:
            if not 0 <= frame < frames:
                raise InputError(f"{path} has {frames} frames: --frame {frame} is none of them")
            image.seek(frame)
        is_deep = _is_reduced_by_pillow(image)
        if is_deep and depth != 8:
            raise InputError(f"{path}: it has 16 bits a value: pass --depth 8 to reduce it")
        image.load()
        try:
            picture = from_pillow(image, depth=depth)
            return replace(picture, conversions=("reduced to 8 bits", *picture.conversions)) if is_deep else picture
        except UsageError as error:
            raise InputError(f"{path}: {error}") from error


def find_pictures(folder: Path) -> list[Path]:
    """All files below a folder with a picture's suffix, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


def from_pillow(image: Image.Image, *, depth: int | None = None) -> Picture:
    """A Pillow image's pixels with its alpha, ICC profile and EXIF; orientation applied.

    Raises:
        UsageError: 16 bits or floats without `depth=8`.
    """
    conversions: list[str] = []
    icc = image.info.get("icc_profile") or None
    upright = _upright(image, conversions)
    exif = _exif_bytes(upright)
    if upright.mode in _DEEP_MODES:
        if depth != 8:
            raise UsageError(f"it has more than 8 bits a value (mode {upright.mode}): pass --depth 8 to reduce it")
        conversions.append("reduced to 8 bits")
        return Picture(_reduced(upright)[:, :, None], icc=icc, exif=exif, conversions=tuple(conversions))
    alpha = None
    if upright.has_transparency_data:
        upright = upright.convert("RGBA" if upright.mode not in ("LA", "La") else "LA")
        alpha = _to_array(upright.getchannel("A"))
    is_grey = upright.mode in ("L", "LA", "1")
    if upright.mode not in ("L", "RGB", "LA", "RGBA"):
        conversions.append(f"{upright.mode} converted to {'grey' if is_grey else 'RGB'}")
        if upright.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
            icc = None  # the profile describes the colours before the conversion
    mode = "L" if is_grey else "RGB"
    pixels = _to_array(upright if upright.mode == mode else upright.convert(mode))
    pixels = pixels[:, :, None] if is_grey else pixels
    return Picture(pixels, alpha=alpha, icc=icc, exif=exif, conversions=tuple(conversions))


def from_array(array: NDArray[Any]) -> Picture:
    """A uint8 array of shape (rows, columns), (rows, columns, 1) or (rows, columns, 3).

    Raises:
        UsageError: another type or shape.
    """
    return Picture(np.ascontiguousarray(array[:, :, None] if array.ndim == 2 else array))


def as_picture(value: Picture | Image.Image | NDArray[Any]) -> Picture:
    """Whatever the Python interface takes, as a `Picture`."""
    if isinstance(value, Picture):
        return value
    if isinstance(value, Image.Image):
        return from_pillow(value)
    if isinstance(value, np.ndarray):
        return from_array(value)
    raise UsageError(f"a picture is a NumPy array or a Pillow image, not {type(value).__name__}")


def _is_reduced_by_pillow(image: Image.Image) -> bool:
    """Whether Pillow will read values of 16 bits as 8 without a word, as it does for colour; known before it reads."""
    tiles = getattr(image, "tile", None) or []
    return image.mode not in _DEEP_MODES and any(";16" in str(tile[3]) for tile in tiles if len(tile) > 3)


def _to_array(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of an L or RGB image, copied in strips: Pillow would need them three times over."""
    channels = len(image.getbands())
    shape = (image.height, image.width) if channels == 1 else (image.height, image.width, channels)
    pixels = np.empty(shape, np.uint8)
    for top in range(0, image.height, _STRIP):
        bottom = min(top + _STRIP, image.height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return pixels


def _upright(image: Image.Image, conversions: list[str]) -> Image.Image:
    """The image turned as its EXIF orientation says, the tag removed; the same image where there is nothing to turn."""
    try:
        if image.getexif().get(_ORIENTATION, 1) == 1:
            return image
        turned = ImageOps.exif_transpose(image)
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, IndexError, ZeroDivisionError):
        conversions.append("unreadable EXIF ignored")
        return image
    conversions.append("EXIF orientation applied")
    return turned


def _exif_bytes(image: Image.Image) -> bytes | None:
    """The EXIF block after the orientation was applied."""
    try:
        exif = image.getexif()
        return exif.tobytes() if len(exif) and "exif" in image.info else None
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, AttributeError, OverflowError):
        return None


def _reduced(image: Image.Image) -> NDArray[np.uint8]:
    """16-bit values to 8 bits by their high byte's nearest; floats are taken as [0, 1] or, beyond it, as [0, 255]."""
    values = np.asarray(image).astype(np.float64)
    if image.mode == "F":
        values = values * 255 if np.nanmax(values, initial=0) <= 1 else values
    else:
        values = values * (255 / 65535)
    return np.clip(np.rint(np.nan_to_num(values)), 0, 255).astype(np.uint8)


@contextmanager
def _translated(path: Path, data: bytes | None = None) -> Iterator[None]:
    """Pillow's errors as ours, and its own limit replaced by ours while a file is read."""
    try:
        with pillow_limits_aside():
            yield
    except (InputError, LimitError):
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except IsADirectoryError as error:
        raise InputError(f"{path} is a folder") from error
    except PermissionError as error:
        raise InputError(f"{path} cannot be read: permission denied") from error
    except UnidentifiedImageError as error:
        empty = path.stat().st_size == 0 if data is None else not data
        raise InputError(f"{path} is {'empty' if empty else 'not a picture that can be read'}") from error
    except MemoryError as error:
        raise InputError(f"{path} does not fit into memory") from error
    except Exception as error:  # Pillow's plugins raise whatever their parsers meet: struct.error, SyntaxError, ...
        raise InputError(f"{path} cannot be read, it is damaged or truncated: {error}") from error
