"""A plain autoencoder on the bench: pictures to codes, codes to pictures and bytes, samples and their map."""

from __future__ import annotations

import io
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isthmus.codec import pipeline
from isthmus.codec.model import Model
from isthmus.errors import MissingExtraError, ModelMismatchError, UsageError
from isthmus.imaging.fitting import crop, fit
from isthmus.imaging.noise import NoiseSettings, add_noise
from isthmus.imaging.reading import read_picture
from isthmus.learn.code_map import load_for_model, principal_plane, umap_points
from isthmus.sources.glyphs import SIDE, draw_glyphs
from isthmus.sources.picture_set import PictureSet
from isthmus.studio.folders import inside
from isthmus.studio.shelf import Shelf
from isthmus.values import Picture, PictureSpec

SAMPLES = 600
DIGITS = "0123456789"
BENCHES = 6
SPRITE_COLUMNS = 30
MOST_NUMBERS = 1 << 16
NEIGHBOURS = 6
"""Samples whose codes a point between them stands for, on a map that has no way back."""


@dataclass(frozen=True)
class Samples:
    """Pictures with their codes.

    Attributes:
        source: what they are of.
        pictures: (count, rows, columns, channels) uint8.
        labels: (count,), or None.
        codes: (count, numbers) float32.
    """

    source: str
    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    codes: NDArray[np.float32]


class Bench:
    """One model, at the size of the pictures that it was trained on.

    Args:
        model: a plain autoencoder.

    Raises:
        ModelMismatchError: it is none, or its codes are too large to be touched.
    """

    def __init__(self, model: Model) -> None:
        self.model, self.coder = model, model.factorised_coder
        spec, trained = model.file.picture, model.file.facts.get("recipe", {}).get("model", {})
        height, width = spec.size or (int(trained.get("height", 64)), int(trained.get("width", 64)))
        self.spec = PictureSpec(spec.channels, height, width)
        self.shape = (model.file.latents.channels, *model.file.latents.grid(height, width))
        self.numbers = math.prod(self.shape)
        if self.numbers > MOST_NUMBERS:
            raise ModelMismatchError(f"{model.name} has {self.numbers:,} numbers in a code, too many to touch")
        self._samples: dict[str, Samples] = {}
        self._maps: dict[tuple[str, str], NDArray[np.float32]] = {}
        self._planes: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    @property
    def noise(self) -> dict[str, Any]:
        """What the model learnt to remove; its kind is "none" where it learnt to give back what it sees."""
        noise = dict(self.model.file.facts.get("recipe", {}).get("noise", {}))
        return {"kind": noise.get("kind", "none"), "amount": noise.get("amount", 0.1)}

    @property
    def source(self) -> str:
        """The data that the model's recipe names, or nothing."""
        return str(self.model.file.facts.get("recipe", {}).get("data", {}).get("source", ""))

    def picture(self, pixels: bytes) -> Picture:
        """Raw bytes of the bench's size as a picture.

        Raises:
            UsageError: another number of bytes.
        """
        height, width = self.spec.size or (0, 0)
        if len(pixels) != height * width * self.spec.channels:
            raise UsageError(
                f"the model takes {height * width * self.spec.channels} bytes of pixels, not {len(pixels)}"
            )
        return Picture(np.frombuffer(pixels, np.uint8).reshape(height, width, self.spec.channels))

    def fitted(self, data: bytes) -> Picture:
        """A picture file, resized to the bench.

        Raises:
            InputError: not a picture.
        """
        picture = fit(read_picture(Path("picture"), depth=8, frame=0, data=data), self.spec)
        return Picture(picture.pixels)

    def code_of(self, picture: Picture) -> NDArray[np.float32]:
        """(numbers,) of a picture of the bench's size."""
        code: NDArray[np.float32] = pipeline.latents_of([picture], self.coder)[0].reshape(-1)
        return code

    def decode(self, code: NDArray[np.float32]) -> NDArray[np.uint8]:
        """(rows, columns, channels) uint8 of a code (numbers,), not quantised."""
        values = self.model.pictures_of(code.reshape(1, *self.shape))[0]
        pixels = np.rint(values * np.float32(255)).astype(np.uint8)
        height, width = self.spec.size or (0, 0)
        return np.ascontiguousarray(crop(pixels, height, width))

    def file_of(self, code: NDArray[np.float32], quality: float) -> bytes:
        """The .isth file of a code at a quality 1 to 100."""
        height, width = self.spec.size or (0, 0)
        blank = Picture(np.zeros((height, width, self.spec.channels), np.uint8))
        payload = self.coder.encode([(0, code.reshape(self.shape))], quality)
        return pipeline.to_file(blank, payload, self.coder, quality)

    def noisy(self, picture: Picture, kind: str, amount: float, seed: int) -> Picture:
        """The picture with noise on it."""
        random = np.random.default_rng(seed)
        return Picture(add_noise(picture.pixels[None], NoiseSettings(kind, amount), random)[0])

    def samples(self, source: str, data: Path | None) -> Samples:
        """Pictures to begin with, and where the codes of pictures lie.

        Args:
            source: "glyphs", "mnist", or a path below the data folder.
            data: that folder.

        Raises:
            IsthmusError: no such data, or of another size.
        """
        if source not in self._samples:
            found = self._load(source, data)
            codes = self.model.latents(found.pictures).reshape(len(found.pictures), -1)
            self._samples[source] = Samples(source, found.pictures, found.labels, codes)
        return self._samples[source]

    def map(self, source: str, data: Path | None, kind: str) -> NDArray[np.float32]:
        """(count, 2) points of the samples' codes: "pca", or "umap" where umap-learn is installed.

        Raises:
            MissingExtraError: it is not.
            UsageError: another kind.
        """
        if (source, kind) not in self._maps:
            codes = self.samples(source, data).codes
            if kind == "pca":
                middle, axes = self._plane(source, data)
                self._maps[source, kind] = ((codes - middle) @ axes.T).astype(np.float32)
            elif kind == "umap":
                try:
                    self._maps[source, kind] = umap_points(codes)
                except ImportError as error:
                    raise MissingExtraError(extra="maps", purpose="the UMAP map") from error
            else:
                raise UsageError(f"a map is pca or umap, not {kind[:40]!r}")
        return self._maps[source, kind]

    def code_at(self, source: str, data: Path | None, kind: str, x: float, y: float) -> NDArray[np.float32]:
        """The code that a point of the map stands for: on its plane, or between the samples around it."""
        codes = self.samples(source, data).codes
        if kind == "pca":
            middle, axes = self._plane(source, data)
            code: NDArray[np.float32] = (middle + x * axes[0] + y * axes[1]).astype(np.float32)
            return code
        points = self.map(source, data, kind)
        distance = np.hypot(points[:, 0] - x, points[:, 1] - y)
        near = np.argsort(distance)[:NEIGHBOURS]
        weights = 1 / (distance[near] + 1e-6) ** 2
        mixed: NDArray[np.float32] = (weights @ codes[near] / weights.sum()).astype(np.float32)
        return mixed

    def sprite(self, source: str, data: Path | None) -> bytes:
        """A PNG of all samples, `SPRITE_COLUMNS` in a row."""
        pictures = self.samples(source, data).pictures
        count, height, width, channels = pictures.shape
        rows = -(-count // SPRITE_COLUMNS)
        sheet = np.zeros((rows * SPRITE_COLUMNS, height, width, channels), np.uint8)
        sheet[:count] = pictures
        tiled = sheet.reshape(rows, SPRITE_COLUMNS, height, width, channels).transpose(0, 2, 1, 3, 4)
        flat = np.ascontiguousarray(tiled).reshape(rows * height, SPRITE_COLUMNS * width, channels)
        out = io.BytesIO()
        Image.fromarray(flat[:, :, 0] if channels == 1 else flat).save(out, "PNG")
        return out.getvalue()

    def _plane(self, source: str, data: Path | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if source not in self._planes:
            self._planes[source] = principal_plane(self.samples(source, data).codes)
        return self._planes[source]

    def _load(self, source: str, data: Path | None) -> PictureSet:
        if source == "glyphs":
            if self.spec != PictureSpec(1, SIDE, SIDE):
                raise ModelMismatchError(f"drawn digits are {SIDE}×{SIDE} grey, {self.model.name} takes {self.spec}")
            return draw_glyphs(DIGITS, SAMPLES, seed=1)
        return load_for_model(self.model, source if source == "mnist" else str(inside(data, source)), count=SAMPLES)


class Workbench:
    """The benches that are set up.

    Args:
        shelf: where the models are.
        data: the folder of this machine that pages may see, or None.
    """

    def __init__(self, shelf: Shelf, data: Path | None) -> None:
        self._shelf, self.data, self._lock = shelf, data, threading.Lock()
        self._benches: OrderedDict[tuple[str, bytes], Bench] = OrderedDict()

    def bench(self, key: str) -> Bench:
        """The bench of a model; a run that trained anew has a new one.

        Raises:
            NotThereError: no such model.
            ModelMismatchError: not a plain one.
        """
        model = self._shelf.load(key)
        with self._lock:
            found = self._benches.get((key, model.id))
        found = found or Bench(model)
        with self._lock:
            self._benches[key, model.id] = found
            self._benches.move_to_end((key, model.id))
            while len(self._benches) > BENCHES:
                self._benches.popitem(last=False)
        return found
