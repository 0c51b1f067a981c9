"""Bytes as their length and a zlib stream, which never unpack to more than the reader allows."""

from __future__ import annotations

import zlib

from isthmus.container.varint import read_varint, write_varint
from isthmus.errors import FormatError, LimitError

MAX_INFLATED = 1 << 33
_INFLATION = 1100  # zlib expands by at most 1032; more announced than this cannot be true


def deflate(raw: bytes) -> bytes:
    """Bytes as their length, a varint, and a zlib stream."""
    return write_varint(len(raw)) + zlib.compress(raw, 9)


def inflate(data: bytes, most: int = MAX_INFLATED) -> tuple[bytes, bytes]:
    """The bytes of `deflate`, and what is behind the stream.

    Raises:
        FormatError: it has not.
        LimitError: more than `most` bytes, or than the stream can hold; nothing was allocated for them.
    """
    length, offset = read_varint(data, 0)
    if length > most or length > _INFLATION * len(data):
        raise LimitError(f"the table announces {length} bytes, more than its {len(data)} bytes may unpack to")
    stream = zlib.decompressobj()
    try:
        raw = stream.decompress(memoryview(data)[offset:], length + 1)
    except zlib.error as error:
        raise FormatError(f"the table cannot be decompressed: {error}") from error
    if len(raw) != length or not stream.eof:
        raise FormatError("the table is not of the length that it announces")
    return raw, stream.unused_data
