"""A chunk of uint8 pictures to bytes and back: .isth files one behind the other, with their lengths in front."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.api import find_model, loaded_model
from isthmus.codec.model import Model
from isthmus.codec.pipeline import model_id_of
from isthmus.container.varint import read_varint, write_varint
from isthmus.errors import FormatError, UsageError

_ONE, _STACK = b"\x01", b"\x02"
"""First byte of a chunk: one picture, or a stack of them."""


def encode_chunk(chunk: NDArray[np.uint8], *, model: str, quality: float | None) -> bytes:
    """A chunk to bytes.

    Args:
        chunk: uint8 (rows, columns), (rows, columns, 3) or (count, rows, columns, 3).
        model: name or path.
        quality: 1 to 100; None is the model's default.

    Raises:
        UsageError: another type or shape.
        ModelMismatchError: pictures that the model does not take.
    """
    is_stack = chunk.ndim == 4
    if chunk.dtype != np.uint8 or chunk.ndim not in (2, 3, 4) or (chunk.ndim > 2 and chunk.shape[-1] != 3):
        raise UsageError(
            "the codec isthmus takes chunks of uint8 (rows, columns), (rows, columns, 3) or (count, rows, columns, 3), "
            f"not {chunk.dtype} of shape {chunk.shape}"
        )
    pictures = [np.ascontiguousarray(one) for one in (chunk if is_stack else [chunk])]
    files = loaded_model(model).encode_batch(pictures, quality=quality) if pictures else []
    lengths = b"".join(write_varint(len(file)) for file in files)
    return (_STACK if is_stack else _ONE) + write_varint(len(files)) + lengths + b"".join(files)


def decode_chunk(data: bytes, *, model: str) -> NDArray[np.uint8]:
    """The chunk of `encode_chunk`'s bytes.

    Args:
        data: the bytes.
        model: name or path, taken where it decodes the pictures; else the one is looked for that the bytes name.

    Raises:
        FormatError: damaged bytes.
        ModelNotFoundError: the model is not there.
    """
    kind = data[:1]
    if kind not in (_ONE, _STACK):
        raise FormatError("these bytes are no chunk of the codec isthmus")
    count, offset = read_varint(data, 1)
    if count > len(data) or (kind == _ONE and count != 1):
        raise FormatError(f"a chunk of {len(data)} bytes does not hold {count} pictures")
    lengths = []
    for _ in range(count):
        length, offset = read_varint(data, offset)
        lengths.append(length)
    if offset + sum(lengths) != len(data):
        raise FormatError("a chunk's pictures are not as long as its lengths say")
    ends = np.cumsum([offset, *lengths]).tolist()
    files = [data[start:end] for start, end in pairwise(ends)]
    if not files:
        return np.zeros((0, 0, 0, 3), np.uint8)
    pictures = _model_of(files[0], model).decode_batch(files)
    if len({one.shape for one in pictures}) > 1:
        raise FormatError("a chunk's pictures are of several sizes")
    return np.stack(pictures) if kind == _STACK else pictures[0]


def _model_of(file: bytes, name: str) -> Model:
    model_id = model_id_of(file)
    named = loaded_model(name)
    return named if model_id is None or named.decodes(model_id) else find_model(model_id)
