"""Pixels and metadata to JPEG XL files, by imagecodecs where it is installed; Pillow knows none."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from isthmus.errors import MissingExtraError
from isthmus.imaging.exif import PREFIX
from isthmus.values import Picture

LOSSLESS = 100
"""The quality at which every pixel is kept."""
_EFFORT = 7
_SIGNATURE = b"\r\n\x87\n"
_BRAND = b"jxl \0\0\0\0jxl "
_SAME = 1
"""Grey levels that two ways of computing sRGB from sRGB differ by."""


def codec() -> Any:
    """The module imagecodecs.

    Raises:
        MissingExtraError: it is not installed, or has no JPEG XL.
    """
    try:
        import imagecodecs
    except ImportError as error:
        raise MissingExtraError(extra="evaluate", purpose="writing JPEG XL") from error
    if not imagecodecs.JPEGXL.available:
        raise MissingExtraError(extra="evaluate", purpose="writing JPEG XL, which this imagecodecs was built without,")
    return imagecodecs


def write(picture: Picture, out: BinaryIO, *, quality: int | None) -> None:
    """One file: a codestream, with EXIF and XMP in boxes beside it.

    Args:
        picture: in sRGB, see `in_srgb`.
        out: where the file goes.
        quality: 1 to 100 as `cjxl` has them; None and 100 keep every pixel.

    Raises:
        MissingExtraError: nothing here writes it.

    Source:
        ISO/IEC 18181-2:2024: the boxes "JXL ", "ftyp", "Exif", "xml ", "jxlc".
    """
    pixels = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    lossy = quality is not None and quality < LOSSLESS
    values = np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    codestream = bytes(
        codec().jpegxl_encode(values, level=quality if lossy else None, lossless=not lossy, effort=_EFFORT)
    )
    out.write(_box(b"JXL ", _SIGNATURE) + _box(b"ftyp", _BRAND))
    if picture.exif is not None:
        out.write(_box(b"Exif", bytes(4) + picture.exif.removeprefix(PREFIX)))
    if picture.xmp is not None:
        out.write(_box(b"xml ", picture.xmp))
    out.write(_box(b"jxlc", codestream))


def in_srgb(picture: Picture) -> Picture:
    """The picture's colours without a profile: the encoder takes none. What that changes is one more conversion."""
    if picture.icc is None:
        return picture
    from PIL import ImageCms

    is_grey = picture.channels == 1
    image = Image.fromarray(picture.pixels[:, :, 0] if is_grey else picture.pixels)
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.icc))
        mode = "L" if is_grey else "RGB"
        transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB")
        shown = np.asarray(ImageCms.applyTransform(image, transform))
    except (ImageCms.PyCMSError, OSError, ValueError):
        note = "its colour profile is left out: it cannot be applied, and JPEG XL is written as sRGB"
        return replace(picture, icc=None, conversions=(*picture.conversions, note))
    changed = np.ascontiguousarray(shown[:, :, :1] if is_grey else shown)
    if np.abs(changed.astype(np.int16) - picture.pixels).max() <= _SAME:
        return replace(picture, icc=None)
    note = "its colour profile was applied: JPEG XL is written as sRGB"
    return replace(picture, pixels=changed, icc=None, conversions=(*picture.conversions, note))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content
