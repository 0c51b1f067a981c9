"""The tiles of one file, decoded when they are needed and forgotten behind the last window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from isthmus.codec.hyperprior.just_coded import JustCoded
from isthmus.codec.hyperprior.layout import BLOCK, padded
from isthmus.container.image_file import ImageFile
from isthmus.entropy.fixed_point import Float32
from isthmus.entropy.hyperprior import Hyperprior
from isthmus.errors import FormatError
from isthmus.imaging.windows import Window, cut

RunWithPriors = Callable[[Callable[[Hyperprior, int], Float32], Iterable[int]], Iterator[Float32]]
"""Runs some work for each of many tile numbers, several at a time, each with an entropy model of its own."""


class Tiles:
    """Latents of any window of a picture's grid.

    Args:
        image: checked by `HyperpriorCoder.check`.
        channels: of the latents.
        unit: pixels to whose multiples the model pads pictures.
        run_with_priors: see `RunWithPriors`.
        just_coded: what some payloads decode to, which needs no decoding.
    """

    def __init__(
        self, image: ImageFile, channels: int, unit: int, run_with_priors: RunWithPriors, just_coded: JustCoded
    ) -> None:
        whole = padded(image.height, image.width, unit)
        side = image.tile_size or max(whole.height, whole.width)
        self._image, self._channels, self._run_with_priors = image, channels, run_with_priors
        self._just_coded = just_coded
        self.grid = whole.divided(BLOCK)
        self._windows = [tile.divided(BLOCK) for tile in cut(whole, side, side)]
        self._decoded: dict[int, Float32] = {}

    def tile(self, prior: Hyperprior, number: int) -> Float32:
        """(channels, rows, columns) of one tile, in 64ths of a quantisation step; zeros where it is missing."""
        window = self._windows[number]
        if number in self._image.missing:
            return np.zeros((self._channels, window.height, window.width), np.float32)
        key = (self._image.tiles[number], (window.height, window.width), self._image.quality)
        known = self._just_coded.get(key)
        if known is not None:
            return known
        try:
            return prior.decode(*key)
        except FormatError as error:
            raise FormatError(f"tile {number}: {error}") from error

    def latents(self, wanted: Window) -> Float32:
        """(channels, rows, columns) of a window of the grid, in 64ths of a quantisation step.

        Windows come row by row: tiles above the wanted one are forgotten.
        """
        if self._windows == [wanted]:  # nothing to put together
            (only,) = self._run_with_priors(self.tile, [0])
            return only
        parts = {number: window.overlap(wanted) for number, window in enumerate(self._windows)}
        new = [number for number, part in parts.items() if part is not None and number not in self._decoded]
        self._decoded.update(zip(new, self._run_with_priors(self.tile, new), strict=True))
        values = np.empty((self._channels, wanted.height, wanted.width), np.float32)
        for number, part in parts.items():
            window = self._windows[number]
            if part is not None:
                values[:, *part.inside(wanted)] = self._decoded[number][:, *part.inside(window)]
            elif window.bottom <= wanted.top:
                self._decoded.pop(number, None)
        return values
