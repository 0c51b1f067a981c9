"""Sizes that the transforms, the tiles and the training of hyperprior codecs agree on, in pixels."""

from __future__ import annotations

from isthmus.imaging.windows import Window

KIND = "hyperprior"
"""Of model files."""
BLOCK = 16
"""Pixels per latent position in each direction."""
SQUARE = 8
"""Pixels, in each direction, of the squares that the synthesis ends in."""
HYPER_BLOCK = 64
"""Pixels per hyper-latent position: pictures are padded to multiples of it, or of BLOCK, as their model has it."""
ONE_TILE = 1024
"""Pictures with no side longer than this are one tile."""
TILE = 512
"""Side of the tiles of larger pictures; a multiple of HYPER_BLOCK."""
PIECE = (512, 1024)
"""Rows and columns that go through a transform at once: what bounds its memory."""


def padded(height: int, width: int, unit: int = HYPER_BLOCK) -> Window:
    """The window of a picture whose sides are padded to multiples of a model's unit."""
    return Window(0, 0, height, width).divided(unit).times(unit)
