"""A model beside other codecs on pictures that it has not learnt from: bytes of files, and of a picture in a pack."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.model import Model
from isthmus.codec.pipeline import payloads_of, pixels_of
from isthmus.container.image_file import ImageFile
from isthmus.errors import MissingExtraError
from isthmus.evaluate.classic_codecs import BUILDERS
from isthmus.evaluate.codec import Codec
from isthmus.evaluate.measuring import like_original
from isthmus.metrics.distortion import psnr
from isthmus.metrics.ssimulacra2 import SMALLEST_SIDE, ssimulacra2
from isthmus.values import Picture

PACK_FRAMING = 2
"""Bytes that a pack spends on a picture beside its payload: its length, its part of the index."""
MODEL_QUALITIES = (12, 24, 36, 48, 60, 72, 84)
OTHERS = {
    "webp": (5, 20, 40, 60, 75, 85, 92, 97),
    "avif-444": (15, 28, 40, 52, 63, 74, 84, 92),
    "avif-420": (15, 28, 40, 52, 63, 74, 84, 92),
    "jxl": (20, 40, 55, 68, 78, 86, 92),
    "jpeg-420": (10, 20, 35, 50, 65, 80, 90),
}
"""Codecs by name, and their qualities from small files to large ones."""
WEBP = "webp"
HIGHEST_PSNR = 99.0
SCORE, PSNR = "SSIMULACRA2", "PSNR"
Pixels = NDArray[np.uint8]
Coded = tuple[int, Pixels]
"""Bytes, and what comes back."""


@dataclass
class Curve:
    """What a codec does to some pictures, quality by quality.

    Attributes:
        label: for people.
        qualities: from small files to large ones.
        measured: for each picture and quality: bytes, SSIMULACRA2 (NaN where a picture is too small), PSNR.
        shown: of each picture and quality: bytes and what came back, of those that are kept.
    """

    label: str
    qualities: tuple[float, ...]
    measured: list[list[tuple[float, float, float]]] = field(default_factory=list)
    shown: dict[int, list[Coded]] = field(default_factory=dict)

    def add(self, picture: Pixels, coded: Sequence[Coded], *, keep: bool) -> None:
        """Measure one picture."""
        self.measured.append([(size, *levels(picture, back)) for size, back in coded])
        if keep:
            self.shown[len(self.measured) - 1] = list(coded)

    def means(self, metric: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(bytes, levels), rising: means over the pictures at each quality."""
        values = np.array(self.measured).mean(0)
        sizes, reached = values[:, 0], np.maximum.accumulate(values[:, 1 if metric == SCORE else 2])
        rising = np.concatenate([[True], np.diff(reached) > 1e-9])
        return sizes[rising], reached[rising]

    def bytes_at(self, level: float, metric: str) -> float:
        """Bytes of a picture at a level, between measured points; NaN beyond them."""
        sizes, reached = self.means(metric)
        if not reached[0] <= level <= reached[-1]:
            return math.nan
        return float(np.exp(np.interp(level, reached, np.log(sizes))))


def levels(original: Pixels, back: Pixels) -> tuple[float, float]:
    """(SSIMULACRA2, PSNR), the first NaN where the picture is too small for it."""
    score = math.nan if min(original.shape[:2]) < SMALLEST_SIDE else ssimulacra2(original, back)
    return score, min(psnr(original, back), HIGHEST_PSNR)


def ratio_to(curve: Curve, other: Curve, metric: str) -> float:
    """Bytes of one for each byte of the other at equal levels: the geometric mean over the first one's points."""
    sizes, reached = curve.means(metric)
    theirs = np.array([other.bytes_at(level, metric) for level in reached])
    known = np.isfinite(theirs)
    return float(np.exp(np.mean(np.log(sizes[known] / theirs[known])))) if known.any() else math.nan


def model_coder(model: Model) -> Callable[[Pixels], list[Coded]]:
    """Codes a picture at MODEL_QUALITIES, as a pack has it."""

    def code(picture: Pixels) -> list[Coded]:
        coded = []
        height, width, channels = picture.shape
        for quality in MODEL_QUALITIES:
            (payloads,) = payloads_of([Picture(picture)], model.coder, quality)
            side = model.coder.tile_size(Picture(picture))
            image = ImageFile(model.id, width, height, channels, quality, payloads, side)
            coded.append((sum(map(len, payloads)) + PACK_FRAMING, next(pixels_of([image], model.coder))))
        return coded

    return code


def other_coder(codec: Codec, qualities: Sequence[float]) -> Callable[[Pixels], list[Coded]]:
    """Codes a picture to whole files."""

    def code(picture: Pixels) -> list[Coded]:
        files = [codec.encode(picture, quality) for quality in qualities]
        return [(len(data), like_original(codec.decode(data), picture)) for data in files]

    return code


def other_codecs(names: Iterable[str]) -> tuple[dict[str, Codec], list[str]]:
    """Those that are installed, and a line for each that is not."""
    built, notes = {}, []
    for name in names:
        try:
            built[name] = BUILDERS[name](1)
        except MissingExtraError as error:
            notes.append(str(error))
    return built, notes


def compare(
    pictures: Sequence[Pixels], models: dict[str, Model], *, kept: int = 3,
    names: Sequence[str] = tuple(OTHERS), goes_on: Callable[[int], bool] = lambda done: True,
) -> tuple[list[Curve], list[str]]:  # fmt: skip
    """Code pictures with models and other codecs, picture by picture.

    Args:
        pictures: (rows, columns, 3) uint8 each.
        models: by label.
        kept: pictures whose results are kept to be shown.
        names: of the other codecs.
        goes_on: told how many pictures are done; whether there is time for one more.

    Returns:
        A curve for each, models first; and notes.
    """
    codecs, notes = other_codecs(names)
    coders = {label: model_coder(model) for label, model in models.items()}
    curves = [Curve(label, tuple(map(float, MODEL_QUALITIES))) for label in models]
    for name, codec in codecs.items():
        coders[name] = other_coder(codec, OTHERS[name])
        curves.append(Curve(codec.info.label, tuple(map(float, OTHERS[name]))))
    for number, picture in enumerate(pictures):
        if not goes_on(number):
            break
        for curve, code in zip(curves, coders.values(), strict=True):
            curve.add(picture, code(picture), keep=number < kept)
    return curves, notes
