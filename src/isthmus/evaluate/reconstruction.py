"""The figure that people expect of an autoencoder: originals, their codes drawn as pictures, and what comes back."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.model import Model
from isthmus.metrics.distortion import psnr
from isthmus.values import Picture

MAX_COLUMNS = 12
_COLUMN_INCHES = 1.15


def draw_reconstructions(pictures: Sequence[Picture], model: Model, *, quality: int | None = None) -> bytes:
    """A PNG with three rows: originals, codes, and the pictures that come back from real files.

    Args:
        pictures: at most `MAX_COLUMNS` are drawn; each must be what the model takes.
        model: encodes and decodes them.
        quality: 1 to 100; None is the model's default.

    Raises:
        ModelMismatchError: a picture that the model does not take.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = list(pictures[:MAX_COLUMNS])
    files = model.encode_batch(shown, quality=quality)
    decoded = model.decode_batch(files)
    codes = [model.latents(picture.pixels[None])[0] for picture in shown]
    figure = Figure(figsize=(max(4.0, _COLUMN_INCHES * len(shown) + 0.9), 4.3), layout="constrained")
    axes = figure.subplots(3, len(shown), squeeze=False)
    for column, (picture, code, back, file) in enumerate(zip(shown, codes, decoded, files, strict=True)):
        for row, values in enumerate((picture.pixels.squeeze(), as_drawing(code), back)):
            axis = axes[row, column]
            colours = "viridis" if row == 1 else "gray"
            axis.imshow(values, cmap=colours, interpolation="nearest", **({} if row == 1 else {"vmin": 0, "vmax": 255}))
            axis.set_xticks([])
            axis.set_yticks([])
        plain = picture.pixels.squeeze()
        axes[2, column].set_xlabel(f"{psnr(plain, back):.1f} dB\n{len(file)} bytes", fontsize=8)
    for row, name in enumerate(("original", f"code ({codes[0].size})", "decoded")):
        axes[row, 0].set_ylabel(name, fontsize=9)
    out = io.BytesIO()
    FigureCanvasAgg(figure).print_png(out, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return out.getvalue()


def as_drawing(code: NDArray[np.float32]) -> NDArray[np.float32]:
    """A code (channels, rows, columns) as one grey picture.

    One position: its numbers as the squarest rectangle. Several: the channels' maps side by side in a grid. Empty
    places hold NaN, which is drawn blank.
    """
    channels, rows, columns = code.shape
    across = _squarest(channels) if rows * columns == 1 else math.ceil(math.sqrt(channels))
    down = math.ceil(channels / across)
    gap = 0 if rows * columns == 1 else 1
    drawing = np.full((down * (rows + gap) - gap, across * (columns + gap) - gap), np.nan, np.float32)
    for index, channel in enumerate(code):
        top, left = (index // across) * (rows + gap), (index % across) * (columns + gap)
        drawing[top : top + rows, left : left + columns] = channel
    return drawing


def _squarest(count: int) -> int:
    """Width of the squarest full rectangle of `count` cells, at least as wide as high; else the root, rounded up."""
    for width in range(math.ceil(math.sqrt(count)), count + 1):
        if count % width == 0:
            return width if width <= 4 * (count // width) else math.ceil(math.sqrt(count))
    return count
