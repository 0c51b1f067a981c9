"""`Picture` values into picture files and Pillow images: the last step of decoding."""

from __future__ import annotations

import ctypes
import io
import sys
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from isthmus.errors import OutputError, UsageError
from isthmus.values import Picture

FORMATS = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP",
    ".ppm": "PPM", ".pgm": "PPM", ".pnm": "PPM",
}  # fmt: skip
_WITHOUT_ALPHA = frozenset({"JPEG", "BMP", "PPM"})
_WITHOUT_METADATA = frozenset({"BMP", "PPM"})
LARGE = 2**26
"""Bytes of a picture from which on its copy is a good part of the memory that the process has."""


def to_pillow(picture: Picture) -> Image.Image:
    """A Pillow image of mode L, LA, RGB or RGBA, with the ICC profile and EXIF in its info."""
    pixels = picture.pixels
    if picture.alpha is not None:
        pixels = np.concatenate([pixels, picture.alpha[:, :, None]], axis=2)
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    if picture.icc is not None:
        image.info["icc_profile"] = picture.icc
    if picture.exif is not None:
        image.info["exif"] = picture.exif
    return image


def check_suffix(suffix: str) -> str:
    """Pillow's name of the format that a suffix such as ".png" stands for.

    Raises:
        UsageError: a suffix that is none of `FORMATS`.
    """
    name = FORMATS.get(suffix.lower())
    if name is None:
        found = f"not {suffix}" if suffix else "and the file has no suffix"
        raise UsageError(f"pictures are written as {' '.join(sorted(FORMATS))}, {found}")
    return name


def give_back_memory() -> None:
    """What the process has freed, to the system, where the C library offers that: it keeps a hundred megabytes."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
        if trim is not None:
            trim(0)


def to_file_bytes(picture: Picture, suffix: str) -> bytes:
    """The bytes of a picture file; see `write_picture`."""
    out = io.BytesIO()
    write_picture(picture, suffix, out)
    return out.getvalue()


def write_picture(picture: Picture, suffix: str, out: BinaryIO) -> None:
    """Write a picture in the format that a suffix such as ".png" names; lossless but for JPEG.

    Raises:
        UsageError: a suffix that is none of `FORMATS`.
        OutputError: the format cannot hold the picture.
        OSError: the file cannot be written.
    """
    name = check_suffix(suffix)
    if picture.pixels.size >= LARGE:
        give_back_memory()
    image = to_pillow(picture)
    if name in _WITHOUT_ALPHA and picture.alpha is not None:
        image = image.convert("L" if picture.channels == 1 else "RGB")
    options: dict[str, Any] = {}
    if name not in _WITHOUT_METADATA:
        options = {key: value for key, value in (("icc_profile", picture.icc), ("exif", picture.exif)) if value}
    if name == "JPEG":
        options |= {"quality": 95, "subsampling": 0}
    if name == "WEBP":
        options |= {"lossless": True}
    try:
        image.save(out, name, **options)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's, not the format's
            raise
        raise OutputError(f"a picture of {picture} cannot be written as {name}: {error}") from error
