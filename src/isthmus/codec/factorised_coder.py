"""The factorised-prior coder of plain autoencoders: one step and one table per channel and quality, and one tile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.bounded_graph import BoundedGraph, check_parts
from isthmus.codec.coder import TileLatents, whole_quality
from isthmus.codec.quantiser import Quantiser
from isthmus.container.image_file import ImageFile
from isthmus.container.model_file import ModelFile
from isthmus.entropy.factorised_prior import FactorisedPrior
from isthmus.errors import FormatError
from isthmus.imaging import fitting
from isthmus.imaging.windows import Window
from isthmus.transforms.engine import Engine
from isthmus.transforms.graph import Graph
from isthmus.values import Picture

KIND = "factorized"
LATENTS_AT_ONCE = 1000


class FactorisedCoder:
    """See `coder.Coder`; its graphs are loaded when they are first used.

    Raises:
        FormatError: parts that do not belong together.
    """

    is_general = False

    def __init__(self, file: ModelFile, engine: Engine) -> None:
        try:
            self._quantiser = Quantiser(file.arrays["steps"])
            self._prior = FactorisedPrior.from_arrays(file.arrays)
            self._graphs = {name: file.graphs[name] for name in ("analysis", "synthesis")}
            height, width = file.picture.size or (0, 0)
            self._pixels = {"analysis": 1, "synthesis": file.latents.stride**2 or height * width}
        except KeyError as error:
            raise FormatError(f"the model {file.name} has no {error.args[0]}") from error
        arrays = {"steps", *self._prior.to_arrays()}
        check_parts(file.name, file.checked_graphs, self._pixels, unknown=file.arrays.keys() - arrays)
        if self._quantiser.steps.shape[1] != file.latents.channels:
            raise FormatError(f"the model {file.name} has steps for another number of channels than its latents")
        self.file, self._engine = file, engine

    @cached_property
    def analysis(self) -> Graph:
        """Pictures (batch, channels, rows, columns) float32 in [0, 1] to latents."""
        return self._load("analysis")

    @cached_property
    def synthesis(self) -> Graph:
        """Latents (batch, channels, rows, columns) to pictures, float32 around [0, 1]."""
        return self._load("synthesis")

    def quality_scale(self, picture: Picture) -> Callable[[float], float]:
        """See `Coder.quality_scale`: as it was asked for."""
        del picture
        return float

    def takes(self, picture: Picture) -> bool:
        """See `Coder.takes`."""
        spec = self.file.picture
        fits = spec.size is None or (picture.height, picture.width) == spec.size
        return fits and picture.channels == spec.channels

    def check(self, image: ImageFile) -> None:
        """See `Coder.check`."""
        spec = self.file.picture
        if image.channels != spec.channels or (spec.size is not None and spec.size != (image.height, image.width)):
            raise FormatError(f"the file announces {image.width}×{image.height} pixels, the model makes {spec}")
        if image.tile_size:
            raise FormatError("the file is tiled, which this kind of model does not use")

    def tile_size(self, picture: Picture) -> int:
        """See `Coder.tile_size`."""
        del picture
        return 0

    def analyse(self, pictures: Sequence[Picture]) -> Iterator[Iterable[TileLatents]]:
        """See `Coder.analyse`."""
        return ([(0, one)] for one in self.latents_of(pictures))

    def latents_of(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Latents (batch, channels, rows, columns) of pictures of one size."""
        stride = self.file.latents.stride
        padded = np.stack([fitting.pad(picture.pixels, stride) for picture in pictures])
        values = np.ascontiguousarray(padded.transpose(0, 3, 1, 2), dtype=np.float32) / np.float32(255)
        return self.analysis.run(values)

    def encode(self, tiles: Iterable[TileLatents], quality: float, *, is_shown: bool = False) -> tuple[bytes, ...]:
        """See `Coder.encode`; decoding takes no time worth saving."""
        del is_shown
        whole = whole_quality(quality)
        return tuple(
            self._prior.encode(self._quantiser.to_symbols(latents[None], whole)[0], whole) for _, latents in tiles
        )

    def encode_batch(self, pictures: Sequence[Picture], quality: float) -> list[tuple[bytes, ...]]:
        """See `BatchCoder.encode_batch`."""
        whole = whole_quality(quality)
        symbols = self._quantiser.to_symbols(self.latents_of(pictures), whole)
        return [(payload,) for payload in self._prior.encode_batch(symbols, whole)]

    def decode(self, images: Sequence[ImageFile]) -> Iterator[NDArray[np.uint8]]:
        """See `Coder.decode`."""
        size = (images[0].height, images[0].width)
        latents = np.empty((len(images), self.file.latents.channels, *self.file.latents.grid(*size)), np.float32)
        qualities = np.array([image.quality for image in images])
        for quality in np.unique(qualities).tolist():
            places = np.flatnonzero(qualities == quality)
            latents[places] = self.codes_of([images[place].tiles[0] for place in places.tolist()], size, quality)
        for one in self._pixels_of(latents, size):
            yield one.copy()  # not a part of the batch, which it would keep alive

    def decode_batch(self, payloads: Sequence[bytes], size: tuple[int, int], quality: int) -> NDArray[np.uint8]:
        """See `BatchCoder.decode_batch`."""
        return self._pixels_of(self.codes_of(payloads, size, quality), size)

    def codes_of(self, payloads: Sequence[bytes], size: tuple[int, int], quality: int) -> NDArray[np.float32]:
        """(count, channels, rows, columns) latents of pictures of (height, width), as the synthesis takes them.

        Raises:
            FormatError: a payload that is none.
        """
        symbols = self._prior.decode_batch(payloads, self.file.latents.grid(*size), quality)
        return self._quantiser.to_latents(symbols, quality)

    def decode_region(self, image: ImageFile, region: Window) -> NDArray[np.uint8]:
        """See `Coder.decode_region`; the picture is one tile."""
        return next(self.decode([image]))[region.top : region.bottom, region.left : region.right]

    def symbols(self, image: ImageFile) -> list[NDArray[np.int32]]:
        """See `Coder.symbols`."""
        grid = self.file.latents.grid(image.height, image.width)
        return [self._prior.decode(image.tiles[0], grid, image.quality)]

    def pictures_of(self, latents: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pictures (count, rows, columns, channels) float32 in [0, 1] of latents, in batches."""
        parts = [
            np.clip(self.synthesis.run(latents[start : start + LATENTS_AT_ONCE]), 0, 1)
            for start in range(0, len(latents), LATENTS_AT_ONCE)
        ]
        return np.concatenate(parts).transpose(0, 2, 3, 1)

    def _pixels_of(self, latents: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
        """(count, rows, columns, channels)."""
        values = np.clip(self.synthesis.run(latents), 0, 1)
        values *= 255
        pixels = np.rint(values, out=values).astype(np.uint8).transpose(0, 2, 3, 1)
        return np.ascontiguousarray(pixels[:, : size[0], : size[1]])

    def _load(self, name: str) -> Graph:
        label, pixels = f"{self.file.name}: {name}", self._pixels[name]
        loaded = self._engine.load(self._graphs[name], name=label)
        return BoundedGraph(loaded, self.file.checked_graphs[name], name=label, pixels_per_position=pixels)
