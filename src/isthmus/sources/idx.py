"""IDX files, plain or gzipped: the format of MNIST (http://yann.lecun.com/exdb/mnist, "The IDX file format")."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError, LimitError

_UNSIGNED_BYTE = 0x08
_OTHER_TYPES = (0x09, 0x0B, 0x0C, 0x0D, 0x0E)
_MAX_DIMENSIONS = 4
_GZIP = b"\x1f\x8b"
MAX_BYTES = 4 << 30


def is_idx(path: Path) -> bool:
    """Whether a file is IDX, plain or gzipped, by its first four bytes: two zeros, a type of values, 1 to 4 dimensions.

    Two zeros alone are not enough: AVIF, JPEG 2000, TGA, ICO and CUR begin so, too. A gzipped file is no picture that
    is read, whatever it holds.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if start[:2] == _GZIP:
        return True
    is_typed = len(start) == 4 and start[:2] == b"\0\0" and start[2] in (_UNSIGNED_BYTE, *_OTHER_TYPES)
    return is_typed and 1 <= start[3] <= _MAX_DIMENSIONS


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of an IDX file of unsigned bytes.

    Raises:
        InputError: missing, another type of values, or not as long as its header says.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise LimitError(f"{path} has more than {MAX_BYTES} bytes")
        data = path.read_bytes()
        if data[:2] == _GZIP:
            with gzip.open(path) as file:
                data = file.read(MAX_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != _UNSIGNED_BYTE:
        raise InputError(f"{path} is not an IDX file of unsigned bytes")
    dimensions = data[3]
    if not 1 <= dimensions <= _MAX_DIMENSIONS:
        raise InputError(f"{path} has {dimensions} dimensions, not 1 to {_MAX_DIMENSIONS}")
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
