"""What a picture has besides its pixels, as sections of a .isth file, and back."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from isthmus.container.image_header import ALPHA, EXIF, ICC, RESOLUTION, XMP
from isthmus.imaging.fitting import decode_alpha, encode_alpha
from isthmus.values import Picture

_RESOLUTION = struct.Struct("<2f")


def to_sections(picture: Picture) -> dict[int, bytes]:
    """Alpha, exactly, and metadata, by kind."""
    resolution = None if picture.resolution is None else _RESOLUTION.pack(*picture.resolution)
    alpha = None if picture.alpha is None else encode_alpha(picture.alpha)
    found = {ALPHA: alpha, ICC: picture.icc, EXIF: picture.exif, XMP: picture.xmp, RESOLUTION: resolution}
    return {kind: section for kind, section in found.items() if section is not None}


def from_sections(pixels: NDArray[np.uint8], sections: Mapping[int, bytes]) -> Picture:
    """Pixels (rows, columns, channels) uint8 with what the sections hold.

    Raises:
        FormatError: an alpha plane that is none, or not of the picture's size.
    """
    alpha = sections.get(ALPHA)
    return Picture(
        pixels,
        alpha=None if alpha is None else decode_alpha(alpha, *pixels.shape[:2]),
        icc=sections.get(ICC),
        exif=sections.get(EXIF),
        xmp=sections.get(XMP),
        resolution=_resolution(sections.get(RESOLUTION, b"")),
    )


def _resolution(section: bytes) -> tuple[float, float] | None:
    """Pixels per inch across and down; None where the section is not two numbers that can be them."""
    if len(section) != _RESOLUTION.size:
        return None
    across, down = _RESOLUTION.unpack(section)
    return (across, down) if all(0 < value < math.inf for value in (across, down)) else None
