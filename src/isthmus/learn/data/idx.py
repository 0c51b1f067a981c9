"""IDX files, plain or gzipped: the format of MNIST (http://yann.lecun.com/exdb/mnist, "The IDX file format")."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.learn.data.pictures import PictureSet

_UNSIGNED_BYTE = 0x08
MAX_BYTES = 4 << 30


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of an IDX file of unsigned bytes.

    Raises:
        InputError: missing, another type of values, or not as long as its header says.
    """
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            with gzip.open(path) as file:
                data = file.read(MAX_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != _UNSIGNED_BYTE:
        raise InputError(f"{path} is not an IDX file of unsigned bytes")
    dimensions = data[3]
    start = 4 + 4 * dimensions
    if len(data) < start:
        raise InputError(f"{path} ends within its header")
    shape = struct.unpack(f">{dimensions}I", data[4:start])
    count = 1
    for side in shape:
        count *= side
    if len(data) - start != count:
        raise InputError(f"{path} has {len(data) - start} values where its header announces {count}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


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
