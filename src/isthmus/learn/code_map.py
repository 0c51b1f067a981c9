"""The map of a model's codes: each test picture's code as one point in the plane, coloured by its label."""

from __future__ import annotations

import importlib.util
import io
import warnings

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.model import Model
from isthmus.errors import InputError, UsageError
from isthmus.learn.data.loading import load_data
from isthmus.learn.recipes.loading import recipe_from_table
from isthmus.learn.recipes.settings import DataSettings
from isthmus.sources.picture_set import PictureSet
from isthmus.values import PictureSpec

MAX_CLASSES = 20  # more colours than that nobody tells apart


def load_for_model(model: Model, source: str, *, count: int, seed: int = 0) -> PictureSet:
    """The first test pictures of a data set, at the size that the model was trained on.

    Raises:
        InputError: no such data.
        ModelMismatchError: data that the model does not take.
        UsageError: fewer than three pictures asked for, or a model of any size without a recipe.
    """
    if count < 3:
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


def draw_map(model: Model, data: PictureSet) -> bytes:
    """A PNG with the codes' first two principal components, and UMAP's map beside it where umap-learn is installed.

    Raises:
        InputError: fewer than three pictures.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if len(data) < 3:
        raise InputError(f"a map needs three pictures or more, the data has {len(data)}")
    codes = model.latents(data.pictures).reshape(len(data), -1)
    maps = {"first two principal components": principal_components(codes)}
    if importlib.util.find_spec("umap") is not None:
        maps["UMAP"] = umap_points(codes)
    figure = Figure(figsize=(6.2 * len(maps), 5.4), layout="constrained")
    classes = np.unique(data.labels) if data.labels is not None else np.array([])
    for axis, (title, points) in zip(figure.subplots(1, len(maps), squeeze=False)[0], maps.items(), strict=True):
        if 0 < len(classes) <= MAX_CLASSES:
            for index, label in enumerate(classes):
                chosen = points[data.labels == label]
                axis.scatter(*chosen.T, s=5, color=f"C{index}" if len(classes) <= 10 else None, label=str(label))
            axis.legend(markerscale=3, fontsize=8)
        else:
            axis.scatter(*points.T, s=5)
        axis.set(title=f"{model.name}: {title}", xticks=[], yticks=[])
    out = io.BytesIO()
    FigureCanvasAgg(figure).print_png(out, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return out.getvalue()


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
