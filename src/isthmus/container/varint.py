"""Whole numbers in as few bytes as they need: LEB128, as Protocol Buffers and WebAssembly write them."""

from __future__ import annotations

from isthmus.errors import FormatError, TruncatedError

MAX_BYTES = 5  # 35 bits: beyond every size that a file may announce


def write_varint(value: int) -> bytes:
    """Seven bits a byte, lowest first; the top bit says that another byte follows."""
    if value < 0 or value >> (7 * MAX_BYTES):
        raise ValueError(f"{value} does not fit a varint of {MAX_BYTES} bytes")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes, offset: int) -> tuple[int, int]:
    """The number at `offset` and the offset behind it.

    Raises:
        TruncatedError: the data ends within the number.
        FormatError: the number is longer than it needs to be, or than `MAX_BYTES`.
    """
    value = 0
    for index in range(MAX_BYTES):
        if offset + index >= len(data):
            raise TruncatedError("the file ends within a number", offset=len(data))
        byte = data[offset + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if byte == 0 and index > 0:
                raise FormatError("a number is written with more bytes than it needs", offset=offset)
            return value, offset + index + 1
    raise FormatError("a number is longer than the format allows", offset=offset)
