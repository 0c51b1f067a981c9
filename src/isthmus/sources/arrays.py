"""Files that hold arrays of pictures: IDX, .npy and .npz, told apart by how they begin; their parts and labels."""

from __future__ import annotations

import ast
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from isthmus.errors import InputError, IsthmusError, LimitError
from isthmus.sources.idx import MAX_BYTES, is_idx, read_idx
from isthmus.sources.picture_set import PictureSet, as_labels, as_uint8

TRAIN, TEST = "train", "test"
PARTS = (TRAIN, TEST)
IDX_STEMS = {TRAIN: "train-images-idx3-ubyte", TEST: "t10k-images-idx3-ubyte"}
_NPY, _ZIP = b"\x93NUMPY", b"PK\x03\x04"
_PICTURES = {TRAIN: ("pictures", "x_train", "images", "train_images"), TEST: ("x_test", "test_images")}
_LABELS = {TRAIN: ("labels", "y_train", "train_labels"), TEST: ("y_test", "test_labels")}
"""What arrays of a .npz are called in Isthmus' own files, in Keras' and in MedMNIST's."""

Parts = dict[str, PictureSet]
"""Pictures by part; the part "" are all where a set has no division of its own."""


def holds_arrays(path: Path) -> bool:
    """Whether a file is IDX, .npy or .npz, by how it begins.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(_NPY))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return start == _NPY or start[:4] == _ZIP or is_idx(path)


def read_arrays(path: Path) -> Parts:
    """The pictures of an IDX, .npy or .npz file, by part.

    Raises:
        InputError: no such file, damaged, or an array that holds no pictures or no labels for them.
        LimitError: above `idx.MAX_BYTES`.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(_NPY))
            if start == _NPY:
                file.seek(0)
                array = _read_array(file, path.stat().st_size, str(path))
                return {"": PictureSet(as_uint8(array, name=str(path)))}
        if start[:4] == _ZIP:
            return _npz_parts(_read_npz(path), str(path))
    except IsthmusError:
        raise
    except (
        OSError,
        ValueError,
        EOFError,
        KeyError,
        zipfile.BadZipFile,
        zlib.error,
        RuntimeError,
        MemoryError,
    ) as error:
        raise InputError(f"{path} is not a NumPy file, or it is damaged: {error or type(error).__name__}") from error
    return {"": read_idx_pictures(path, labels_beside(path))}


def idx_folder(folder: Path) -> Parts | None:
    """The two parts of a folder that holds files of MNIST's names; None where it does not.

    Raises:
        InputError: one is there and the other is not, or one cannot be read.
    """
    paths = {part: _idx_file(folder, stem) for part, stem in IDX_STEMS.items()}
    if paths[TRAIN] is None:
        return None
    parts = {}
    for part, path in paths.items():
        if path is None:
            raise InputError(f"{folder} has no {IDX_STEMS[part]} or {IDX_STEMS[part]}.gz")
        parts[part] = read_idx_pictures(path, labels_beside(path))
    return parts


def read_idx_pictures(pictures: Path, labels: Path | None) -> PictureSet:
    """Pictures (count, rows, columns) of an IDX file, with their labels where there are some."""
    array = read_idx(pictures)
    if array.ndim != 3 or array.size == 0:
        raise InputError(f"{pictures} holds an array of shape {array.shape}, not (count, rows, columns)")
    if labels is None or not labels.is_file():
        return PictureSet(array[:, :, :, None])
    return PictureSet(array[:, :, :, None], as_labels(read_idx(labels), len(array), name=str(labels)))


def labels_beside(pictures: Path) -> Path | None:
    """Where MNIST's convention has the labels of a file of pictures; None for a name outside of it."""
    name = pictures.name.replace("images", "labels").replace("idx3", "idx1")
    return pictures.with_name(name) if name != pictures.name else None


def read_labels(path: Path, count: int) -> NDArray[np.int64]:
    """The labels of an IDX or .npy file.

    Raises:
        InputError: not a label for each picture, or values that are none.
    """
    if not path.is_file():
        raise InputError(f"{path} cannot be read: there is no such file")
    array: NDArray[np.generic]
    if holds_arrays(path) and not is_idx(path):
        try:
            with path.open("rb") as file:
                array = _read_array(file, path.stat().st_size, str(path))
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{path} is not a .npy file, or it is damaged: {error}") from error
    else:
        array = read_idx(path)
    if array.size != count:
        raise InputError(f"{path} has {array.size} labels for {count} pictures")
    return as_labels(array, count, name=str(path))


def _idx_file(folder: Path, stem: str) -> Path | None:
    for name in (stem, f"{stem}.gz", stem.replace("-idx3", ".idx3")):
        if (folder / name).is_file():
            return folder / name
    return None


def _read_npz(path: Path) -> dict[str, NDArray[np.generic]]:
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
        if sum(member.file_size for member in members) > MAX_BYTES:
            raise LimitError(f"{path} unpacks to more than {MAX_BYTES} bytes")
        for member in members:
            with archive.open(member) as file:
                name = member.filename.removesuffix(".npy")
                arrays[name] = _read_array(file, member.file_size, f"{path}: {name}")
    return arrays


def _read_array(file: IO[bytes], size: int, name: str) -> NDArray[np.generic]:
    """An array whose header announces no more bytes than there are: NumPy itself asks for memory first."""
    version = npy.read_magic(file)
    length_bytes = 2 if version == (1, 0) else 4
    length = int.from_bytes(file.read(length_bytes), "little")
    if length > 1 << 16:
        raise InputError(f"{name} has a header of {length} bytes")
    header = file.read(length)
    if len(header) != length:
        raise InputError(f"{name} ends within its header")
    try:
        facts = ast.literal_eval(header.decode("latin-1"))
        shape, kind, is_fortran = tuple(facts["shape"]), np.dtype(facts["descr"]), bool(facts["fortran_order"])
        sides_are_whole = all(isinstance(side, int) and side >= 0 for side in shape)
    except (SyntaxError, TypeError, KeyError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{name} has a header that is none of NumPy's") from error
    if kind.hasobject or not sides_are_whole:
        raise InputError(f"{name} holds values of type {kind}, not numbers")
    wanted, present = math.prod(shape) * kind.itemsize, size - (8 + length_bytes + length)
    if wanted != present:
        raise InputError(f"{name} has {present} bytes of values where its header announces {wanted}")
    if wanted > MAX_BYTES:
        raise LimitError(f"{name} has {wanted} bytes, above the limit of {MAX_BYTES}")
    flat = np.frombuffer(bytearray(file.read(wanted)), kind)
    return flat.reshape(shape, order="F" if is_fortran else "C")


def _npz_parts(arrays: Mapping[str, NDArray[np.generic]], name: str) -> Parts:
    """Pictures and labels of a .npz: arrays of the known names, or its first array."""
    if not arrays:
        raise InputError(f"{name} holds no arrays")
    found = {part: _first_of(arrays, names) for part, names in _PICTURES.items()}
    if found[TRAIN] is None:
        if found[TEST] is None:
            return {"": PictureSet(as_uint8(next(iter(arrays.values())), name=name))}
        found = {"": found[TEST]}
    elif found[TEST] is None:
        found = {"": found[TRAIN]}
    parts: Parts = {}
    for part, pictures in found.items():
        if pictures is None:
            continue
        values = as_uint8(pictures, name=name)
        labels = _first_of(arrays, _LABELS[part] if part else (*_LABELS[TRAIN], *_LABELS[TEST]))
        parts[part] = PictureSet(values, None if labels is None else as_labels(labels, len(values), name=name))
    return parts


def _first_of(arrays: Mapping[str, NDArray[np.generic]], names: tuple[str, ...]) -> NDArray[Any] | None:
    return next((arrays[name] for name in names if name in arrays), None)
