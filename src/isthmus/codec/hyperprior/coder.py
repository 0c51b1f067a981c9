"""Photographs: a learned transform on pieces with margins, entropy-coded in tiles that need nothing of one another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.coder import PLAIN_THRIFT, Latents, Quantisation, TileLatents
from isthmus.codec.hyperprior.activity import activity
from isthmus.codec.hyperprior.integer_networks import EXACT_GRAPHS, ExactNetworks, probe
from isthmus.codec.hyperprior.tables import hyperprior_tables, shaped
from isthmus.container.image_file import ImageFile
from isthmus.container.model_file import ModelFile
from isthmus.entropy.hyper_latents import HYPER_LIMIT
from isthmus.entropy.hyperprior import Hyperprior
from isthmus.entropy.reference_networks import (
    KNOTS,
    LATENT_LIMIT,
    LAYERS,
    MEAN_BITS,
    Integers,
    QualityBias,
    Reals,
)
from isthmus.errors import FormatError, ModelMismatchError
from isthmus.imaging.windows import Window, cut, pixels_in
from isthmus.transforms.engine import Engine
from isthmus.transforms.graph import Graph
from isthmus.values import QUALITIES, Picture

Item = TypeVar("Item")
Result = TypeVar("Result")

KIND = "hyperprior"
BLOCK = 16
"""Pixels per latent position in each direction."""
SIDE = 8
"""Pixels, in each direction, of the squares that the synthesis ends in."""
HYPER_BLOCK = 64
"""Pixels per hyper-latent position: pictures and tiles are padded to multiples of it."""
ONE_TILE = 1024
"""Pictures with no side longer than this are one tile."""
TILE = 512
"""Side of the tiles of larger pictures; a multiple of HYPER_BLOCK."""
TILES_AT_ONCE = 4
"""More would only wait for one another: part of entropy coding is Python."""
PIECE = (512, 1024)
"""Rows and columns that go through a transform at once: what bounds its memory."""
USUAL_ACTIVITY = 4.0
"""Of `codec.hyperprior.activity`: photographs of this activity get the quality that was asked for."""
LEAST_ACTIVITY = 0.01
QUALITY_PER_OCTAVE, MOST_SHIFT = 6.0, 12.0
"""By how much the quality rises where activity is half, and by how much at most."""
STEP_THRIFT = (0.3, 0.6)
"""What a whole quality less is worth in thrift, at qualities 1 and 100; measured, and rather too little."""
THRIFTS = tuple(np.linspace(1.0, 2.5, 31)[1:].tolist())
MOST_SAVED = 0.95
"""Of a quantisation step: thresholds lie at most this far above the lower symbol's edge, however thrifty."""


class PhotoCoder:
    """See `coder.Coder`; its graphs are loaded when they are first used.

    Raises:
        FormatError: parts that do not belong together.
    """

    thrifts: Sequence[float] = THRIFTS

    def __init__(self, file: ModelFile, engine: Engine) -> None:
        self._file, self._engine = file, engine
        try:
            arrays = file.arrays
            self._gains = shaped(arrays, "gains", np.float32, (QUALITIES, file.latents.channels))
            self._guides = shaped(arrays, "guides", np.float32, (QUALITIES, None))
            self._strong, self._hyper_channels, self._analysis_margin, self._synthesis_margin = (
                int(value) for value in shaped(arrays, "layout", np.int32, (4,))
            )
            self._tables = hyperprior_tables(arrays, self._hyper_channels)
            self._biases = {
                name: QualityBias(
                    shaped(arrays, f"layer.{name}.shift", np.int8, (None,)),
                    shaped(arrays, f"layer.{name}.bias", np.int32, (KNOTS, None)),
                )
                for name in LAYERS
            }
            self._probe = int.from_bytes(shaped(arrays, "probe", np.uint8, (4,)).tobytes(), "little")
            self._graphs = {
                name: file.graphs[name] for name in ("analysis", "hyper_analysis", "synthesis", *EXACT_GRAPHS)
            }
        except KeyError as error:
            raise FormatError(f"the model {file.name} has no {error.args[0]}") from error

    @cached_property
    def analysis(self) -> Graph:
        """Pixels (1, 3, rows, columns) in -0.5..0.5 to latents."""
        return self._load("analysis")

    @cached_property
    def hyper_analysis(self) -> Graph:
        """Latents in quantisation steps to hyper-latents, not rounded."""
        return self._load("hyper_analysis")

    @cached_property
    def synthesis(self) -> Graph:
        """Latents and guides to a picture's bytes."""
        return self._load("synthesis")

    @cached_property
    def prior(self) -> Hyperprior:
        """The entropy model, its engine tried on a known input.

        Raises:
            ModelMismatchError: the engine is not exact on this machine.
        """
        return self._build_prior(self._engine)

    @cached_property
    def _prior_of_one_thread(self) -> Hyperprior:
        return self._build_prior(replace(self._engine, threads=1))

    def _build_prior(self, engine: Engine) -> Hyperprior:
        networks = ExactNetworks({name: self._load(name, engine) for name in EXACT_GRAPHS}, self._biases)
        if probe(networks, self._tables.squash, strong=self._strong, hyper=self._hyper_channels) != self._probe:
            raise ModelMismatchError(
                f"the engine computes the entropy networks of {self._file.name} inexactly on this machine: "
                "what it writes or reads could be wrong, so nothing is"
            )
        return Hyperprior(self._tables, networks, self._file.latents.channels, self._strong)

    def takes(self, picture: Picture) -> bool:
        """See `Coder.takes`: RGB and grey of any size."""
        return picture.channels in (1, 3)

    def check(self, image: ImageFile) -> None:
        """See `Coder.check`."""
        side = image.tile_size
        if side == 0 and max(image.height, image.width) > ONE_TILE:
            raise FormatError(f"the file announces {image.width}×{image.height} pixels in one tile, above {ONE_TILE}")
        if side % HYPER_BLOCK or side > ONE_TILE:
            raise FormatError(
                f"the file announces tiles of {side} pixels, not a multiple of {HYPER_BLOCK} to {ONE_TILE}"
            )

    def tile_size(self, picture: Picture) -> int:
        """See `Coder.tile_size`."""
        return 0 if max(picture.height, picture.width) <= ONE_TILE else TILE

    def suited(self, picture: Picture, quality: int) -> Quantisation:
        """See `Coder.suited`: the file's qualities are whole, so thrift takes care of what is between two of them."""
        wanted = shifted_quality(picture, quality)
        whole = math.ceil(wanted)
        first, last = STEP_THRIFT
        of_a_step = first + (last - first) * (whole - 1) / (QUALITIES - 1)
        return Quantisation(whole, PLAIN_THRIFT + (whole - wanted) * of_a_step)

    def analyse(self, pictures: Sequence[Picture]) -> Iterator[Iterable[TileLatents]]:
        """See `Coder.analyse`."""
        return (self._analyse(picture) for picture in pictures)

    def encode(self, tiles: Iterable[TileLatents], quality: int, *, thrift: float = PLAIN_THRIFT) -> tuple[bytes, ...]:
        """See `Coder.encode`."""
        thresholds = self._tables.thresholds
        edges = np.arange(thresholds.shape[-1], dtype=np.float32) + np.float32(0.5)
        saved = np.minimum((thresholds - edges) * np.float32(thrift), np.float32(MOST_SAVED))

        def payload(prior: Hyperprior, tile: TileLatents) -> tuple[int, bytes]:
            return tile[0], self._encode(prior, tile[1], quality, edges + saved)

        payloads = dict(self._with_priors(payload, tiles))
        return tuple(payloads[number] for number in sorted(payloads))

    def decode(self, images: Sequence[ImageFile]) -> Iterator[NDArray[np.uint8]]:
        """See `Coder.decode`."""
        return (self.decode_region(image, Window(0, 0, image.height, image.width)) for image in images)

    def decode_region(self, image: ImageFile, region: Window) -> NDArray[np.uint8]:
        """See `Coder.decode_region`."""
        tiles = _Tiles(image, self._file.latents.channels, self._with_priors)
        pixels = np.empty((region.height, region.width, image.channels), np.uint8)
        for piece in cut(region, *(PIECE if region.width > min(PIECE) else reversed(PIECE))):
            window = piece.divided(BLOCK).grown(self._synthesis_margin, tiles.grid)
            made = self._synthesise(tiles.latents(window), image.quality, image.channels)
            pixels[*piece.inside(region)] = made[piece.inside(window.times(BLOCK))]
        return pixels

    def symbols(self, image: ImageFile) -> list[Integers]:
        """See `Coder.symbols`: latents as decoded, in 64ths of a quantisation step."""
        tiles = _Tiles(image, self._file.latents.channels, self._with_priors)
        return [tile.astype(np.int32) for tile in self._with_priors(tiles.tile, range(len(image.tiles)))]

    def _with_priors(self, work: Callable[[Hyperprior, Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """What becomes of each, in order: several at a time, since most of entropy coding takes no second thread."""
        rest = iter(items)
        while some := list(islice(rest, min(self._engine.cores, TILES_AT_ONCE))):
            if len(some) == 1:
                yield work(self.prior, some[0])
            else:
                with ThreadPoolExecutor(len(some)) as pool:
                    yield from pool.map(partial(work, self._prior_of_one_thread), some)

    def _analyse(self, picture: Picture) -> Iterator[TileLatents]:
        whole = _padded(picture.height, picture.width)
        side = self.tile_size(picture) or max(whole.height, whole.width)
        columns = -(-whole.width // side)
        rows_at_once, columns_at_once = (max(side, size // side * side) for size in PIECE)  # whole tiles
        for piece in cut(whole, rows_at_once, columns_at_once):
            grown = piece.grown(self._analysis_margin, whole)
            pixels = pixels_in(picture.pixels, grown, block=BLOCK)
            values = np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32)  # in place from here: memory is slow
            values /= np.float32(255)
            values -= np.float32(0.5)
            if picture.channels == 1:
                values = np.repeat(values, 3, axis=0)
            latents = self.analysis.run(values[None])[0]
            for tile in cut(piece, side, side):
                number = tile.top // side * columns + tile.left // side
                yield number, latents[:, *tile.divided(BLOCK).inside(grown.divided(BLOCK))]

    def _encode(self, prior: Hyperprior, latents: Latents, quality: int, thresholds: NDArray[np.float32]) -> bytes:
        steps = np.clip(latents * self._gains[quality - 1][:, None, None], -LATENT_LIMIT, LATENT_LIMIT)
        hyper = np.floor(self.hyper_analysis.run(steps[None])[0] + np.float32(0.5))
        whole = np.clip(hyper, -HYPER_LIMIT, HYPER_LIMIT).astype(np.int32)
        return prior.encode(steps, whole, quality, thresholds)

    def _synthesise(self, decoded: Reals, quality: int, channels: int) -> NDArray[np.uint8]:
        """(rows, columns, channels) of latents in 64ths of a step."""
        units = np.float32(1 << MEAN_BITS) * self._gains[quality - 1][:, None, None]
        latents: Latents = np.divide(decoded, units, out=decoded)  # in place: memory is slow
        guides = self._guides[quality - 1].reshape(1, -1, 1, 1)
        (made,) = self.synthesis.run_named({"latents": latents[None], "guides": guides})
        rows, columns = (side * BLOCK for side in latents.shape[1:])
        whole, interleaved = (1, rows, columns, 3), (rows // SIDE, SIDE, columns // SIDE, SIDE * 3)  # the same order
        squares = (1, rows // SIDE, columns // SIDE, SIDE * SIDE * 3)
        if made.dtype == np.uint8 and made.shape == squares:
            made = _row_by_row(made[0])
        if made.dtype == np.uint8 and made.shape in (whole, interleaved):
            return _of_pixels(made.reshape(rows, columns, 3), channels)
        if made.dtype == np.float32 and made.shape == (1, 3, rows, columns):
            return _of_planes(made[0], channels)
        raise FormatError(f"the model's synthesis makes {made.dtype} of {made.shape}, no picture of {columns}×{rows}")

    def _load(self, name: str, engine: Engine | None = None) -> Graph:
        label = f"{self._file.name}: {name}"
        return (engine or self._engine).load(self._graphs[name], name=label)


def shifted_quality(picture: Picture, quality: int) -> float:
    """The quality that suits a picture where `quality` is asked for: errors hide in busy ones (decision 6)."""
    octaves = math.log2(USUAL_ACTIVITY / max(activity(picture.pixels), LEAST_ACTIVITY))
    shift = max(-MOST_SHIFT, min(MOST_SHIFT, QUALITY_PER_OCTAVE * octaves))
    # none at both ends, so that every quality can be had; rising throughout
    return quality + shift * 4 * (quality - 1) * (QUALITIES - quality) / (QUALITIES - 1) ** 2


_WithPriors = Callable[[Callable[[Hyperprior, int], Reals], Iterable[int]], Iterator[Reals]]
"""See `PhotoCoder._with_priors`."""


class _Tiles:
    """The tiles of one file, decoded when they are needed and forgotten behind the last window."""

    def __init__(self, image: ImageFile, channels: int, with_priors: _WithPriors) -> None:
        whole = _padded(image.height, image.width)
        side = image.tile_size or max(whole.height, whole.width)
        self._image, self._channels, self._with_priors = image, channels, with_priors
        self.grid = whole.divided(BLOCK)
        self._windows = [tile.divided(BLOCK) for tile in cut(whole, side, side)]
        self._decoded: dict[int, Reals] = {}

    def tile(self, prior: Hyperprior, number: int) -> Reals:
        """(channels, rows, columns) of one tile, in 64ths of a step; zeros where it is missing."""
        window = self._windows[number]
        if number in self._image.missing:
            return np.zeros((self._channels, window.height, window.width), np.float32)
        try:
            return prior.decode(self._image.tiles[number], (window.height, window.width), self._image.quality)
        except FormatError as error:
            raise FormatError(f"tile {number}: {error}") from error

    def latents(self, wanted: Window) -> Reals:
        """(channels, rows, columns) of a window of the grid. Windows come row by row: tiles above it are forgotten."""
        if self._windows == [wanted]:  # nothing to put together
            (only,) = self._with_priors(self.tile, [0])
            return only
        parts = {number: window.overlap(wanted) for number, window in enumerate(self._windows)}
        new = [number for number, part in parts.items() if part is not None and number not in self._decoded]
        self._decoded.update(zip(new, self._with_priors(self.tile, new), strict=True))
        values = np.empty((self._channels, wanted.height, wanted.width), np.float32)
        for number, part in parts.items():
            window = self._windows[number]
            if part is not None:
                values[:, *part.inside(wanted)] = self._decoded[number][:, *part.inside(window)]
            elif window.bottom <= wanted.top:
                self._decoded.pop(number, None)
        return values


def _padded(height: int, width: int) -> Window:
    return Window(0, 0, height, width).divided(HYPER_BLOCK).times(HYPER_BLOCK)


def _row_by_row(squares: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(rows, columns, SIDE * SIDE * 3), square by square, to (rows, SIDE, columns, SIDE * 3)."""
    runs = np.ascontiguousarray(squares).view(f"V{SIDE * 3}")  # moved as wholes: in half the time
    return np.ascontiguousarray(runs.transpose(0, 2, 1)).view(np.uint8).reshape(len(squares), SIDE, -1, SIDE * 3)


def _of_pixels(values: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """(rows, columns, 3) to (rows, columns, channels): grey is the mean."""
    if channels == 3:
        return values
    grey: NDArray[np.uint8] = ((values.sum(2, keepdims=True, dtype=np.uint16) + 1) // 3).astype(np.uint8)
    return grey


def _of_planes(values: NDArray[np.float32], channels: int) -> NDArray[np.uint8]:
    """The same of (3, rows, columns) around -0.5..0.5, as models of before 2026-11-22 make them."""
    if channels == 1:
        values = values.mean(0, keepdims=True)
    whole = values + np.float32(0.5)
    whole *= np.float32(255)
    planes: NDArray[np.uint8] = np.rint(np.clip(whole, 0, 255, out=whole), out=whole).astype(np.uint8)
    return np.moveaxis(planes, 0, -1)
