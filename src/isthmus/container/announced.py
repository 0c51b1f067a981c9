"""How many pixels a file may announce: no more than what so many bytes can hold, so that a small file is little work.

The flattest pictures that were tried, of one colour at quality 1, hold 1,900 pixels in each of their bytes. A writer
whose payload is shorter still adds zeros that mean nothing, so that what it writes is always read.
"""

from __future__ import annotations

from isthmus.errors import LimitError, UsageError
from isthmus.values import MAX_PIXELS

FREE_PIXELS = 1 << 20
"""Pixels that any file may announce."""
PIXELS_PER_BYTE = 1 << 14
"""And so many more for each of its bytes."""
PACK_FREE_PIXELS = 1 << 26
PACK_PIXELS_PER_BYTE = 1 << 17
"""The same of all pictures of a pack: four pictures may share a byte of it, which have a byte for 2^14 pixels each."""


def check_pixels(width: int, height: int, *, size: int, pixel_limit: int | None, what: str = "the file") -> None:
    """Refuse a picture of more pixels than its bytes can hold, or than `values.MAX_PIXELS`.

    Args:
        width: columns.
        height: rows.
        size: bytes that hold it.
        pixel_limit: what the user allows in place of that; None where nothing was said.
        what: holds it, for the message.

    Raises:
        LimitError: too many.
        UsageError: a limit that is none.
    """
    most, reason = min(MAX_PIXELS, FREE_PIXELS + PIXELS_PER_BYTE * size), f" for its {size} bytes"
    if pixel_limit is not None:
        check_pixel_limit(pixel_limit)
        most, reason = pixel_limit, ""
    if width * height > most:
        raise LimitError(
            f"{what} announces {width}×{height} pixels, above the limit of {most}{reason}: "
            "--pixel-limit N (in Python pixel_limit=N) sets another"
        )


def check_pixel_limit(pixel_limit: int) -> None:
    """Refuse a limit that is no number of pixels.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(pixel_limit, int) or isinstance(pixel_limit, bool) or pixel_limit < 1:
        raise UsageError(f"a pixel limit is a whole number, 1 or more, not {pixel_limit!r}")


def missing_bytes(pixels: int, size: int) -> int:
    """Bytes that a file of this size lacks for so many pixels."""
    return max(0, -(-(pixels - FREE_PIXELS) // PIXELS_PER_BYTE) - size)
