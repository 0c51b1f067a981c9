"""The denoiser for photographs: a network that estimates how strong the noise is, and one that is told and removes it.

A picture -> level of its noise, from a sample of windows -> tile by tile: pixels and level -> noise -> pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.bounded_graph import BoundedGraph, check_parts
from isthmus.container.model_file import ModelFile
from isthmus.errors import FormatError, ModelMismatchError, UsageError
from isthmus.imaging.windows import Window, cut
from isthmus.transforms.engine import Engine
from isthmus.transforms.graph import Graph

KIND = "denoiser"
SHORT = 2
"""Rows and columns of pixels in one place of the networks' input."""
PLACE = 8
"""Rows and columns of pixels that one estimate of the level is of."""
LARGEST_WHOLE = 1248
"""Longest side of pictures that are denoised in one piece."""
TILE = 768
"""Rows and columns of the parts that are denoised at a time of larger ones: half a gigabyte of memory each."""
SAMPLES, SAMPLE_SIDE = 6, 128
"""The level is estimated from at most 6x6 windows of this side."""
LEAST_SIDE = 3 * PLACE
"""Of a window: an estimate looks at the places around it."""
DEFAULT_STRENGTH = 50.0
"""Noise is removed as it is estimated."""
HIGHEST_LEVEL = 0.25
"""Stronger noise was never seen in training, white at 1."""
LEVEL_UNIT = 1 / 255
"""The network estimates log(1 + level / unit)."""
LEAST_TRUST = 1e-4
"""Where no place can be trusted, all count alike."""
_HIGHEST_LOGARITHM = 10.0
_GRAPHS = {"noise": 1, "level": 1}
_LARGEST_STRIDE, _LARGEST_REACH = 64, 1024

Pixels = NDArray[np.uint8]
Reals = NDArray[np.float32]


class PhotoDenoiser:
    """A model file of this kind; its graphs are loaded when they are first used.

    Args:
        file: the model file.
        engine: what runs the graphs.

    Raises:
        ModelMismatchError: a model of another kind.
        FormatError: parts that do not belong together.
    """

    def __init__(self, file: ModelFile, engine: Engine | None = None) -> None:
        if file.kind != KIND:
            raise ModelMismatchError(f"the model {file.name} is of the kind {file.kind!r}, no denoiser of photographs")
        layout = file.arrays.get("layout")
        if layout is None or layout.dtype != np.int32 or layout.ndim != 1 or len(layout) < 4:
            raise FormatError(f"the model {file.name} has no layout")
        self.reach, self.stride = int(layout[0]), file.latents.stride
        if not 0 < self.stride <= _LARGEST_STRIDE or self.stride & (self.stride - 1):
            raise FormatError(f"the model {file.name} has the stride {self.stride}, no power of two up to 64")
        if not 0 <= self.reach <= _LARGEST_REACH or self.reach % self.stride:
            raise FormatError(f"the model {file.name} looks {self.reach} pixels far, no multiple of its stride")
        try:
            check_parts(file.name, file.checked_graphs, _GRAPHS, unknown=file.arrays.keys() - {"layout"})
        except KeyError as error:
            raise FormatError(f"the model {file.name} has no {error.args[0]}") from error
        self.file, self._engine = file, engine or Engine()

    def __reduce__(self) -> tuple[type[PhotoDenoiser], tuple[ModelFile, Engine]]:
        """What pickle makes it of: the file. Another process loads its graphs when it first uses them."""
        return type(self), (self.file, self._engine)

    @property
    def name(self) -> str:
        """What people call it."""
        return self.file.name

    @cached_property
    def _noise(self) -> Graph:
        return self._load("noise")

    @cached_property
    def _level(self) -> Graph:
        return self._load("level")

    def estimate(self, pixels: Pixels) -> float:
        """How strong a picture's noise is: its root mean square in grey levels of 0 to 255.

        Args:
            pixels: (rows, columns, 1 or 3) uint8.

        Raises:
            FormatError: the model gives no finite number.
        """
        return 255 * self._estimate(_as_values(pixels[window.inside(_whole(pixels))]) for window in _samples(pixels))

    def denoise(self, pixels: Pixels, *, level: float | None = None, strength: float = DEFAULT_STRENGTH) -> Pixels:
        """A picture without its noise.

        Args:
            pixels: (rows, columns, 1 or 3) uint8.
            level: of the noise, in grey levels; estimated where it is None.
            strength: 0 to 100: 50 removes what is estimated, 0 nothing.

        Returns:
            The same shape, uint8; a new array.

        Raises:
            UsageError: no such strength or level.
            FormatError: the model gives no finite numbers.
        """
        own = pixels.copy()
        self.denoise_in_place(own, level=level, strength=strength)
        return own

    def denoise_in_place(
        self, pixels: Pixels, *, level: float | None = None, strength: float = DEFAULT_STRENGTH
    ) -> float:
        """`denoise`, without a second picture in memory.

        Returns:
            The level, as it was given or estimated.
        """
        told, blend = self._told(0 if level is None else level, strength)  # refused before anything is computed
        if level is None:
            level = self.estimate(pixels)
            told, blend = self._told(level, strength)
        if told == 0:
            return level
        height, width = pixels.shape[:2]
        is_tiled = max(height, width) > LARGEST_WHOLE
        side = TILE if is_tiled else max(height, width)
        above = pixels[:0]
        for top in range(0, height, side):
            bottom = min(top + side, height)
            source = np.concatenate([above, pixels[top : min(bottom + self.reach, height)]])
            around = Window(top - len(above), 0, len(source), width)
            above = pixels[max(bottom - self.reach, 0) : bottom].copy()  # as it was, for the next rows
            for tile in cut(Window(top, 0, bottom - top, width), side, side):
                grown = tile.grown(self.reach, around)
                values = _as_values(source[grown.inside(around)])
                made = self._clean(values, told, blend)[tile.inside(grown)]
                pixels[*tile.inside(_whole(pixels))] = _as_pixels(made, pixels.shape[2])
        if is_tiled:  # the engine keeps what it worked in, and whoever writes a large picture needs memory
            self.__dict__.pop("_noise", None)
        return level

    def estimate_values(self, values: Reals) -> float:
        """`estimate` of (rows, columns, 3) float32, white at 1, that may reach beyond 0..1; the level likewise."""
        return self._estimate(values[window.inside(_whole(values))] for window in _samples(values))

    def denoise_values(self, values: Reals, *, level: float | None = None) -> Reals:
        """`denoise` of (rows, columns, 3) float32, white at 1, in one piece; the level likewise."""
        told, blend = self._told(255 * (self.estimate_values(values) if level is None else level), DEFAULT_STRENGTH)
        return self._clean(values, told, blend)

    def _told(self, level: float, strength: float) -> tuple[float, float]:
        """The level that the network is told, white at 1, and how much of what it finds is removed."""
        if not 0 <= strength <= 100:
            raise UsageError(f"a strength is from 0 to 100, not {strength}")
        if not 0 <= level <= 255:
            raise UsageError(f"a noise level is from 0 to 255, not {level}")
        share = strength / DEFAULT_STRENGTH
        return min(level / 255 * share, HIGHEST_LEVEL), min(share, 1.0)

    def _estimate(self, windows: Iterator[Reals]) -> float:
        """From the places of all windows, each by how far it can be trusted."""
        total = weights = 0.0
        for values in windows:
            level, trust = self._level.run_named({"pixels": _as_input(values, PLACE, least=LEAST_SIDE)})
            if level.shape != trust.shape:
                raise FormatError(f"the model {self.name} estimates levels and trust of different shapes")
            weight = trust.astype(np.float64) + LEAST_TRUST
            total, weights = total + float((level * weight).sum()), weights + float(weight.sum())
        if not np.isfinite(total) or not weights > 0:
            raise FormatError(f"the model {self.name} estimates no finite noise level: it is broken")
        return min(LEVEL_UNIT * math.expm1(min(max(total / weights, 0), _HIGHEST_LOGARITHM)), HIGHEST_LEVEL)

    def _clean(self, values: Reals, told: float, blend: float) -> Reals:
        """(rows, columns, 3) without its noise."""
        if told == 0:
            return values
        pixels = _as_input(values, self.stride)
        plane = np.full((1, 1, *pixels.shape[2:]), told, np.float32)
        noise = self._noise.run_named({"values": np.concatenate([pixels, plane], 1)})[0]
        if noise.shape != pixels.shape:
            raise FormatError(f"the model {self.name} makes noise of the shape {noise.shape}, not {pixels.shape}")
        rows, columns = values.shape[:2]
        made: Reals = noise[0].transpose(1, 2, 0)[:rows, :columns] * np.float32(-told * blend)
        made += values
        if not np.isfinite(made).all():
            raise FormatError(f"the model {self.name} gives no finite numbers: it is broken")
        return made

    def _load(self, name: str) -> Graph:
        label = f"{self.name}: {name}"
        loaded = self._engine.load(self.file.graphs[name], name=label)
        return BoundedGraph(loaded, self.file.checked_graphs[name], name=label, pixels_per_position=_GRAPHS[name])


def _whole(pixels: NDArray[np.generic]) -> Window:
    return Window(0, 0, *pixels.shape[:2])


def _samples(pixels: NDArray[np.generic]) -> Iterator[Window]:
    """Windows spread evenly over a picture: all of it where it is small."""
    tops, lefts = (_starts(length) for length in pixels.shape[:2])
    for top in tops:
        for left in lefts:
            yield Window(top, left, *(min(SAMPLE_SIDE, length) for length in pixels.shape[:2]))


def _starts(length: int) -> list[int]:
    """Of the windows along one side; multiples of `PLACE`."""
    count = min(SAMPLES, -(-length // SAMPLE_SIDE))
    last = max(length - SAMPLE_SIDE, 0)
    return sorted({int(start) // PLACE * PLACE for start in np.linspace(0, last, count)})


def _as_values(pixels: Pixels) -> Reals:
    """(rows, columns, 1 or 3) uint8 -> (rows, columns, 3) float32, white at 1."""
    values = pixels.astype(np.float32)
    values /= np.float32(255)
    return values if pixels.shape[2] == 3 else np.repeat(values, 3, axis=2)


def _as_pixels(values: Reals, channels: int) -> Pixels:
    """(rows, columns, 3) float32, white at 1 -> (rows, columns, channels) uint8; grey is the mean."""
    values = values if channels == 3 else values.mean(2, keepdims=True)
    rounded: Pixels = np.rint(np.clip(values, 0, 1) * np.float32(255)).astype(np.uint8)
    return rounded


def _as_input(values: Reals, stride: int, *, least: int = 0) -> Reals:
    """(rows, columns, 3), white at 1 -> (1, 3, rows, columns) in -0.5..0.5, mirrored to whole strides and `least`."""
    missing = [(0, max(-length % stride, least - length)) for length in values.shape[:2]]
    padded = np.pad(values, (*missing, (0, 0)), mode="symmetric") if any(map(any, missing)) else values
    return np.ascontiguousarray(padded.transpose(2, 0, 1)[None]) - np.float32(0.5)
