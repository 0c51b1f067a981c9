"""Making a picture what a model takes: mode, size, padding; and the lossless alpha plane."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isthmus.errors import FormatError
from isthmus.values import Picture, PictureSpec


def fit(picture: Picture, spec: PictureSpec) -> Picture:
    """Convert and resize a picture to what a model takes: alpha over white, grey or RGB, Lanczos to the model's size.

    ICC and EXIF are kept where the mode stays.
    """
    if spec.accepts(picture):
        return picture
    image = Image.fromarray(picture.pixels[:, :, 0] if picture.channels == 1 else picture.pixels)
    if picture.alpha is not None:
        white = Image.new(image.mode, image.size, 255 if image.mode == "L" else (255, 255, 255))
        image = Image.composite(image, white, Image.fromarray(picture.alpha))
    image = image.convert("L" if spec.channels == 1 else "RGB")
    if spec.size is not None and image.size != spec.size[::-1]:
        image = image.resize(spec.size[::-1], Image.Resampling.LANCZOS)
    pixels = np.asarray(image)
    icc = picture.icc if spec.channels == picture.channels else None
    note = f"{picture} fitted to {spec}"
    return Picture(
        pixels[:, :, None] if spec.channels == 1 else pixels,
        icc=icc,
        exif=picture.exif,
        conversions=(*picture.conversions, note),
    )


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
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.size != (width, height) or image.mode != "L":
                raise FormatError(f"the alpha plane is {image.size} {image.mode}, the picture {width}×{height}")
            return np.array(image)
    except (OSError, ValueError, SyntaxError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"the alpha plane is damaged: {error}") from error
