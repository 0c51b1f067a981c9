"""Pixels to whole pictures of other formats and back: lossless WebP, and AVIF. They are tiles of our own files.

What such a picture says beyond its pixels (orientation, profiles, EXIF) is ignored: our own sections hold it. A picture
that is not of the size and kind that is expected is refused by its header, before anything is decoded.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from isthmus.errors import FormatError, UnsupportedVersionError, UsageError
from isthmus.imaging.formats import open_only
from isthmus.imaging.pillow_limits import pillow_limits_aside

Pixels = NDArray[np.uint8]

WEBP_METHOD = 6
AVIF_SPEED = 6
AVIF_QUALITIES = 100
"""Of AVIF's own scale, from 0."""
LONGEST_SIDE = 16383
"""That WebP can hold."""
NO_AVIF = "this Pillow cannot write AVIF: install Pillow 11.3 or newer"
_WEBP_LOSSLESS = 0x2F
_WEBP_HEADER = struct.Struct("<4sI4s4sIBI")


def has_avif() -> bool:
    """Whether this Pillow reads and writes AVIF."""
    return "avif" in features.modules and features.check_module("avif")


def encode_webp(pixels: Pixels, alpha: Pixels | None, *, keep_hidden: bool) -> bytes:
    """Pixels (rows, columns, 1 or 3), and alpha (rows, columns), as lossless WebP.

    Args:
        pixels: uint8; no side is above LONGEST_SIDE.
        alpha: uint8, or None.
        keep_hidden: keep the colours of pixels whose alpha is 0; else they become black.
    """
    colours = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    shown = colours if alpha is None else np.concatenate([colours, alpha[:, :, None]], axis=2)
    return _saved(Image.fromarray(shown), "WEBP", lossless=True, quality=100, method=WEBP_METHOD, exact=keep_hidden)


def encode_avif(pixels: Pixels, alpha: Pixels | None, quality: int) -> bytes:
    """Pixels (rows, columns, 1 or 3), and alpha (rows, columns), as AVIF without subsampling.

    Args:
        pixels: uint8; with alpha, colours.
        alpha: uint8, or None; coded at the same quality, so not exactly.
        quality: 0 to AVIF_QUALITIES.

    Raises:
        UsageError: this Pillow cannot write it.
    """
    if not has_avif():
        raise UsageError(NO_AVIF)
    is_grey = pixels.shape[2] == 1
    shown = pixels[:, :, 0] if is_grey else pixels
    if alpha is not None:
        shown = np.concatenate([pixels, alpha[:, :, None]], axis=2)
    sampling = "4:0:0" if is_grey else "4:4:4"
    options = {"quality": quality, "speed": AVIF_SPEED, "subsampling": sampling, "autotiling": False}
    return _saved(Image.fromarray(shown), "AVIF", **options)


def decode(data: bytes, name: str, shape: tuple[int, int, int], *, alpha: bool = False) -> tuple[Pixels, Pixels | None]:
    """Pixels (rows, columns, channels), and alpha (rows, columns) where it is asked for, of a picture.

    Args:
        data: the bytes of a whole picture.
        name: of its format, "webp" or "avif".
        shape: rows, columns and channels (1 or 3) that it must have.
        alpha: whether it may have alpha.

    Raises:
        FormatError: damaged, or of another format, kind or size.
        UnsupportedVersionError: AVIF, which this Pillow cannot read.
    """
    if name == "webp":
        _check_webp(data, shape, alpha=alpha)
    elif not has_avif():
        raise UnsupportedVersionError("the picture is coded as AVIF, which needs Pillow 11.3 or newer with AVIF in it")
    try:
        with pillow_limits_aside(), open_only(data, name.upper()) as image:
            _check(image, shape, alpha=alpha)
            image.load()
            values = np.asarray(image if image.mode == "RGBA" else image.convert("RGB"))
    except FormatError:
        raise
    except Exception as error:  # Pillow's plugins raise whatever their parsers meet
        raise FormatError(f"what is coded as {name} is damaged, or no {name}: {error}") from error
    return _in_mode(values[:, :, :3], shape[2]), (_alpha_of(values) if alpha else None)


def _saved(image: Image.Image, name: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, name, **options)
    return out.getvalue()


def _check_webp(data: bytes, shape: tuple[int, int, int], *, alpha: bool) -> None:
    """Take a file of one lossless chunk and nothing else: no metadata, no animation; by its first bytes."""
    if len(data) < _WEBP_HEADER.size:
        raise FormatError("what is coded as webp is too short to be one")
    riff, size, webp, chunk, length, lossless, bits = _WEBP_HEADER.unpack_from(data)
    if (riff, webp, chunk, lossless) != (b"RIFF", b"WEBP", b"VP8L", _WEBP_LOSSLESS):
        raise FormatError("what is coded as webp is no lossless WebP without metadata")
    if size + 8 != len(data) or length + length % 2 + 12 != size:
        raise FormatError("what is coded as webp is longer or shorter than it says")
    width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if (height, width) != shape[:2] or (bits >> 28 & 1 and not alpha) or bits >> 29:
        raise FormatError(f"what is coded as webp is {width}×{height}{', with alpha' * (bits >> 28 & 1)}: not expected")


def _check(image: Image.Image, shape: tuple[int, int, int], *, alpha: bool) -> None:
    """Refuse another size, more frames and alpha that is not expected; nothing is decoded yet."""
    kind = f"{image.width}×{image.height} {image.mode}"
    if (image.height, image.width) != shape[:2]:
        raise FormatError(f"what is coded as {image.format} is {kind}, where {shape[1]}×{shape[0]} is announced")
    if getattr(image, "n_frames", 1) != 1:
        raise FormatError(f"what is coded as {image.format} is animated")
    if image.mode not in ("RGB", "RGBX", "L") and not (alpha and image.mode == "RGBA"):
        raise FormatError(f"what is coded as {image.format} is {kind}, without alpha where it is expected to be")


def _in_mode(values: Pixels, channels: int) -> Pixels:
    """(rows, columns, 3) to (rows, columns, channels).

    Raises:
        FormatError: colours where grey is wanted.
    """
    if channels == 3:
        return np.ascontiguousarray(values)
    if not all(np.array_equal(values[:, :, 0], values[:, :, channel]) for channel in (1, 2)):
        raise FormatError("the file announces grey and holds colours")
    return np.ascontiguousarray(values[:, :, :1])


def _alpha_of(values: Pixels) -> Pixels:
    """Opaque where the picture has no alpha: WebP leaves out what is opaque everywhere."""
    if values.shape[2] == 4:
        return np.ascontiguousarray(values[:, :, 3])
    return np.full(values.shape[:2], 255, np.uint8)
