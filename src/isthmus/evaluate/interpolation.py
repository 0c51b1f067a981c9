"""A walk between the codes of two pictures: what lies between them, as the model sees it."""

from __future__ import annotations

import io

import numpy as np

from isthmus.codec.model import Model
from isthmus.errors import UsageError
from isthmus.imaging.fitting import crop
from isthmus.values import Picture

STEPS = 9


def draw_interpolation(first: Picture, second: Picture, model: Model) -> bytes:
    """A PNG: nine pictures of codes on the straight line from the first picture's to the second's.

    Args:
        first: must be what the model takes.
        second: of the first's size and mode.
        model: makes codes and pictures.

    Raises:
        UsageError: the two differ in size or mode.
        ModelMismatchError: a picture that the model does not take.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if first.pixels.shape != second.pixels.shape:
        raise UsageError(f"a walk needs two pictures of one size and mode, not {first} and {second}: pass --fit")
    ends = model.latents(np.stack([first.pixels, second.pixels]))
    shares = np.linspace(0, 1, STEPS, dtype=np.float32)[:, None, None, None]
    walk = model.pictures_of((1 - shares) * ends[0] + shares * ends[1])
    figure = Figure(figsize=(1.15 * STEPS, 1.7), layout="constrained")
    for axis, share, values in zip(figure.subplots(1, STEPS), shares.ravel(), walk, strict=True):
        pixels = np.rint(values * np.float32(255)).astype(np.uint8)
        axis.imshow(crop(pixels, first.height, first.width).squeeze(), cmap="gray", vmin=0, vmax=255)
        axis.set(xticks=[], yticks=[])
        axis.set_xlabel(f"{share:.0%}", fontsize=8)
    out = io.BytesIO()
    FigureCanvasAgg(figure).print_png(out, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return out.getvalue()
