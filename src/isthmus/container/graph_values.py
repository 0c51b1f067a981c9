"""What is known of a value in a graph before the graph runs: its shape, its type, and the numbers of small shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from isthmus.errors import FormatError, LimitError

FLOAT, UINT8, INT8, INT16, INT32, INT64, FLOAT16 = 1, 2, 3, 5, 6, 7, 10
ELEMENT_BYTES = {FLOAT: 4, UINT8: 1, INT8: 1, INT16: 2, INT32: 4, INT64: 8, FLOAT16: 2}
"""Types that exported graphs have, by ONNX's numbers, and their bytes."""
INTEGERS = (UINT8, INT8, INT16, INT32, INT64)
MAX_RANK = 6
MAX_TENSOR_VALUES = 1 << 33
"""Of one tensor whatever the picture: beyond the memory of machines that run models."""
MAX_KNOWN = 4096
"""Whole numbers of a value that are followed: what shapes, and the places that are gathered, are made of."""
MAX_KNOWN_REAL = 8
"""The same of real ones: factors of sizes."""

SIDES = 1 << 12
"""What kernels, strides and paddings stay below."""

Shape = tuple[int, ...]
Attribute = int | float | str | tuple[int, ...]


class Value(NamedTuple):
    """A tensor, before there is one."""

    shape: Shape
    element: int
    """Its type, one of ELEMENT_BYTES."""
    numbers: tuple[int | float, ...] | None = None
    """What it holds, where that follows from shapes and constants alone, and is little."""
    is_constant: bool = False
    """Whether it depends on no input but for shapes, so that an engine may compute it when it loads the graph."""

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


class Node(NamedTuple):
    """One operator of a graph."""

    operator: str
    inputs: tuple[str, ...]
    """Names of values; empty where one is left out."""
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]


class Outline(NamedTuple):
    """A graph without its weights."""

    inputs: Mapping[str, tuple[int, tuple[int | None, ...]]]
    """Type and shape by name; None where any number fits."""
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, Value]


def checked(shape: Shape) -> Shape:
    """The shape, where a tensor can have it.

    Raises:
        FormatError: it is none.
        LimitError: more numbers than any tensor has.
    """
    if len(shape) > MAX_RANK or any(side < 0 for side in shape):
        raise FormatError(f"makes a tensor of the shape {shape}")
    if math.prod(shape) > MAX_TENSOR_VALUES:
        raise LimitError(f"makes a tensor of {math.prod(shape)} numbers")
    return shape


def broadcast(shapes: list[Shape]) -> Shape:
    """The shape of what is computed number by number.

    Raises:
        FormatError: they do not go together.
    """
    if all(shape == shapes[0] for shape in shapes):
        return shapes[0]
    rank = max(len(shape) for shape in shapes)
    result = []
    for sides in zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True):
        wide = {side for side in sides if side != 1}
        if len(wide) > 1:
            raise FormatError(f"computes with tensors of the shapes {' and '.join(map(str, shapes))}")
        result.append(wide.pop() if wide else 1)
    return checked(tuple(result))
