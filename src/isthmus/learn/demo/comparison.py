"""The demo's table: the same pictures as PNG, and as JPEG and WebP at the same PSNR."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from isthmus.imaging.formats import open_image
from isthmus.imaging.reading import from_pillow
from isthmus.imaging.writing import to_pillow
from isthmus.metrics.distortion import mse, psnr_of_mse
from isthmus.values import Picture


@dataclass(frozen=True)
class CodecResult:
    """One row.

    Attributes:
        name: the codec with its settings.
        mean_bytes: of a whole file.
        psnr: in dB of the mean squared error over all pictures; infinite where nothing is lost.
    """

    name: str
    mean_bytes: float
    psnr: float


def compare(originals: Sequence[Picture], returned: Sequence[Picture], sizes: Sequence[int]) -> tuple[CodecResult, ...]:
    """Rows for Isthmus' own files, PNG, and JPEG and WebP at the lowest quality that is no worse than Isthmus.

    Args:
        originals: the pictures.
        returned: what Isthmus' files gave back.
        sizes: bytes of those files.
    """
    ours = CodecResult("Isthmus", float(np.mean(sizes)), _psnr(originals, returned))
    png = [_save(picture, "PNG", {"optimize": True}) for picture in originals]
    rows = [ours, CodecResult("PNG (lossless)", float(np.mean([len(file) for file in png])), float("inf"))]
    others: tuple[tuple[str, dict[str, object]], ...] = (("JPEG", {"optimize": True}), ("WebP", {"method": 6}))
    for name, settings in others:

        def result_at(quality: int, name: str = name, settings: dict[str, object] = settings) -> CodecResult:
            files = [_save(picture, name.upper(), {**settings, "quality": quality}) for picture in originals]
            back = [_load(file, picture.channels) for file, picture in zip(files, originals, strict=True)]
            return CodecResult(
                f"{name} (quality {quality})", float(np.mean([len(f) for f in files])), _psnr(originals, back)
            )

        rows.append(_no_worse(result_at, ours.psnr))
    return tuple(rows)


def _no_worse(result_at: Callable[[int], CodecResult], wanted: float) -> CodecResult:
    """The lowest quality from 1 to 100 that reaches `wanted` dB, or 100."""
    low, high = 0, 100
    while high - low > 1:
        middle = (low + high) // 2
        if result_at(middle).psnr >= wanted:
            high = middle
        else:
            low = middle
    return result_at(high)


def _psnr(originals: Sequence[Picture], others: Sequence[Picture]) -> float:
    errors = [mse(one.pixels, other.pixels) for one, other in zip(originals, others, strict=True)]
    return psnr_of_mse(float(np.mean(errors)), peak=255.0)


def _save(picture: Picture, name: str, settings: dict[str, object]) -> bytes:
    out = io.BytesIO()
    to_pillow(picture).save(out, name, **settings)
    return out.getvalue()


def _load(data: bytes, channels: int) -> Picture:
    with open_image(io.BytesIO(data)) as image:
        return from_pillow(image.convert("L" if channels == 1 else "RGB"))
