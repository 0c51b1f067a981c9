"""ONNX's Protocol Buffers, read in the one form in which exporters write them, before any engine sees them.

What a lenient parser skips, an engine's may read: fields that are unknown here, numbers longer than they need be, tags
with bits beyond a field's number, fields out of order or twice. Each of these is refused, so that there is one way to
read a file. The light install needs no onnx package for it. Field numbers and types are those of onnx.proto; of its
fields only those that our exporters write are known.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from isthmus.errors import FormatError, LimitError

NUMBER, FLOAT, TEXT, DATA, MESSAGE = range(5)
"""Kinds of fields: a varint; four bytes; UTF-8; bytes; a message."""
MAX_TEXT_BYTES = 1024
MAX_FIELDS = 1 << 17
"""Of a message and all within it: twenty times those of the largest graph of the photo codec."""
_WIRE_TYPES = {NUMBER: 0, FLOAT: 5, TEXT: 2, DATA: 2, MESSAGE: 2}
_TWO_TO_64 = 1 << 64
_LAST_SHIFT = 63


class Field(NamedTuple):
    """A field of a message."""

    name: str
    """As in onnx.proto."""
    kind: int
    fields: Mapping[int, Field] = {}
    """Of a message, by their tags."""
    is_repeated: bool = False
    """It may be there any number of times."""


def _message(fields: Mapping[int, Field]) -> dict[int, Field]:
    """Fields by number to fields by tag, which is the number and the type on the wire."""
    return {number << 3 | _WIRE_TYPES[field.kind]: field for number, field in fields.items()}


_ENTRY = _message({1: Field("key", TEXT), 2: Field("value", TEXT)})
_DIMENSION = _message({1: Field("dim_value", NUMBER), 2: Field("dim_param", TEXT)})
_SHAPE = _message({1: Field("dim", MESSAGE, _DIMENSION, is_repeated=True)})
_TENSOR_TYPE = _message({1: Field("elem_type", NUMBER), 2: Field("shape", MESSAGE, _SHAPE)})
_TYPE = _message({1: Field("tensor_type", MESSAGE, _TENSOR_TYPE)})
_VALUE_INFO = _message(
    {
        1: Field("name", TEXT),
        2: Field("type", MESSAGE, _TYPE),
        4: Field("metadata_props", MESSAGE, _ENTRY, is_repeated=True),
    }
)
_TENSOR = _message(
    {
        1: Field("dims", NUMBER, is_repeated=True),
        2: Field("data_type", NUMBER),
        8: Field("name", TEXT),
        9: Field("raw_data", DATA),
    }
)
_ATTRIBUTE = _message(
    {
        1: Field("name", TEXT),
        2: Field("f", FLOAT),
        3: Field("i", NUMBER),
        4: Field("s", TEXT),
        8: Field("ints", NUMBER, is_repeated=True),
        20: Field("type", NUMBER),
    }
)
_NODE = _message(
    {
        1: Field("input", TEXT, is_repeated=True),
        2: Field("output", TEXT, is_repeated=True),
        3: Field("name", TEXT),
        4: Field("op_type", TEXT),
        5: Field("attribute", MESSAGE, _ATTRIBUTE, is_repeated=True),
        6: Field("doc_string", TEXT),
    }
)
_GRAPH = _message(
    {
        1: Field("node", MESSAGE, _NODE, is_repeated=True),
        2: Field("name", TEXT),
        5: Field("initializer", MESSAGE, _TENSOR, is_repeated=True),
        11: Field("input", MESSAGE, _VALUE_INFO, is_repeated=True),
        12: Field("output", MESSAGE, _VALUE_INFO, is_repeated=True),
    }
)
_OPERATOR_SET = _message({1: Field("domain", TEXT), 2: Field("version", NUMBER)})
MODEL = _message(
    {
        1: Field("ir_version", NUMBER),
        2: Field("producer_name", TEXT),
        3: Field("producer_version", TEXT),
        7: Field("graph", MESSAGE, _GRAPH),
        8: Field("opset_import", MESSAGE, _OPERATOR_SET, is_repeated=True),
    }
)
"""ModelProto as far as our exporters fill it."""

Message = dict[str, Any]
"""Values by field name: int, float, str, a memoryview or another message; a list of them of a repeated field."""


def read_message(data: bytes, fields: Mapping[int, Field] = MODEL) -> Message:
    """A message's fields.

    Raises:
        FormatError: anything that our exporters do not write, in words that fit behind a name.
        LimitError: more fields than `MAX_FIELDS`.
    """
    return _read(data, 0, len(data), fields, [MAX_FIELDS])


def _read(data: bytes, offset: int, end: int, fields: Mapping[int, Field], left: list[int]) -> Message:
    """The message in a part of the data; `left` counts how many more fields there may be in all."""
    message: Message = {}
    last = 0
    value: Any
    while offset < end:
        tag = data[offset]
        tag, offset = (tag, offset + 1) if tag < 0x80 else _number(data, offset, end)  # most are one byte
        field = fields.get(tag)
        if field is None:
            raise FormatError(f"has the field {tag >> 3} of type {tag & 7}, which exported graphs never have")
        name, kind, inner, is_repeated = field
        left[0] -= 1
        if left[0] < 0:
            raise LimitError(f"has more than {MAX_FIELDS} fields")
        if tag < last or (tag == last and not is_repeated):
            raise FormatError(f"has its field {name!r} out of order or twice, as exported graphs never do")
        last = tag
        if kind == NUMBER:
            value, offset = _number(data, offset, end)
        else:
            length, offset = (4, offset) if kind == FLOAT else _number(data, offset, end)
            if offset + length > end:
                raise FormatError("ends within a field")
            is_message = kind == MESSAGE
            behind = offset + length
            value = _read(data, offset, behind, inner, left) if is_message else _plain(data, offset, behind, kind)
            offset = behind
        if not is_repeated:
            message[name] = value
        elif name in message:
            message[name].append(value)
        else:
            message[name] = [value]
    return message


def _plain(data: bytes, offset: int, end: int, kind: int) -> float | str | memoryview:
    if kind == DATA:
        return memoryview(data)[offset:end]
    if kind == FLOAT:
        number: float = struct.unpack_from("<f", data, offset)[0]
        return number
    if end - offset > MAX_TEXT_BYTES:
        raise FormatError(f"has a name of {end - offset} bytes, above {MAX_TEXT_BYTES}")
    try:
        return data[offset:end].decode()
    except UnicodeDecodeError as error:
        raise FormatError("has a name that is not UTF-8") from error


def _number(data: bytes, offset: int, end: int) -> tuple[int, int]:
    """A varint in its shortest form, below 2^64, and the offset behind it."""
    if offset < end and data[offset] < 0x80:  # as most are
        return data[offset], offset + 1
    value = shift = 0
    while offset < end and shift <= _LAST_SHIFT:
        byte = data[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 or value >= _TWO_TO_64:
                raise FormatError("has a number in a longer form than exported graphs have")
            return value, offset
        shift += 7
    raise FormatError("ends within a number, or has a longer one than exported graphs have")
