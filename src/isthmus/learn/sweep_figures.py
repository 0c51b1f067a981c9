"""The figures of a sweep: PSNR against the setting and against bytes; the same pictures from each of its models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isthmus.codec.model import Model
from isthmus.evaluate.figure_file import figure_bytes, new_figure
from isthmus.evaluate.picture_grid import Row, as_cell, draw_grid
from isthmus.metrics.distortion import psnr
from isthmus.values import Picture


@dataclass(frozen=True)
class SweepPoint:
    """One finished run.

    Attributes:
        value: of the setting, as text.
        psnr: in dB, of the network's reconstructions.
        bytes_per_image: of whole files.
        reduction: share of a picture's numbers that the code leaves out; None where the setting is not the code's size.
    """

    value: str
    psnr: float
    bytes_per_image: float
    reduction: float | None = None

    @property
    def label(self) -> str:
        """The value, with the reduction in percent where there is one."""
        return self.value if self.reduction is None else f"{self.value} ({100 * self.reduction:.0f} %)"


def draw_sweep(name: str, key: str, points: Sequence[SweepPoint], *, form: str = "png") -> bytes:
    """Numbers on an axis of their own scale, a code's size on a logarithmic one, words side by side."""
    figure = new_figure(9.5, 3.8)
    left, right = figure.subplots(1, 2)
    try:
        placed = sorted((float(point.value), point) for point in points)
        left.plot([value for value, _ in placed], [point.psnr for _, point in placed], "o-")
        if all(point.reduction is not None for point in points):
            left.set_xscale("log")
            left.minorticks_off()
        ticks = [point.label.replace(" (", "\n(") for _, point in placed]
        left.set_xticks([value for value, _ in placed], ticks, fontsize=8)
    except (ValueError, TypeError):
        left.plot([point.value for point in points], [point.psnr for point in points], "o")
    left.set(xlabel=f"{key} (numbers left out)" if points[0].reduction is not None else key)
    left.set(ylabel="PSNR in dB, test pictures", title=name)
    right.plot([point.bytes_per_image for point in points], [point.psnr for point in points], "o")
    for point in points:
        right.annotate(
            point.label, (point.bytes_per_image, point.psnr), xytext=(0, 6), textcoords="offset points", fontsize=8,
            ha="center",
        )  # fmt: skip
    right.margins(0.18)
    right.set(xlabel="bytes a picture, whole file", ylabel="PSNR in dB", title="rate")
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(visible=True, alpha=0.2)
    return figure_bytes(figure, form)


def draw_sweep_pictures(
    name: str, pictures: Sequence[Picture], models: Sequence[tuple[str, Model]], *, form: str = "png"
) -> bytes:
    """One column of originals, and one for each model, from real files at its default quality.

    Args:
        name: of the recipe.
        pictures: what every one of the models takes.
        models: label and model.
        form: "png", "svg" or "pdf".

    Raises:
        ModelMismatchError: a model does not take a picture.
    """
    cells = [[as_cell(picture.pixels)] for picture in pictures]
    captions = [[""] for _ in pictures]
    for _, model in models:
        files = model.encode_batch(list(pictures))
        for place, (picture, file) in enumerate(zip(pictures, files, strict=True)):
            back = model.decode(file).reshape(picture.pixels.shape)
            cells[place].append(as_cell(back))
            captions[place].append(f"{psnr(picture.pixels, back):.1f} dB, {len(file):,} bytes")
    rows = [Row("", tuple(row), tuple(below)) for row, below in zip(cells, captions, strict=True)]
    return draw_grid(rows, form=form, title=name, headings=["original", *(label for label, _ in models)])
