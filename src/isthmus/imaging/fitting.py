"""Making a picture what a model takes: mode, size, padding; and the lossless alpha plane."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isthmus.errors import FormatError, IsthmusError
from isthmus.imaging.formats import open_only
from isthmus.imaging.pillow_limits import pillow_limits_aside
from isthmus.values import Picture, PictureSpec

_STRIP = 256
BLACK, WHITE = 0, 255


def fit(picture: Picture, spec: PictureSpec) -> Picture:
    """Convert and resize a picture to what a model takes: alpha over white, grey or RGB, Lanczos to the model's size.

    Metadata is kept, the colour profile where the mode stays.
    """
    if spec.accepts(picture):
        return picture
    flat = picture.pixels if picture.alpha is None else over_white(picture.pixels, picture.alpha)
    image = Image.fromarray(flat[:, :, 0] if picture.channels == 1 else flat)
    image = image.convert("L" if spec.channels == 1 else "RGB")
    if spec.size is not None and image.size != spec.size[::-1]:
        image = image.resize(spec.size[::-1], Image.Resampling.LANCZOS)
    pixels = np.asarray(image)
    return replace(
        picture,
        pixels=pixels[:, :, None] if spec.channels == 1 else pixels,
        alpha=None,
        icc=picture.icc if spec.channels == picture.channels else None,
        conversions=(*picture.conversions, f"{picture} fitted to {spec}"),
    )


def over_white(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8], *, paper: int = WHITE) -> NDArray[np.uint8]:
    """Pixels (rows, columns, channels) as they look on white paper.

    Args:
        pixels: uint8.
        alpha: (rows, columns) uint8, 255 is opaque.
        paper: the grey level of other paper.
    """
    flat = np.empty_like(pixels)
    for top in range(0, len(pixels), _STRIP):
        rows = slice(top, top + _STRIP)
        opacity = alpha[rows, :, None].astype(np.uint16)
        flat[rows] = (pixels[rows] * opacity + paper * (255 - opacity) + 127) // 255
    return flat


def without_alpha(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pixels as `isthmus.decode` returns them, as they look on white paper.

    Args:
        pixels: uint8 (rows, columns) or (rows, columns, channels), where 2 and 4 channels are grey and RGB with alpha.

    Returns:
        (rows, columns) for grey, (rows, columns, 3) for RGB; pixels without alpha as they are.

    Example:
        >>> without_alpha(np.zeros((1, 1, 2), np.uint8))
        array([[255]], dtype=uint8)
    """
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return pixels
    flat = over_white(pixels[:, :, :-1], pixels[:, :, -1])
    return flat[:, :, 0] if flat.shape[2] == 1 else flat


def pad(pixels: NDArray[np.uint8], stride: int) -> NDArray[np.uint8]:
    """Repeat the last row and column until both sides are multiples of `stride`; 0 leaves the picture as it is."""
    if stride == 0:
        return pixels
    rows, columns = -pixels.shape[0] % stride, -pixels.shape[1] % stride
    return np.pad(pixels, ((0, rows), (0, columns), (0, 0)), mode="edge") if rows or columns else pixels


def crop(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The opposite of `pad`: the first rows and columns."""
    return pixels[:height, :width]


def encode_alpha(alpha: NDArray[np.uint8]) -> bytes:
    """An alpha plane (rows, columns) as a PNG, exactly."""
    out = io.BytesIO()
    Image.fromarray(alpha).save(out, "PNG", optimize=True)
    return out.getvalue()


def decode_alpha(data: bytes, height: int, width: int) -> NDArray[np.uint8]:
    """The alpha plane back.

    Raises:
        FormatError: not a grey PNG of that size.
    """
    try:
        with pillow_limits_aside(), open_only(data, "PNG") as image:
            if image.size != (width, height) or image.mode != "L":
                raise FormatError(f"the alpha plane is {image.size} {image.mode}, the picture {width}×{height}")
            return np.array(image)
    except IsthmusError:
        raise
    except Exception as error:  # whatever Pillow's parser meets: struct.error, SyntaxError, OSError, ...
        raise FormatError(f"the alpha plane is damaged: {error}") from error
