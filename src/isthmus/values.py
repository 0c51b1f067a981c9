"""What rooms hand each other: pictures, and what a model says of the pictures and latents that it works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import UsageError

QUALITIES = 100
"""Qualities are whole numbers from 1 to this one."""
MODE_NAMES = {1: "grey", 3: "RGB"}
MAX_PIXELS = 1 << 28
"""268 megapixels, above every camera of today; larger pictures are refused before memory is asked for."""


BytesLike = bytes | bytearray | memoryview
"""What the Python interface takes for bytes; at run time, whatever holds some."""


def as_bytes(data: object) -> bytes:
    """Whatever holds bytes (bytearray, memoryview, an array, a mapped file) as bytes; those themselves are not copied.

    Raises:
        UsageError: it holds none.

    Example:
        >>> as_bytes(bytearray(b"abc"))
        b'abc'
    """
    if isinstance(data, bytes):
        return data
    try:
        return bytes(memoryview(data))  # type: ignore[arg-type]
    except TypeError as error:
        raise UsageError(f"the bytes of a file are wanted, not {type(data).__name__}") from error


@dataclass(frozen=True)
class Picture:
    """One picture in memory.

    Attributes:
        pixels: (rows, columns, channels) uint8; 1 channel is grey, 3 are RGB.
        alpha: (rows, columns) uint8, 255 is opaque; None where the picture has no alpha.
        icc: the colour profile's bytes; None where the picture has none and sRGB is meant.
        exif: the EXIF block, its orientation already applied and reset; None where there is none.
        xmp: the XMP packet; None where there is none.
        resolution: pixels per inch across and down, where the file says it outside EXIF; else None.
        conversions: one line for each thing that reading the picture changed ("CMYK converted to RGB").
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    resolution: tuple[float, float] | None = None
    conversions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3 or self.pixels.shape[2] not in (1, 3):
            raise UsageError(
                "a picture is uint8 of shape (rows, columns) or (rows, columns, 3), "
                f"not {self.pixels.dtype} of shape {self.pixels.shape}"
            )
        if min(self.pixels.shape[:2]) < 1:
            raise UsageError(f"a picture has at least one pixel, not shape {self.pixels.shape}")
        if self.alpha is not None and (self.alpha.dtype != np.uint8 or self.alpha.shape != self.pixels.shape[:2]):
            raise UsageError("alpha is uint8 of the picture's rows and columns")

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return int(self.pixels.shape[2])

    def __str__(self) -> str:
        """Size and mode as a user says them: "28×28 grey"."""
        alpha = " with alpha" if self.alpha is not None else ""
        return f"{self.width}×{self.height} {MODE_NAMES[self.channels]}{alpha}"


@dataclass(frozen=True)
class PictureSpec:
    """The pictures that a model takes.

    Attributes:
        channels: 1 for grey, 3 for RGB.
        height: rows; None where any number fits.
        width: columns; None where any number fits.
    """

    channels: int
    height: int | None
    width: int | None

    def __post_init__(self) -> None:
        if self.channels not in MODE_NAMES:
            raise UsageError(f"a model takes 1 channel (grey) or 3 (RGB), not {self.channels}")
        if (self.height is None) != (self.width is None):
            raise UsageError("a model fixes both height and width, or neither")

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) in pixels where the model is for one size, else None."""
        return None if self.height is None or self.width is None else (self.height, self.width)

    def accepts(self, picture: Picture) -> bool:
        """Whether a picture has this size and mode."""
        fits = self.size is None or (picture.height, picture.width) == self.size
        return fits and picture.channels == self.channels and picture.alpha is None

    def __str__(self) -> str:
        """Size and mode as a user says them."""
        return f"{'any size' if self.size is None else f'{self.width}×{self.height}'} {MODE_NAMES[self.channels]}"


@dataclass(frozen=True)
class LatentSpec:
    """The latents that a model makes.

    Attributes:
        channels: latent channels.
        stride: pixels per latent position in each direction; 0 where one picture makes one position (dense models).
    """

    channels: int
    stride: int

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """(rows, columns) of the latents of a picture of that many pixels."""
        if self.stride == 0:
            return 1, 1
        return -(-height // self.stride), -(-width // self.stride)
