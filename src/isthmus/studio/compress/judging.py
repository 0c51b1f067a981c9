"""What a person asks of a codec, the file that meets it, what comes back, and how far that is from the original."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import UsageError
from isthmus.imaging.windows import Window
from isthmus.metrics.distortion import psnr
from isthmus.metrics.ssimulacra2 import SMALLEST_SIDE, ssimulacra2
from isthmus.studio.answers import Check
from isthmus.studio.compress.contenders import Contender, IsthmusContender, Pixels
from isthmus.values import Picture

ERROR_GAIN = 8
"""By how much the map of the error is brighter than the error."""
WISHES = ("quality", "bytes", "psnr", "ssimulacra2")


@dataclass(frozen=True)
class Wish:
    """What is asked of a codec.

    Attributes:
        kind: one of `WISHES`: a quality; the best file of at most so many bytes; the smallest that reaches so much.
        value: in the kind's own unit.

    Raises:
        UsageError: another kind, or a number that cannot be.
    """

    kind: str
    value: float

    def __post_init__(self) -> None:
        if self.kind not in WISHES:
            raise UsageError(f"a wish is one of {', '.join(WISHES)}, not {self.kind[:40]!r}")
        if not math.isfinite(self.value) or (self.kind != "ssimulacra2" and self.value <= 0):
            raise UsageError("a target is a finite number above zero")
        if self.kind == "quality" and not 1 <= self.value <= 100:
            raise UsageError(f"a quality is from 1 to 100, not {self.value:g}")


@dataclass
class Judged:
    """One picture in one codec at one quality.

    Attributes:
        picture_id: of the tray.
        label: of the codec.
        picture: the original as the codec saw it.
        contender: what made it.
        quality: that was coded.
        data: the file without alpha and metadata.
        encode_seconds: of the last file; a search makes several.
        pixels: as far as they are decoded.
        decode_seconds: so far.
        is_whole: whether all of it is decoded.
    """

    picture_id: str
    label: str
    picture: Picture
    contender: Contender
    quality: float
    data: bytes
    encode_seconds: float
    pixels: Pixels = field(init=False)
    decode_seconds: float = 0.0
    is_whole: bool = False

    def __post_init__(self) -> None:
        self.pixels = np.zeros_like(self.picture.pixels)

    @property
    def memory(self) -> int:
        """Bytes that it keeps."""
        return self.pixels.nbytes + len(self.data)


def judge(
    picture_id: str, label: str, contender: Contender, picture: Picture, wish: Wish, check: Check,
    report: Callable[[float], None],
) -> Judged:  # fmt: skip
    """The file that a wish leads to.

    Args:
        picture_id: of the tray.
        label: of the codec.
        contender: the codec with the picture.
        picture: the original as the codec sees it.
        wish: what is asked.
        check: raises where nobody waits any more.
        report: told the share of a search that is done.

    Raises:
        UsageError: out of the codec's reach.
    """
    seconds = 0.0

    @cache
    def file_at(quality: float) -> bytes:
        nonlocal seconds
        start = time.perf_counter()
        data = contender.file_at(quality, check)
        seconds = time.perf_counter() - start
        return data

    if wish.kind == "quality":
        quality = contender.suited(wish.value)
    else:
        quality = _search(contender, picture, wish, file_at, report)
    return Judged(picture_id, label, picture, contender, quality, file_at(quality), seconds)


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


def show_preview(judged: Judged, focus: tuple[int, int]) -> Window | None:
    """The part at the focus, before the whole is decoded; None for codecs that decode all at once."""
    if not isinstance(judged.contender, IsthmusContender):
        return None
    window, pixels = judged.contender.preview(judged.quality, focus)
    judged.pixels[window.inside(Window(0, 0, judged.picture.height, judged.picture.width))] = pixels
    return window


def scores(judged: Judged) -> dict[str, float | None]:
    """PSNR in dB (None for equal pictures) and SSIMULACRA2 (None where the picture is too small for it)."""
    first, second = _plain(judged.picture.pixels), _plain(judged.pixels)
    return {"psnr": psnr(first, second), "ssimulacra2": _score(first, second)}


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


def _search(
    contender: Contender, picture: Picture, wish: Wish, file_at: Callable[[float], bytes],
    report: Callable[[float], None],
) -> float:  # fmt: skip
    """The quality that a target leads to, by bisection over the codec's scale."""
    scale = contender.scale
    if wish.kind == "ssimulacra2" and len(scale) > 100:
        scale = [quality for quality in scale if quality == int(quality)]  # a score costs more than a file
    steps = math.ceil(math.log2(len(scale) + 1))
    done = 0

    def probe(is_reached: Callable[[float], bool]) -> int:
        nonlocal done
        low, high = -1, len(scale)
        while high - low > 1:
            middle = (low + high) // 2
            done += 1
            report(min(1.0, done / steps))
            low, high = (low, middle) if is_reached(scale[middle]) else (middle, high)
        return high

    if wish.kind == "bytes":
        place = probe(lambda quality: len(file_at(quality)) > wish.value) - 1
        if place < 0:
            smallest = len(file_at(scale[0]))
            raise UsageError(f"at most {wish.value:,.0f} bytes were asked for, but the smallest file has {smallest:,}")
        return scale[place]
    reached = _measured(contender, picture, wish.kind, file_at)
    place = probe(lambda quality: reached(quality) >= wish.value)
    if place == len(scale):
        raise UsageError(f"{wish.value:g} was asked for, but the best file reaches {reached(scale[-1]):.2f}")
    return scale[place]


def _measured(
    contender: Contender, picture: Picture, kind: str, file_at: Callable[[float], bytes]
) -> Callable[[float], float]:
    """How good the file of a quality is."""
    original = _plain(picture.pixels)
    if kind == "ssimulacra2" and min(original.shape[:2]) < SMALLEST_SIDE:
        raise UsageError(f"SSIMULACRA2 needs {SMALLEST_SIDE} pixels on each side: ask for another target")
    whole = Window(0, 0, picture.height, picture.width)

    @cache
    def reached(quality: float) -> float:
        decoded = np.empty_like(picture.pixels)
        for window, pixels in contender.pieces(file_at(quality), (0, 0)):
            decoded[window.inside(whole)] = pixels
        plain = _plain(decoded)
        return psnr(original, plain) if kind == "psnr" else ssimulacra2(original, plain)

    return reached


def _score(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float | None:
    return ssimulacra2(first, second) if min(first.shape[:2]) >= SMALLEST_SIDE else None


def _plain(pixels: Pixels) -> NDArray[np.uint8]:
    return pixels[:, :, 0] if pixels.shape[2] == 1 else pixels


def total_memory(kept: Sequence[Judged]) -> int:
    """Bytes that several keep."""
    return sum(one.memory for one in kept)
