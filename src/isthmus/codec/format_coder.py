"""Pictures that are coded in the formats of others: in each tile a whole lossless WebP, or a whole AVIF."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus.container.image_file import ImageFile
from isthmus.errors import FormatError
from isthmus.imaging import foreign
from isthmus.imaging.windows import Window, cut

ONE_TILE = 8192
"""Longest side of a picture in one tile."""
TILE = 4096
SMALLEST_TILE = 1024

Pixels = NDArray[np.uint8]


def tile_size(height: int, width: int) -> int:
    """Side of the tiles of a picture, in pixels; 0 for one tile."""
    return 0 if max(height, width) <= ONE_TILE else TILE


def encode_exactly(pixels: Pixels, alpha: Pixels | None, *, keep_hidden: bool) -> tuple[bytes, ...]:
    """Tiles of lossless WebP; see `foreign.encode_webp`."""
    return tuple(
        foreign.encode_webp(pixels[tile], None if alpha is None else alpha[tile], keep_hidden=keep_hidden)
        for tile in _tiles(pixels)
    )


def encode_as_avif(pixels: Pixels, alpha: Pixels | None, quality: int) -> tuple[bytes, ...]:
    """Tiles of AVIF; see `foreign.encode_avif`."""
    return tuple(
        foreign.encode_avif(pixels[tile], None if alpha is None else alpha[tile], quality) for tile in _tiles(pixels)
    )


def decode_region(image: ImageFile, region: Window) -> tuple[Pixels, Pixels | None]:
    """A part of a picture, (rows, columns, channels), and its alpha where the tiles hold it.

    Only the tiles that it needs are decoded; missing ones are left blank.

    Raises:
        FormatError: a tile that is not what the file announces.
        UnsupportedVersionError: AVIF, which this Pillow cannot read.
    """
    name, side = image.format or "", image.tile_size or max(image.height, image.width)
    if image.tile_size and not SMALLEST_TILE <= side <= foreign.LONGEST_SIDE:
        raise FormatError(
            f"the file announces tiles of {side} pixels, not of {SMALLEST_TILE} to {foreign.LONGEST_SIDE}"
        )
    pixels = np.zeros((region.height, region.width, image.channels), np.uint8)
    alpha = np.zeros((region.height, region.width), np.uint8) if image.alpha_inside else None
    for number, tile in enumerate(cut(Window(0, 0, image.height, image.width), side, side)):
        part = tile.overlap(region)
        if part is None or number in image.missing:
            continue
        shape = (tile.height, tile.width, image.channels)
        colours, opacity = foreign.decode(image.tiles[number], name, shape, alpha=image.alpha_inside)
        pixels[part.inside(region)] = colours[part.inside(tile)]
        if alpha is not None and opacity is not None:
            alpha[part.inside(region)] = opacity[part.inside(tile)]
    return pixels, alpha


def _tiles(pixels: Pixels) -> list[tuple[slice, slice]]:
    """Rows and columns of each tile, row by row."""
    whole = Window(0, 0, *pixels.shape[:2])
    side = tile_size(whole.height, whole.width) or max(whole.height, whole.width)
    return [tile.inside(whole) for tile in cut(whole, side, side)]
