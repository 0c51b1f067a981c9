"""An ONNX graph as far as it is checked before any engine sees it: only what our exporters write is let through."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from isthmus.container.graph_operators import OPERATORS, REQUIRED
from isthmus.container.graph_values import (
    ELEMENT_BYTES,
    FLOAT,
    INT64,
    MAX_KNOWN,
    MAX_KNOWN_REAL,
    UINT8,
    Attribute,
    Node,
    Outline,
    Value,
    checked,
)
from isthmus.container.graph_work import MAX_FOLDED, CheckedGraph
from isthmus.container.onnx_message import Message, read_message
from isthmus.errors import FormatError, LimitError

ALLOWED_OPERATORS = frozenset(OPERATORS)
"""Arithmetic and rearrangement. No control flow, no sequences, no strings, nothing that reads a file."""
VERSIONS = {8: (18,), 10: (18, 20)}
"""Versions of ONNX's format and, of each, the sets of operators that our exporters write."""
MAX_NODES = 1024
"""Of one graph: ONNX Runtime's time to load one grows with their square, a second for these. `photo` has 156."""
MAX_CONSTANTS = 2048
MAX_INPUTS = 64
_ATTRIBUTE_TYPES = {1: "f", 2: "i", 3: "s", 7: "ints"}
_EMPTY: Message = {}


def check_graph(name: str, data: bytes) -> CheckedGraph:
    """Refuse a graph that does more than arithmetic, that reads data from elsewhere, or that is not as we export them.

    Args:
        name: for messages.
        data: the ONNX model's bytes.

    Raises:
        FormatError: not an ONNX model, or anything in it that our exporters do not write.
        LimitError: more nodes, constants or work that depends on no input than models have.
    """
    try:
        graph = CheckedGraph(_outline(read_message(data)))
        if graph.folded > MAX_FOLDED:
            raise LimitError(f"computes {graph.folded} products and numbers of constants, above {MAX_FOLDED}")
    except FormatError as error:
        raise type(error)(f"{name} {error}") from error
    return graph


def _outline(model: Message) -> Outline:
    sets = model.get("opset_import", [])
    versions = VERSIONS.get(model.get("ir_version", 0), ())
    if len(sets) != 1 or sets[0].get("domain", "") or sets[0].get("version") not in versions:
        raise FormatError("is of a version of ONNX, or of a set of operators, that exported graphs do not have")
    graph = model.get("graph", _EMPTY)
    nodes, tensors = graph.get("node", []), graph.get("initializer", [])
    if len(nodes) > MAX_NODES or len(tensors) > MAX_CONSTANTS:
        raise LimitError(f"has {len(nodes)} nodes and {len(tensors)} constants, above {MAX_NODES} and {MAX_CONSTANTS}")
    inputs = dict(_inputs(graph.get("input", [])))
    constants = {tensor.get("name", ""): _constant(tensor) for tensor in tensors}
    outline = Outline(
        inputs,
        tuple(_typed(value)[0] for value in graph.get("output", [])),
        tuple(_node(node) for node in nodes),
        constants,
    )
    _check_names(outline, len(tensors) + len(graph.get("input", [])))
    return outline


def _inputs(values: list[Message]) -> Iterator[tuple[str, tuple[int, tuple[int | None, ...]]]]:
    if not 1 <= len(values) <= MAX_INPUTS:
        raise FormatError(f"has {len(values)} inputs")
    for value in values:
        name, element, dimensions = _typed(value)
        if element not in (FLOAT, UINT8) or len(dimensions) != 4:
            raise FormatError(f"has an input {name!r} that is no batch of pictures or latents")
        yield name, (element, tuple(one.get("dim_value") for one in dimensions))


def _typed(value: Message) -> tuple[str, int, list[Message]]:
    """Name, type of elements, and dimensions of an input or output."""
    kind = value.get("type", _EMPTY).get("tensor_type", _EMPTY)
    dimensions = kind.get("shape", _EMPTY).get("dim", [])
    if kind.get("elem_type") not in ELEMENT_BYTES or any(one.get("dim_value", 1) < 1 for one in dimensions):
        raise FormatError("has an input or output of a type that exported graphs do not have")
    checked(tuple(one.get("dim_value", 1) for one in dimensions))
    return value.get("name", ""), kind["elem_type"], dimensions


def _constant(tensor: Message) -> Value:
    element, raw = tensor.get("data_type", 0), tensor.get("raw_data", b"")
    shape = checked(tuple(tensor.get("dims", ())))
    count = math.prod(shape)
    if element not in ELEMENT_BYTES or len(raw) != count * ELEMENT_BYTES[element]:
        raise FormatError(f"has a constant {tensor.get('name', '')!r} whose data are not of its type and shape")
    numbers = None
    if len(shape) <= 1 and count <= {INT64: MAX_KNOWN, FLOAT: MAX_KNOWN_REAL}.get(element, -1):
        numbers = struct.unpack(f"<{count}{'q' if element == INT64 else 'f'}", raw)
    return Value(shape, element, numbers, is_constant=True)


def _node(node: Message) -> Node:
    name = node.get("op_type", "")
    operator = OPERATORS.get(name)
    if operator is None:
        raise FormatError(f"uses the operator {name!r}, which model files may not use")
    inputs, outputs = tuple(node.get("input", ())), tuple(node.get("output", ()))
    for found, (least, most) in ((inputs, operator.inputs), (outputs, operator.outputs)):
        if not least <= len(found) <= most or ("" in found and (found is outputs or not operator.has_gaps)):
            raise FormatError(f"has the operator {name!r} with {len(inputs)} inputs and {len(outputs)} outputs")
    if node.get("doc_string"):
        raise FormatError("has a text within, which exported graphs do not have")
    attributes = dict(_attribute(name, attribute, operator.attributes) for attribute in node.get("attribute", ()))
    if len(attributes) != len(node.get("attribute", ())) or any(
        one not in attributes for one in REQUIRED.get(name, ())
    ):
        raise FormatError(f"has the operator {name!r} with an attribute twice, or without one that it needs")
    return Node(name, inputs, outputs, attributes)


def _attribute(operator: str, attribute: Message, known: Mapping[str, Any]) -> tuple[str, Attribute]:
    name, kind = attribute.get("name", ""), _ATTRIBUTE_TYPES.get(attribute.get("type", 0), "")
    if name not in known or attribute.keys() != {"name", "type", kind}:
        raise FormatError(
            f"has the operator {operator!r} with the attribute {name!r}, which exported graphs do not have"
        )
    value: Attribute = attribute[kind]
    if kind == "i":
        value = _signed(attribute[kind])
    elif kind == "ints":
        value = tuple(_signed(one) for one in attribute[kind])
    if not known[name](value):
        raise FormatError(f"has the operator {operator!r} with {name} {value!r}, which exported graphs do not have")
    return name, value


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _check_names(outline: Outline, beginnings: int) -> None:
    """Refuse values that are made twice, used before they are made, or not used at all."""
    made = {*outline.inputs, *outline.constants}
    if len(made) != beginnings or "" in made:
        raise FormatError("has two values of one name, or one without")
    used: set[str] = {""}
    for node in outline.nodes:
        for name in node.inputs:
            if name and name not in made:
                raise FormatError(f"uses the value {name!r} before it is made")
        used.update(node.inputs)
        for name in node.outputs:
            if name in made:
                raise FormatError(f"makes the value {name!r} twice")
            made.add(name)
    results = {name for node in outline.nodes for name in node.outputs}
    if (
        not outline.outputs
        or len(set(outline.outputs)) != len(outline.outputs)
        or not results.issuperset(outline.outputs)
    ):
        raise FormatError("has no outputs, or some that no operator makes")
    if made - used - set(outline.outputs):
        raise FormatError("has values that nothing uses")
