"""What comes back from a file, and how far that is from the original."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from isthmus.imaging.windows import Window
from isthmus.metrics.ssimulacra2 import SMALLEST_SIDE
from isthmus.studio.answers import Check
from isthmus.studio.compress.contenders import Contender, IsthmusContender, Made
from isthmus.studio.compress.matching import Pixels, similarity
from isthmus.studio.compress.wishes import PSNR, SSIMULACRA2, Wish
from isthmus.values import Picture

ERROR_GAIN = 8
"""By how much the map of the error is brighter than the error."""


@dataclass
class Judged:
    """One picture in one codec, as a wish led to it.

    Attributes:
        picture_id: of the tray.
        label: of the codec.
        contender: what made it.
        made: the file; None while only a part is shown before it is coded.
        pixels: as far as they are decoded.
        decode_seconds: so far.
        is_whole: whether all of it is decoded.
    """

    picture_id: str
    label: str
    contender: Contender
    made: Made | None
    pixels: Pixels = field(init=False)
    decode_seconds: float = 0.0
    is_whole: bool = False

    def __post_init__(self) -> None:
        self.pixels = np.zeros_like(self.picture.pixels)

    @property
    def picture(self) -> Picture:
        """The original, as it is compared."""
        return self.contender.picture

    @property
    def data(self) -> bytes:
        """The file."""
        return self.made.data if self.made else b""

    @property
    def memory(self) -> int:
        """Bytes that it keeps."""
        return self.pixels.nbytes + len(self.data)


def decode_all(judged: Judged, focus: tuple[int, int], check: Check, report: Callable[[Window], None]) -> None:
    """Decode a file part by part, the parts near (row, column) first."""
    whole = Window(0, 0, judged.picture.height, judged.picture.width)
    start = time.perf_counter()
    for window, pixels in judged.contender.pieces(judged.data, focus):
        judged.pixels[window.inside(whole)] = pixels
        judged.decode_seconds = time.perf_counter() - start
        report(window)
        check()
    judged.is_whole = True


def show_preview(judged: Judged, wish: Wish, focus: tuple[int, int]) -> Window | None:
    """The part at the focus, before the whole is coded; None where that does not pay."""
    shown = judged.contender.preview(wish, focus) if isinstance(judged.contender, IsthmusContender) else None
    if shown is None:
        return None
    window, pixels = shown
    judged.pixels[window.inside(Window(0, 0, judged.picture.height, judged.picture.width))] = pixels
    return window


def scores(judged: Judged) -> dict[str, float | None]:
    """PSNR in dB (None for equal pictures) and SSIMULACRA2 (None where the picture is too small for it)."""
    original, decoded = judged.picture.pixels, judged.pixels
    is_large = min(original.shape[:2]) >= SMALLEST_SIDE
    return {
        "psnr": similarity(original, decoded, PSNR),
        "ssimulacra2": similarity(original, decoded, SSIMULACRA2) if is_large else None,
    }


def error_map(judged: Judged) -> Pixels:
    """(rows, columns, 3): how far each pixel's worst value is off, from black over red and yellow to white."""
    original = judged.picture.pixels.astype(np.int16)
    off = np.abs(original - judged.pixels).max(axis=2)
    heat: Pixels = _heat()[np.minimum(off * ERROR_GAIN, 255)]
    return heat


@cache
def _heat() -> NDArray[np.uint8]:
    """(256, 3): the colours of a glowing body."""
    ramp = np.arange(256)
    return np.stack([np.clip(ramp * 3 - start, 0, 255) for start in (0, 255, 510)], axis=1).astype(np.uint8)


def total_memory(kept: Sequence[Judged]) -> int:
    """Bytes that several keep."""
    return sum(one.memory for one in kept)
