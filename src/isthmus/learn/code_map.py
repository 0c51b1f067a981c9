"""The map of a model's codes: each test picture's code as one point in the plane, coloured by its label."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.model import Model
from isthmus.errors import InputError, UsageError
from isthmus.evaluate.figure_file import figure_bytes, new_figure
from isthmus.evaluate.picture_grid import as_cell
from isthmus.learn.data.loading import load_data
from isthmus.learn.recipes.loading import recipe_from_table
from isthmus.learn.recipes.settings import DataSettings
from isthmus.sources.picture_set import PictureSet
from isthmus.values import PictureSpec

MAX_CLASSES = 20  # more colours than that nobody tells apart
THUMBNAILS = 16
"""Thumbnails along each side of a map at most."""
_THUMBNAIL_PIXELS, _THUMBNAIL_POINTS = 56, 22


def load_for_model(model: Model, source: str, *, count: int | None = None, seed: int = 0) -> PictureSet:
    """The test pictures of a data set, all or the first `count`, at the size that the model was trained on.

    Raises:
        InputError: no such data.
        ModelMismatchError: data that the model does not take.
        UsageError: fewer than three pictures asked for, or a model of any size without a recipe.
    """
    if count is not None and count < 3:
        raise UsageError(f"a map needs three pictures or more, not {count}")
    spec, table = model.file.picture, model.file.facts.get("recipe")
    if spec.size is None:
        if not table:
            raise UsageError(f"{model.name} takes any size and names no recipe: its codes cannot be compared")
        trained = recipe_from_table(table).model
        spec = PictureSpec(trained.channels, trained.height, trained.width)
    test = load_data(source, DataSettings(), spec, seed=seed).test
    labels = test.labels[:count] if test.labels is not None else None
    return PictureSet(test.pictures[:count], labels)


def draw_map(model: Model, data: PictureSet, *, form: str = "png") -> bytes:
    """The codes' first two principal components, and UMAP's map beside it where umap-learn is installed.

    Points in the colours of their labels where there are labels; else the pictures themselves, where they fit.

    Args:
        model: makes the codes.
        data: pictures of one size.
        form: "png", "svg" or "pdf".

    Raises:
        InputError: fewer than three pictures.
    """
    if len(data) < 3:
        raise InputError(f"a map needs three pictures or more, the data has {len(data)}")
    codes = model.latents(data.pictures).reshape(len(data), -1)
    plane = principal_components(codes)
    share = float(plane.var(axis=0).sum() / max(float(codes.var(axis=0).sum()), 1e-12))
    maps = {f"first two principal components, {share:.0%} of the variance": plane}
    if importlib.util.find_spec("umap") is not None:
        maps["UMAP"] = umap_points(codes)
    figure = new_figure(6.6 * len(maps), 6.0)
    figure.suptitle(f"{model.name}: codes of {len(data):,} pictures", fontsize=11)
    for axis, (title, points) in zip(figure.subplots(1, len(maps), squeeze=False)[0], maps.items(), strict=True):
        _draw_points(axis, points, data)
        axis.set_title(title, fontsize=10)
        axis.set(xticks=[], yticks=[])
    return figure_bytes(figure, form)


def _draw_points(axis: Any, points: NDArray[np.float32], data: PictureSet) -> None:
    classes = np.unique(data.labels) if data.labels is not None else np.array([])
    size = max(1.5, min(8.0, 20_000 / len(points)))
    if 0 < len(classes) <= MAX_CLASSES:
        for index, label in enumerate(classes):
            chosen = points[data.labels == label]
            colour = f"C{index}" if len(classes) <= 10 else None
            axis.scatter(*chosen.T, s=size, linewidths=0, color=colour, label=str(label))
        axis.legend(markerscale=4 / size**0.5, fontsize=9, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        return
    axis.scatter(*points.T, s=size, linewidths=0, color="0.75")
    for place in spread_out(points):
        _draw_thumbnail(axis, points[place], data.pictures[place])


def spread_out(points: NDArray[np.float32]) -> list[int]:
    """Which points (count, 2) get a thumbnail: the first in each field of a grid, so that few cover another."""
    low, high = points.min(axis=0), points.max(axis=0)
    fields = np.floor((points - low) / np.maximum(high - low, 1e-12) * (THUMBNAILS - 1) + 0.5).astype(int)
    first: dict[tuple[int, ...], int] = {}
    for place, field in enumerate(fields.tolist()):
        first.setdefault(tuple(field), place)
    return list(first.values())


def _draw_thumbnail(axis: Any, point: NDArray[np.float32], picture: NDArray[np.uint8]) -> None:
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    cell = as_cell(picture, _THUMBNAIL_PIXELS)
    image = OffsetImage(cell, zoom=_THUMBNAIL_POINTS / max(cell.shape[:2]))
    axis.add_artist(AnnotationBbox(image, tuple(point), frameon=False, pad=0))


def principal_components(codes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(count, 2) coordinates of codes (count, numbers) along the two directions of largest variance."""
    middle, axes = principal_plane(codes)
    points: NDArray[np.float32] = ((codes - middle) @ axes.T).astype(np.float32)
    return points


def principal_plane(codes: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean (numbers,) of codes (count, numbers), and the two directions (2, numbers) of largest variance.

    The second one is zero where a code is one number.
    """
    middle = codes.mean(axis=0, dtype=np.float64)
    _, _, directions = np.linalg.svd(codes.astype(np.float64) - middle, full_matrices=False)
    axes = np.zeros((2, codes.shape[1]))
    axes[: len(directions[:2])] = directions[:2]
    return middle, axes


def umap_points(codes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(count, 2) coordinates of codes (count, numbers) on UMAP's map.

    Raises:
        ImportError: umap-learn is not installed.
    """
    neighbours = min(15, len(codes) - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TensorFlow is missing for what is not used, and its own deprecations
        import umap

        points: NDArray[np.float32] = umap.UMAP(random_state=0, n_neighbors=neighbours, n_jobs=1).fit_transform(codes)
    return points
