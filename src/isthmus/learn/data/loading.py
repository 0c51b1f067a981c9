"""Finds out what `--data` names, and loads it at the size and mode that the model takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError, IsthmusError, ModelMismatchError
from isthmus.imaging.fitting import fit
from isthmus.imaging.reading import find_pictures, read_picture
from isthmus.learn.data.glyphs import draw_glyphs
from isthmus.learn.data.idx import labels_beside, read_idx_pictures
from isthmus.learn.data.mnist import fetch_mnist
from isthmus.learn.data.pictures import PictureSet, Split, split
from isthmus.learn.recipes.settings import DataSettings
from isthmus.values import MODE_NAMES, PictureSpec

IDX_TRAIN, IDX_TEST = "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"
_TEST_SHARE = 6  # one drawn test picture for this many training pictures, as MNIST has


def load_data(source: str, settings: DataSettings, spec: PictureSpec, *, seed: int) -> Split:
    """Load a data set.

    Args:
        source: "glyphs", "mnist", a folder of pictures or IDX files, an IDX file, or a .npy or .npz file.
        settings: what to draw, and how much to hold out.
        spec: what the model takes; pictures of a folder are fitted to it, other data must have it.
        seed: of what is drawn and of what is held out.

    Raises:
        InputError: missing, empty, unreadable.
        ModelMismatchError: data of another size or mode.
    """
    if source == "glyphs":
        count = settings.count
        data = Split(
            draw_glyphs(settings.characters, count, seed=2 * seed),
            draw_glyphs(settings.characters, max(1, count // _TEST_SHARE), seed=2 * seed + 1),
            "glyphs",
        )
    elif source == "mnist":
        data = _idx_folder(fetch_mnist())
    else:
        data = _from_path(Path(source), settings, spec, seed)
    shape = data.train.pictures.shape[1:]
    if len(data.train) == 0 or len(data.test) == 0:
        raise InputError(f"{source} has no pictures to learn from or none to measure on")
    if (spec.size is not None and shape[:2] != spec.size) or shape[2] != spec.channels:
        raise ModelMismatchError(
            f"{source} has {shape[1]}×{shape[0]} {MODE_NAMES.get(shape[2], '')} pictures, the recipe takes {spec}: "
            f"{' '.join(_that_fit(shape, settings))} would fit"
        )
    return data


def _that_fit(shape: tuple[int, ...], settings: DataSettings) -> list[str]:
    """The settings of a recipe for pictures of a shape (rows, columns, channels)."""
    rows, columns, channels = shape
    if settings.side:
        size = [f"--set data.side={rows}"] if rows == columns else ["square pictures, with"]
    else:
        size = [f"--set model.height={rows}", f"--set model.width={columns}"]
    return [*size, f"--set model.channels={channels}"]


def _from_path(path: Path, settings: DataSettings, spec: PictureSpec, seed: int) -> Split:
    if path.is_dir():
        if _idx_file(path, IDX_TRAIN) is not None:
            return _idx_folder(path)
        return _picture_folder(path, settings, spec, seed)
    if not path.exists():
        raise InputError(
            f"no data {str(path)!r}: it is neither 'glyphs' nor 'mnist', and no such file or folder exists: "
            "name the folder that holds it with --data"
        )
    if path.suffix in (".npy", ".npz"):
        pictures, labels = _numpy_arrays(path)
        return split(PictureSet(pictures, labels), held_out=settings.held_out, seed=seed, source=str(path))
    pictures_and_labels = read_idx_pictures(path, labels_beside(path))
    return split(pictures_and_labels, held_out=settings.held_out, seed=seed, source=str(path))


def _idx_folder(folder: Path) -> Split:
    parts = []
    for stem in (IDX_TRAIN, IDX_TEST):
        path = _idx_file(folder, stem)
        if path is None:
            raise InputError(f"{folder} has no {stem} or {stem}.gz")
        parts.append(read_idx_pictures(path, labels_beside(path)))
    return Split(parts[0], parts[1], str(folder))


def _idx_file(folder: Path, stem: str) -> Path | None:
    for name in (stem, f"{stem}.gz", stem.replace("-idx3", ".idx3")):
        if (folder / name).is_file():
            return folder / name
    return None


def _picture_folder(folder: Path, settings: DataSettings, spec: PictureSpec, seed: int) -> Split:
    """All pictures below a folder; its subfolders train and test, where it has both, are its split."""
    if (folder / "train").is_dir() and (folder / "test").is_dir():
        (train, lost, resized), (test, *more) = (_read_all(folder / part, spec) for part in ("train", "test"))
        return Split(train, test, str(folder), colours_lost=lost + more[0], resized=resized + more[1])
    pictures, lost, resized = _read_all(folder, spec)
    data = split(pictures, held_out=settings.held_out, seed=seed, source=str(folder))
    return replace(data, colours_lost=lost, resized=resized)


def _read_all(folder: Path, spec: PictureSpec) -> tuple[PictureSet, int, int]:
    """The pictures below a folder, how many lost their colours, and how many were of another size."""
    paths = find_pictures(folder)
    if not paths:
        raise InputError(f"{folder} has no pictures")
    pictures: list[NDArray[np.uint8]] = []
    failures: list[IsthmusError] = []
    lost = resized = 0
    for path in paths:
        try:
            picture = read_picture(path, depth=8, frame=0)
            pictures.append(fit(picture, spec).pixels)
            lost += picture.channels > spec.channels
            resized += spec.size is not None and (picture.height, picture.width) != spec.size
        except IsthmusError as error:
            failures.append(error)
    if not pictures or len(failures) > len(paths) // 2:
        raise InputError(f"{len(failures)} of {len(paths)} pictures in {folder} cannot be read: {failures[0]}")
    return PictureSet(np.stack(pictures), _folder_labels(folder, paths) if not failures else None), lost, resized


def _folder_labels(folder: Path, paths: Sequence[Path]) -> NDArray[np.int64] | None:
    """Subfolders as classes, the common convention; None where the pictures lie in one folder."""
    names = [path.relative_to(folder).parts[0] if path.parent != folder else "" for path in paths]
    classes = sorted(set(names))
    return np.array([classes.index(name) for name in names], np.int64) if len(classes) > 1 else None


def _numpy_arrays(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    """Pictures and labels of a NumPy file: .npz with "pictures" or "x_train", or its first array of pictures."""
    try:
        loaded = np.load(path, allow_pickle=False)
        arrays = (
            {"pictures": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
        )
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise InputError(f"{path} is not a NumPy file, or it is damaged: {error}") from error
    candidates = [arrays[name] for name in ("pictures", "x_train", "images") if name in arrays] or list(arrays.values())
    labels = next((arrays[name] for name in ("labels", "y_train") if name in arrays), None)
    if not candidates:
        raise InputError(f"{path} holds no arrays")
    pictures = as_uint8(candidates[0], name=str(path))
    if labels is not None and labels.shape != pictures.shape[:1]:
        raise InputError(f"{path} has labels of shape {labels.shape} for {len(pictures)} pictures")
    return pictures, labels.astype(np.int64) if labels is not None else None


def as_uint8(array: NDArray[np.generic], *, name: str) -> NDArray[np.uint8]:
    """Pictures (count, rows, columns[, channels]), whole numbers up to 255 or floats in [0, 1], with a channel axis.

    Raises:
        InputError: another type, shape or range.
    """
    if array.ndim == 3:
        array = array[:, :, :, None]
    if array.ndim != 4 or array.shape[3] not in MODE_NAMES or array.size == 0:
        raise InputError(f"{name} has the shape {array.shape}, not (count, rows, columns) or (count, rows, columns, 3)")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array, np.uint8)
    if array.dtype.kind == "f":
        values = array.astype(np.float32)
        if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
            raise InputError(f"{name} has floats outside [0, 1]: scale them first")
        return np.rint(values * 255).astype(np.uint8)
    if array.dtype.kind in "iu":
        if array.min() < 0 or array.max() > 255:
            raise InputError(f"{name} has whole numbers from {array.min()} to {array.max()}, not 0 to 255")
        return array.astype(np.uint8)
    raise InputError(f"{name} has values of type {array.dtype}, not whole numbers up to 255 or floats in [0, 1]")
