"""`Picture` values into picture files and Pillow images: the last step of decoding."""

from __future__ import annotations

import ctypes
import io
import sys
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from isthmus.errors import IsthmusError, OutputError, UsageError
from isthmus.imaging import jpeg_xl
from isthmus.imaging.exif import ORIENTATION, as_tags, is_whole, resolution_as_exif
from isthmus.imaging.exif_directories import without_tag
from isthmus.imaging.fitting import over_white
from isthmus.imaging.foreign import AVIF_SPEED, NO_AVIF, WEBP_METHOD, has_avif
from isthmus.imaging.icc import fits
from isthmus.values import QUALITIES, Picture

FORMATS = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP",
    ".ppm": "PPM", ".pgm": "PPM", ".pnm": "PPM", ".avif": "AVIF", ".jxl": "JPEG XL",
}  # fmt: skip
_LOSSY = {"JPEG": 95, "AVIF": 95, "WEBP": None, "JPEG XL": None}
"""Formats that have a quality, and the one that they are written at: None keeps every pixel."""
_WITHOUT_ALPHA = frozenset({"JPEG", "BMP", "PPM"})
_WITHOUT_METADATA = frozenset({"BMP", "PPM"})
_WITHOUT_RESOLUTION = frozenset({"WEBP", "PPM", "AVIF", "JPEG XL"})
_WITHOUT_GREY = frozenset({"WEBP"})
_NAMES = {"icc": "colour profile", "exif": "EXIF", "xmp": "XMP"}
_JPEG_LIMITS = {"icc": 255 * 65519, "exif": 65533, "xmp": 65504}
"""Bytes that fit into the segments of a JPEG file: 255 of them for a profile, one for the others."""
_XMP_TAG = 700
_JPEG_LARGEST_RESOLUTION = 65535
LARGE = 2**26
"""Bytes of a picture from which on its copy is a good part of the memory that the process has."""


def to_pillow(picture: Picture) -> Image.Image:
    """A Pillow image of mode L, LA, RGB or RGBA, with the metadata in its info."""
    pixels = picture.pixels
    if picture.alpha is not None:
        pixels = np.concatenate([pixels, picture.alpha[:, :, None]], axis=2)
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    image.info.update(info_of(picture))
    return image


def info_of(picture: Picture) -> dict[str, Any]:
    """A picture's metadata as Pillow's images have it in their info."""
    found = {"icc_profile": picture.icc, "exif": picture.exif, "xmp": picture.xmp, "dpi": picture.resolution}
    return {name: value for name, value in found.items() if value is not None}


def check_suffix(suffix: str) -> str:
    """Pillow's name of the format that a suffix such as ".png" stands for.

    Raises:
        UsageError: a suffix that is none of `FORMATS`, or AVIF, which this Pillow does not write.
        MissingExtraError: JPEG XL, without imagecodecs.
    """
    name = FORMATS.get(suffix.lower())
    if name is None:
        found = f"not {suffix}" if suffix else "and the file has no suffix"
        raise UsageError(f"pictures are written as {' '.join(sorted(FORMATS))}, {found}")
    if name == "AVIF" and not has_avif():
        raise UsageError(NO_AVIF)
    if name == "JPEG XL":
        jpeg_xl.codec()
    return name


def check_quality(suffix: str, quality: int | None) -> None:
    """Refuse a quality of a format that has none.

    Raises:
        UsageError: it has none, or none such; see `check_suffix`.
    """
    name = check_suffix(suffix)
    if quality is None:
        return
    if name not in _LOSSY:
        lossy = " ".join(sorted(suffix for suffix, name in FORMATS.items() if name in _LOSSY))
        raise UsageError(f"{suffix} keeps every pixel: a quality of the output is for {lossy}")
    if not 1 <= quality <= QUALITIES:
        raise UsageError(f"a quality of the output is 1 to {QUALITIES}, not {quality}")


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


def held_by(picture: Picture, suffix: str) -> Picture:
    """What a format can hold of a picture; each thing that it cannot is one more of the picture's conversions.

    Alpha goes over white; metadata that has no place, or is too long for it, is left out. A resolution that has none
    goes into EXIF.

    Raises:
        UsageError: a suffix that is none of `FORMATS`.
    """
    name = check_suffix(suffix)
    notes = []
    if picture.alpha is not None and name in _WITHOUT_ALPHA:
        picture = replace(picture, pixels=over_white(picture.pixels, picture.alpha), alpha=None)
        notes.append(f"{name} has no alpha: laid over white")
    for field, what in _NAMES.items():
        data = getattr(picture, field)
        reason = None if data is None else _why_not(field, data, name, picture)
        if reason is not None:
            left_out: dict[str, Any] = {field: None}
            picture = replace(picture, **left_out)
            notes.append(f"its {what} is left out: {reason}")
    if picture.resolution is not None and name in _WITHOUT_RESOLUTION:
        if picture.exif is None and name not in _WITHOUT_METADATA:
            picture = replace(picture, exif=resolution_as_exif(*picture.resolution))
        else:
            notes.append(f"its resolution is left out: {name} has no place for it")
        picture = replace(picture, resolution=None)
    if name == "JPEG XL":
        picture = jpeg_xl.in_srgb(picture)
    return replace(picture, conversions=(*picture.conversions, *notes))


def _why_not(field: str, data: bytes, name: str, picture: Picture) -> str | None:
    """Why a format does not take metadata; None where it does."""
    if name in _WITHOUT_METADATA:
        return f"{name} has no place for it"
    if name == "JPEG" and len(data) > _JPEG_LIMITS[field]:
        return f"{name} has no place for {len(data)} bytes of it"
    if name == "TIFF" and field == "exif" and as_tags(data) is None:
        return f"{name} keeps it as tags, and it is not made of any"
    if name == "AVIF" and field == "exif" and not is_whole(data):
        return f"{name} needs it whole, and it is damaged"
    stores_as_rgb = name in _WITHOUT_GREY or (name == "AVIF" and picture.alpha is not None)
    if stores_as_rgb and field == "icc" and picture.channels == 1 and not fits(data, 3):
        return f"{name} stores grey as RGB"
    return None


def write_picture(picture: Picture, suffix: str, out: BinaryIO, *, quality: int | None = None) -> None:
    """Write what the format that a suffix such as ".png" names can hold of a picture.

    Args:
        picture: any.
        suffix: of the format.
        out: where the file goes; seekable.
        quality: 1 to 100, of JPEG, AVIF, WebP and JPEG XL; None is 95 for the first two, every pixel for the others.

    Raises:
        UsageError: a suffix that is none of `FORMATS`, or a quality of a format that has none.
        MissingExtraError: JPEG XL, without imagecodecs.
        OutputError: the format cannot hold the picture.
        OSError: the file cannot be written.
    """
    name = check_suffix(suffix)
    check_quality(suffix, quality)
    if picture.pixels.size >= LARGE:
        give_back_memory()
    held = held_by(picture, suffix)
    try:
        if name == "JPEG XL":
            jpeg_xl.write(held, out, quality=quality)
        else:
            to_pillow(held).save(out, name, **_options(held, name, quality or _LOSSY.get(name)))
    except (MemoryError, IsthmusError):
        raise
    except Exception as error:  # whatever Pillow's writers meet: struct.error, OverflowError, ...
        if isinstance(error, OSError) and error.errno is not None:  # the disk's, not the format's
            raise
        raise OutputError(f"a picture of {picture} cannot be written as {name}: {error}") from error


def _options(picture: Picture, name: str, quality: int | None) -> dict[str, Any]:
    """What Pillow's `save` takes for a format; without a quality every pixel is kept."""
    options = info_of(picture)
    resolution = options.pop("dpi", None)
    if resolution is not None and max(resolution) <= _JPEG_LARGEST_RESOLUTION:
        options["dpi"] = resolution
    if name == "TIFF":
        options["exif"] = _tiff_tags(picture)
        options.pop("xmp", None)
    if name == "JPEG":
        options |= {"quality": quality, "subsampling": 0}
    elif name == "WEBP":
        options |= {"lossless": True} if quality is None else {"quality": quality, "method": WEBP_METHOD}
    elif name == "AVIF":
        subsampling = "4:0:0" if picture.channels == 1 and picture.alpha is None else "4:4:4"
        options |= {"quality": quality, "speed": AVIF_SPEED, "subsampling": subsampling}
        if picture.exif is not None:  # else Pillow would write the block anew, to take out what is 1 anyway
            options["exif"] = without_tag(picture.exif, ORIENTATION)
    elif "xmp" in options and name == "PNG":
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", options.pop("xmp").decode("utf-8", "replace"))
        options["pnginfo"] = text
    return options


def _tiff_tags(picture: Picture) -> Image.Exif:
    """EXIF and XMP as a TIFF file's own tags."""
    tags = Image.Exif()
    block = None if picture.exif is None else as_tags(picture.exif)
    if block is not None:
        tags.load(block)
    if picture.xmp is not None:
        tags[_XMP_TAG] = picture.xmp
    return tags
