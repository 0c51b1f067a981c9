"""IDX files, plain or gzipped: the format of MNIST (http://yann.lecun.com/exdb/mnist, "The IDX file format")."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError

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
