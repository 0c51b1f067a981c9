"""The picture formats that are read: an explicit list, so that no other plugin of Pillow ever sees a file.

Pillow knows forty formats; some are no pictures, some start programs to be read (EPS: Ghostscript; WMF and scientific
stubs: whatever is registered). Every file that Isthmus opens with Pillow is opened here.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageFile

from isthmus.errors import UsageError

_PLUGINS = {
    "JPEG": "Jpeg", "PNG": "Png", "GIF": "Gif", "BMP": "Bmp", "DIB": "Bmp", "PPM": "Ppm", "WEBP": "WebP",
    "AVIF": "Avif", "TIFF": "Tiff", "JPEG2000": "Jpeg2K", "QOI": "Qoi", "TGA": "Tga", "ICO": "Ico", "CUR": "Cur",
    "ICNS": "Icns", "PCX": "Pcx", "SGI": "Sgi", "PSD": "Psd",
}  # fmt: skip
"""Pillow's names of the formats and of its modules; those first that it always has loaded. JPEG includes MPO."""

SUFFIXES = frozenset(
    {
        *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".jp2", ".qoi"),
        *(".bmp", ".dib", ".tif", ".tiff", ".gif", ".ico", ".tga", ".ppm", ".pgm", ".pnm", ".pbm"),
    }
)
"""What a folder is searched for; a file that is named is read whatever its suffix."""

_ONE_PICTURE = frozenset({"MPO", "PSD"})
"""Formats whose further frames are other views or layers of one picture, which is the first."""


@cache
def readable() -> tuple[str, ...]:
    """Pillow's names of the formats that are read, as far as this Pillow has them."""
    return tuple(name for name, module in _PLUGINS.items() if find_spec(f"PIL.{module}ImagePlugin") is not None)


def open_image(source: Path | BinaryIO) -> Image.Image:
    """`Image.open` for picture formats only; the pixels are not read yet."""
    return Image.open(source, formats=readable())


def open_only(data: bytes, name: str) -> Image.Image:
    """The same for bytes that are of one format, by Pillow's name, or nothing."""
    return Image.open(io.BytesIO(data), formats=[name])


def formats_that_accept(prefix: bytes) -> Iterator[str]:
    """The formats whose files begin like this, decodable or not."""
    for name in readable():
        _, accept = Image.OPEN.get(name, (None, None))
        if accept is not None and accept(prefix) is True:
            yield name


def frames_of(image: Image.Image) -> int:
    """How many pictures a file holds."""
    return 1 if image.format in _ONE_PICTURE else getattr(image, "n_frames", 1)


def refuse_programs(image: Image.Image) -> None:
    """Refuse a Pillow image whose pixels another program would have to draw.

    Raises:
        UsageError: a page description that is not rasterised yet.
    """
    is_page = image.format == "EPS" and bool(getattr(image, "tile", None))
    if is_page or isinstance(image, ImageFile.StubImageFile):
        raise UsageError(f"{image.format} is no picture format: pixels that another program would draw are not read")
