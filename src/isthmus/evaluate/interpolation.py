"""A walk between the codes of two pictures: what lies between them, as the model sees it."""

from __future__ import annotations

import numpy as np

from isthmus.codec.model import Model
from isthmus.errors import UsageError
from isthmus.evaluate.picture_grid import Row, as_cell, columns_for, draw_grid
from isthmus.imaging.fitting import crop
from isthmus.values import Picture

STEPS = 9


def draw_interpolation(
    first: Picture, second: Picture, model: Model, *, size: int | None = None, form: str = "png"
) -> bytes:
    """Nine pictures of codes on the straight line from the first picture's to the second's.

    Args:
        first: must be what the model takes.
        second: of the first's size and mode.
        model: makes codes and pictures.
        size: pixels of a picture's longer side; None is the picture's own, from 112 to 512.
        form: "png", "svg" or "pdf".

    Raises:
        UsageError: the two differ in size or mode.
        ModelMismatchError: a picture that the model does not take.
    """
    if first.pixels.shape != second.pixels.shape:
        raise UsageError(f"a walk needs two pictures of one size and mode, not {first} and {second}: pass --fit")
    ends = model.latents(np.stack([first.pixels, second.pixels]))
    shares = np.linspace(0, 1, STEPS, dtype=np.float32)[:, None, None, None]
    walk = np.rint(model.pictures_of((1 - shares) * ends[0] + shares * ends[1]) * np.float32(255)).astype(np.uint8)
    cells = tuple(as_cell(crop(pixels, first.height, first.width), size) for pixels in walk)
    captions = tuple(f"{share:.1%}".replace(".0", "") for share in shares.ravel())
    title = f"{model.name}: from the first picture's code to the second's"
    return draw_grid([Row("", cells, captions)], form=form, title=title, columns=columns_for(cells))
