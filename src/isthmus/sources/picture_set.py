"""Pictures of one size in memory, and what makes arrays of any kind such pictures and their labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.values import MODE_NAMES

LARGEST_LABEL = 2**32 - 1


@dataclass(frozen=True)
class PictureSet:
    """Pictures in memory.

    Attributes:
        pictures: (count, rows, columns, channels) uint8.
        labels: (count,) integers, or None where the data has none.
    """

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.pictures)

    def __repr__(self) -> str:
        """How many of what size, and whether they are labelled."""
        count, rows, columns, channels = self.pictures.shape
        labels = "" if self.labels is None else f", {len(np.unique(self.labels))} classes"
        return f"<PictureSet of {count} {columns}×{rows} {MODE_NAMES[channels]} pictures{labels}>"


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


def as_labels(array: NDArray[np.generic], count: int, *, name: str) -> NDArray[np.int64]:
    """Labels (count,) or (count, 1) as integers from 0.

    Raises:
        InputError: another shape, text, fractions, infinity, negative or huge ones.
    """
    if array.shape not in ((count,), (count, 1)):
        raise InputError(f"{name} has labels of shape {array.shape} for {count} pictures")
    flat = array.reshape(count)
    if flat.dtype.kind not in "iubf":
        raise InputError(f"{name} has labels of type {flat.dtype}, not whole numbers from 0")
    numbers = flat.astype(np.float64)
    is_whole = np.isfinite(numbers) & (numbers == np.floor(numbers)) & (numbers >= 0) & (numbers <= LARGEST_LABEL)
    if not is_whole.all():
        raise InputError(f"{name} has a label {flat[~is_whole][0]}: they are whole numbers from 0 to {LARGEST_LABEL}")
    return flat.astype(np.int64)
