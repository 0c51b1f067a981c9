"""Photographs: a learned transform on pieces with margins, entropy-coded in tiles that need nothing of one another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.bounded_graph import BoundedGraph, check_parts
from isthmus.codec.coder import Latents, TileLatents, whole_quality
from isthmus.codec.hyperprior.adaptive_quality import adapt_quality
from isthmus.codec.hyperprior.integer_networks import ENTROPY_GRAPHS, IntegerNetworks, probe
from isthmus.codec.hyperprior.just_coded import JustCoded
from isthmus.codec.hyperprior.layout import BLOCK, HYPER_BLOCK, ONE_TILE, PIECE, SQUARE, TILE, padded
from isthmus.codec.hyperprior.quality_map import ASKED, PROBED_QUALITY, SCORES, USUAL_SCORE, QualityMap, sample
from isthmus.codec.hyperprior.tables import array_names, check_numbers, grid_unit_of, hyperprior_tables, shaped
from isthmus.codec.hyperprior.tiles import Tiles
from isthmus.container.image_file import ImageFile
from isthmus.container.model_file import ModelFile
from isthmus.entropy.fixed_point import KNOTS, LATENT_LIMIT, MEAN_BITS, Float32, Int32
from isthmus.entropy.hyper_latents import HYPER_LIMIT
from isthmus.entropy.hyperprior import Hyperprior, with_whole_hyper_latents
from isthmus.entropy.passes import LAYERS
from isthmus.entropy.reference_networks import QualityBias
from isthmus.errors import FormatError, ModelMismatchError, UsageError
from isthmus.imaging.windows import Window, cut, pixels_in
from isthmus.metrics.ssimulacra2 import SMALLEST_SIDE, ssimulacra2
from isthmus.transforms.engine import Engine
from isthmus.transforms.graph import Graph
from isthmus.values import QUALITIES, Picture

Item = TypeVar("Item")
Result = TypeVar("Result")

PIXELS_PER_POSITION = {
    "analysis": 1,
    "hyper_analysis": BLOCK**2,
    "synthesis": BLOCK**2,
    **dict.fromkeys(ENTROPY_GRAPHS, BLOCK**2),
    "hyper_synthesis": HYPER_BLOCK**2,
}
"""The graphs of a model, and how many pixels a position of what each reads stands for."""
TILES_AT_ONCE = 4
"""More would only wait for one another: part of entropy coding is Python."""
PLAIN_RDO_STRENGTH = 1.0
STEP_RDO_STRENGTH = (0.3, 0.6)
"""By how much stronger an RDO a whole quality less is, at qualities 1 and 100; measured, and rather too little."""


class HyperpriorCoder:
    """See `coder.Coder`; its graphs are loaded when they are first used.

    Raises:
        FormatError: parts that do not belong together.
    """

    def __init__(self, file: ModelFile, engine: Engine) -> None:
        self.file, self._engine = file, engine
        self.is_general = file.of_base is None  # a difference is to code the pictures that it was learnt for
        if file.latents.stride != BLOCK or file.picture.size is not None or file.picture.channels != 3:
            raise FormatError(f"the model {file.name} is for other pictures than its kind takes: {file.picture}")
        try:
            arrays = file.arrays
            self._gains = shaped(arrays, "gains", np.float32, (QUALITIES, file.latents.channels))
            self._quality_biases = shaped(arrays, "quality_bias", np.float32, (QUALITIES, None))
            self._first_group, self._hyper_channels, self._synthesis_margin = (
                int(value) for value in shaped(arrays, "layout", np.int32, (3,))
            )
            self._analysis_margin = int(shaped(arrays, "analysis_margin", np.int32, (1,))[0])
            self._grid_unit = grid_unit_of(arrays)
            self._quality_map, self._just_coded = None, JustCoded()
            if "quality_map" in arrays:
                shape = (len(ASKED), len(SCORES))
                self._quality_map = QualityMap(shaped(arrays, "quality_map", np.float32, shape))
            check_numbers(arrays, file.latents.channels)
            self._tables = hyperprior_tables(arrays, self._hyper_channels)
            self._biases = {
                name: QualityBias(
                    shaped(arrays, f"layer.{name}.shift", np.int8, (None,)),
                    shaped(arrays, f"layer.{name}.bias", np.int32, (KNOTS, None)),
                )
                for name in LAYERS
            }
            self._probe = int.from_bytes(shaped(arrays, "probe", np.uint8, (4,)).tobytes(), "little")
            self._graphs = {name: file.graphs[name] for name in PIXELS_PER_POSITION}
        except KeyError as error:
            raise FormatError(f"the model {file.name} has no {error.args[0]}") from error
        check_parts(file.name, file.checked_graphs, PIXELS_PER_POSITION, unknown=file.arrays.keys() - array_names())

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
        """Latents and quality_biases to a picture's bytes."""
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
        networks = IntegerNetworks({name: self._load(name, engine) for name in ENTROPY_GRAPHS}, self._biases)
        if (
            probe(networks, self._tables.companding, first_group=self._first_group, hyper=self._hyper_channels)
            != self._probe
        ):
            raise ModelMismatchError(
                f"the engine computes the entropy networks of {self.file.name} inexactly on this machine: "
                "what it writes or reads could be wrong, so nothing is"
            )
        return Hyperprior(self._tables, networks, self.file.latents.channels, self._first_group)

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

    def quality_scale(self, picture: Picture) -> Callable[[float], float]:
        """See `Coder.quality_scale`."""
        if self._quality_map is None:
            return partial(adapt_quality, picture.pixels)
        return partial(self._quality_map.quality, score=self.score_of_sample(picture))

    def score_of_sample(self, picture: Picture) -> float:
        """The SSIMULACRA2 of a sample of a picture, coded at `quality_map.PROBED_QUALITY`."""
        pixels = sample(picture.pixels)
        if min(pixels.shape[:2]) < SMALLEST_SIDE:
            return USUAL_SCORE
        return self.score_of(Picture(pixels), self._analyse(Picture(pixels)), PROBED_QUALITY)

    def score_of(self, picture: Picture, tiles: Iterable[TileLatents], quality: int) -> float:
        """The SSIMULACRA2 of a picture that is coded at a quality of the latents; `tiles` are its own."""
        height, width, channels = picture.pixels.shape
        payloads, side = self.encode(tiles, quality, is_shown=True), self.tile_size(picture)
        image = ImageFile(self.file.id, width, height, channels, quality, payloads, side)
        return ssimulacra2(picture.pixels, self.decode_region(image, Window(0, 0, height, width)))

    def analyse(self, pictures: Sequence[Picture]) -> Iterator[Iterable[TileLatents]]:
        """See `Coder.analyse`."""
        return (self._analyse(picture) for picture in pictures)

    def encode(self, tiles: Iterable[TileLatents], quality: float, *, is_shown: bool = False) -> tuple[bytes, ...]:
        """See `Coder.encode`; a quality between two whole ones is the higher one with a stronger RDO quantisation."""
        whole = whole_quality(quality)
        thresholds = self._tables.thresholds(rdo_strength(quality))

        def payload(prior: Hyperprior, tile: TileLatents) -> tuple[int, bytes]:
            return tile[0], self._encode(prior, tile[1], whole, thresholds, is_shown=is_shown)

        payloads = dict(self._with_priors(payload, tiles))
        return tuple(payloads[number] for number in sorted(payloads))

    def decode(self, images: Sequence[ImageFile]) -> Iterator[NDArray[np.uint8]]:
        """See `Coder.decode`."""
        return (self.decode_region(image, Window(0, 0, image.height, image.width)) for image in images)

    def decode_region(self, image: ImageFile, region: Window) -> NDArray[np.uint8]:
        """See `Coder.decode_region`."""
        tiles = Tiles(image, self.file.latents.channels, self._grid_unit, self._with_priors, self._just_coded)
        pixels = np.empty((region.height, region.width, image.channels), np.uint8)
        for piece in cut(region, *(PIECE if region.width > min(PIECE) else reversed(PIECE))):
            window = piece.divided(BLOCK).grown(self._synthesis_margin, tiles.grid)
            made = self._synthesise(tiles.latents(window), image.quality, image.channels)
            pixels[*piece.inside(region)] = made[piece.inside(window.times(BLOCK))]
        return pixels

    def latents_of(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """(count, channels, rows, columns) latents of pictures of one size, not quantised; see `codes_of`.

        Raises:
            UsageError: a side above ONE_TILE.
        """
        _check_one_tile(pictures[0].height, pictures[0].width)
        return np.stack([next(self._analyse(picture))[1] for picture in pictures])

    def codes_of(self, payloads: Sequence[bytes], size: tuple[int, int], quality: int) -> NDArray[np.float32]:
        """(count, channels, rows, columns) latents of pictures of (height, width), as the synthesis takes them.

        Rows and columns are those of the picture, padded to the model's unit, divided by BLOCK.

        Raises:
            FormatError: a payload that is none.
            UsageError: a side above ONE_TILE.
        """
        _check_one_tile(*size)
        grid = padded(*size, self._grid_unit).divided(BLOCK)
        units = np.float32(1 << MEAN_BITS) * self._gains[quality - 1][:, None, None]
        codes = np.empty((len(payloads), self.file.latents.channels, grid.height, grid.width), np.float32)
        for code, payload in zip(codes, payloads, strict=True):
            np.divide(self.prior.decode(payload, (grid.height, grid.width), quality), units, out=code)
        return codes

    def symbols(self, image: ImageFile) -> list[Int32]:
        """See `Coder.symbols`: latents as decoded, in 64ths of a quantisation step."""
        tiles = Tiles(image, self.file.latents.channels, self._grid_unit, self._with_priors, JustCoded())
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
        whole = padded(picture.height, picture.width, self._grid_unit)
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

    def _encode(
        self, prior: Hyperprior, latents: Latents, quality: int, thresholds: NDArray[np.float32], *, is_shown: bool
    ) -> bytes:
        if not np.isfinite(latents).all():
            raise UsageError("the model's latents of this picture are not finite numbers: the model is broken")
        steps = np.clip(latents * self._gains[quality - 1][:, None, None], -LATENT_LIMIT, LATENT_LIMIT)
        hyper = np.floor(self.hyper_analysis.run(with_whole_hyper_latents(steps)[None])[0] + np.float32(0.5))
        whole = np.clip(hyper, -HYPER_LIMIT, HYPER_LIMIT).astype(np.int32)
        if not is_shown:
            return prior.encode(steps, whole, quality, thresholds)
        payload, decoded = prior.encode_and_decode(steps, whole, quality, thresholds)
        self._just_coded.put((payload, (steps.shape[1], steps.shape[2]), quality), decoded)
        return payload

    def _synthesise(self, decoded: Float32, quality: int, channels: int) -> NDArray[np.uint8]:
        """(rows, columns, channels) of latents in 64ths of a step."""
        units = np.float32(1 << MEAN_BITS) * self._gains[quality - 1][:, None, None]
        latents: Latents = np.divide(decoded, units, out=decoded)  # in place: memory is slow
        quality_bias = self._quality_biases[quality - 1].reshape(1, -1, 1, 1)
        (made,) = self.synthesis.run_named({"latents": latents[None], "quality_bias": quality_bias})
        rows, columns = (side * BLOCK for side in latents.shape[1:])
        if made.dtype != np.uint8 or made.shape != (1, rows // SQUARE, columns // SQUARE, SQUARE * SQUARE * 3):
            raise FormatError(
                f"the model's synthesis makes {made.dtype} of {made.shape}, no picture of {columns}×{rows}"
            )
        return _in_mode(_row_by_row(made[0]).reshape(rows, columns, 3), channels)

    def _load(self, name: str, engine: Engine | None = None) -> Graph:
        label, pixels = f"{self.file.name}: {name}", PIXELS_PER_POSITION[name]
        loaded = (engine or self._engine).load(self._graphs[name], name=label)
        return BoundedGraph(loaded, self.file.checked_graphs[name], name=label, pixels_per_position=pixels)


def _check_one_tile(height: int, width: int) -> None:
    if max(height, width) > ONE_TILE:
        raise UsageError(f"pictures of {width}×{height} are coded in tiles: codes are of sides up to {ONE_TILE}")


def rdo_strength(quality: float) -> float:
    """The strength of the RDO quantisation at a quality: 1 at whole ones, most just above them."""
    whole = whole_quality(quality)
    first, last = STEP_RDO_STRENGTH
    of_a_step = first + (last - first) * (whole - 1) / (QUALITIES - 1)
    return PLAIN_RDO_STRENGTH + (whole - quality) * of_a_step


def _row_by_row(squares: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(rows, columns, SQUARE * SQUARE * 3), square by square, to (rows, SQUARE, columns, SQUARE * 3)."""
    runs = np.ascontiguousarray(squares).view(f"V{SQUARE * 3}")  # moved as wholes: in half the time
    return np.ascontiguousarray(runs.transpose(0, 2, 1)).view(np.uint8).reshape(len(squares), SQUARE, -1, SQUARE * 3)


def _in_mode(values: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """(rows, columns, 3) to (rows, columns, channels): grey is the mean."""
    if channels == 3:
        return values
    grey: NDArray[np.uint8] = ((values.sum(2, keepdims=True, dtype=np.uint16) + 1) // 3).astype(np.uint8)
    return grey
