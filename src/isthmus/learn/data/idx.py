"""Labelled pictures from IDX files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from isthmus.errors import InputError
from isthmus.imaging.idx import read_idx
from isthmus.learn.data.pictures import PictureSet


def read_idx_pictures(pictures: Path, labels: Path | None) -> PictureSet:
    """Pictures (count, rows, columns) with their labels where there are some."""
    array = read_idx(pictures)
    if array.ndim != 3 or array.size == 0:
        raise InputError(f"{pictures} holds an array of shape {array.shape}, not (count, rows, columns)")
    names = read_idx(labels).astype(np.int64) if labels is not None and labels.is_file() else None
    if names is not None and names.shape != array.shape[:1]:
        raise InputError(f"{labels} has {names.size} labels for {len(array)} pictures")
    return PictureSet(array[:, :, :, None], names)


def labels_beside(pictures: Path) -> Path | None:
    """Where MNIST's convention has the labels of a file of pictures; None for a name outside of it."""
    name = pictures.name.replace("images", "labels").replace("idx3", "idx1")
    return pictures.with_name(name) if name != pictures.name else None
