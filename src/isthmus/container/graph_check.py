"""What an ONNX graph asks for, read from its bytes before any engine sees it.

Only the few fields that matter are followed, straight in the Protocol Buffers encoding, so that the light install needs
no onnx package. Field numbers are those of onnx.proto (ModelProto.graph 7, GraphProto.node 1, NodeProto.op_type 4 and
domain 7, GraphProto.initializer 5, TensorProto.external_data 13 and data_location 14, ModelProto.functions 25).
"""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.errors import FormatError

ALLOWED_OPERATORS = frozenset(
    [
        "Add",
        "AveragePool",
        "BatchNormalization",
        "Cast",
        "CastLike",
        "Ceil",
        "Clip",
        "Concat",
        "Constant",
        "ConstantOfShape",
        "Conv",
        "ConvTranspose",
        "DepthToSpace",
        "DequantizeLinear",
        "Div",
        "Equal",
        "Erf",
        "Exp",
        "Expand",
        "Flatten",
        "Floor",
        "Gather",
        "Gelu",
        "Gemm",
        "Identity",
        "LayerNormalization",
        "LeakyRelu",
        "Less",
        "Log",
        "MatMul",
        "Max",
        "MaxPool",
        "Min",
        "Mul",
        "Neg",
        "Pad",
        "Pow",
        "QuantizeLinear",
        "Range",
        "Reciprocal",
        "Relu",
        "Reshape",
        "Resize",
        "Round",
        "Shape",
        "Sigmoid",
        "Sign",
        "Slice",
        "Softplus",
        "SpaceToDepth",
        "Split",
        "Sqrt",
        "Squeeze",
        "Sub",
        "Tanh",
        "Tile",
        "Transpose",
        "Unsqueeze",
        "Where",
        "Abs",
    ]
)
"""Arithmetic and rearrangement. No control flow, no sequences, no strings, nothing that reads a file."""

_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE_INITIALIZER = 1, 5, 15
_NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS = 5, 6, 11
_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 13, 14


def check_graph(name: str, data: bytes) -> None:
    """Refuse a graph that does more than arithmetic or that reads data from elsewhere.

    Raises:
        FormatError: not an ONNX model, an operator that is not on the list, external data, nested graphs or functions.
    """
    try:
        graphs = 0
        for field, value in _fields(data):
            if field == _MODEL_FUNCTIONS:
                raise FormatError(f"{name}: defines functions, which model files do not use")
            if field == _MODEL_GRAPH:
                graphs += 1
                _check_nodes(name, _message(value))
        if graphs != 1:
            raise FormatError(f"{name}: holds {graphs} graphs where one is expected")
    except _EncodingError as error:
        raise FormatError(f"{name}: not an ONNX model: {error}") from error


def _check_nodes(name: str, graph: bytes) -> None:
    for field, value in _fields(graph):
        if field == _GRAPH_SPARSE_INITIALIZER:
            raise FormatError(f"{name}: has sparse weights, which model files do not use")
        if field == _GRAPH_INITIALIZER:
            _check_tensor(name, _message(value))
        if field == _GRAPH_NODE:
            _check_node(name, _message(value))


def _check_node(name: str, node: bytes) -> None:
    for field, value in _fields(node):
        if field == _NODE_OPERATOR:
            operator = _message(value).decode("utf-8", "replace")
            if operator not in ALLOWED_OPERATORS:
                raise FormatError(f"{name}: uses the operator {operator!r}, which model files may not use")
        elif field == _NODE_DOMAIN and _message(value) not in (b"", b"ai.onnx"):
            raise FormatError(f"{name}: uses an operator outside the ONNX standard")
        elif field == _NODE_ATTRIBUTE:
            for inner, content in _fields(_message(value)):
                if inner in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
                    raise FormatError(f"{name}: has a nested graph, which model files do not use")
                if inner == _ATTRIBUTE_TENSOR:
                    _check_tensor(name, _message(content))


def _check_tensor(name: str, tensor: bytes) -> None:
    for field, value in _fields(tensor):
        if field == _TENSOR_EXTERNAL_DATA or (field == _TENSOR_DATA_LOCATION and value != 0):
            raise FormatError(f"{name}: keeps weights outside the file, which model files never do")


class _EncodingError(Exception):
    """Bytes that are not a Protocol Buffers message."""


def _message(value: int | bytes) -> bytes:
    """A field that must be a message or a string."""
    if not isinstance(value, bytes):
        raise _EncodingError("a number where a message is expected")
    return value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) of each field of one message; numbers as they are, everything else as bytes."""
    offset = 0
    while offset < len(data):
        key, offset = _number(data, offset)
        kind = key & 7
        if kind == 0:
            number, offset = _number(data, offset)
            yield key >> 3, number
            continue
        if kind == 2:
            length, offset = _number(data, offset)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise _EncodingError(f"wire type {kind}")
        if offset + length > len(data):
            raise _EncodingError("it ends within a field")
        yield key >> 3, data[offset : offset + length]
        offset += length


def _number(data: bytes, offset: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if offset >= len(data):
            raise _EncodingError("it ends within a number")
        byte = data[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
    raise _EncodingError("a number is too long")
