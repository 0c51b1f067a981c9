"""How much work a graph is for inputs of some shapes, worked out before an engine sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from isthmus.container.graph_operators import OPERATORS
from isthmus.container.graph_values import FLOAT, Outline, Shape, Value
from isthmus.errors import FormatError, LimitError

PRODUCTS = (1 << 26, 1 << 18)
"""Products of two numbers that a run may take: these, and so many for each pixel. `photo` takes 17,000 to encode."""
TENSOR_VALUES = (1 << 22, 1 << 9)
"""Numbers that one tensor may hold, likewise: what bounds memory."""
MAX_FOLDED = 1 << 26
"""Products, and numbers, of what an engine may compute when it loads a graph: `photo` takes a sixth."""


class Work(NamedTuple):
    """What a graph takes."""

    products: int
    """Of two numbers, or steps like that."""
    largest: int
    """Numbers of its largest tensor."""
    folded: int
    """Products and numbers of what depends on no input."""
    outputs: tuple[Shape, ...]


def work_of(outline: Outline, shapes: Mapping[str, Shape]) -> Work:
    """What a graph takes for inputs of these shapes.

    Raises:
        FormatError: the graph does not fit them, or is none.
        LimitError: a tensor that no memory holds.
    """
    values: dict[str, Value] = dict(outline.constants)
    for name, (element, sides) in outline.inputs.items():
        shape = shapes.get(name, ())
        if len(shape) != len(sides) or any(want not in (None, have) for want, have in zip(sides, shape, strict=True)):
            raise FormatError(f"takes {name!r} of the shape {sides}, not of {shape}")
        values[name] = Value(shape, element)
    total = largest = folded = 0
    for node in outline.nodes:
        known = [values[name] if name else _LEFT_OUT for name in node.inputs]
        made, products = OPERATORS[node.operator].rule(node, known)
        total += products
        for name, value in zip(node.outputs, made, strict=True):
            values[name] = value
            largest = max(largest, value.size)
            if value.is_constant:
                folded += products + value.size
    return Work(total, largest, folded, tuple(values[name].shape for name in outline.outputs))


def check_work(work: Work, *, pixels: int) -> None:
    """Refuse work out of proportion to the pixels that it is for.

    Raises:
        LimitError: in words that fit behind a graph's name.
    """
    for what, found, (floor, each) in (
        ("products", work.products, PRODUCTS),
        ("numbers in one tensor", work.largest, TENSOR_VALUES),
    ):
        if found > floor + each * pixels:
            raise LimitError(f"asks for {found} {what} for {pixels} pixels, above the limit of {each} a pixel")


def reference_shapes(outline: Outline, side: int) -> dict[str, Shape]:
    """Shapes of its inputs for one picture that is as large as `side` where any size fits."""
    return {
        name: tuple(have if have is not None else (1 if at == 0 else side) for at, have in enumerate(sides))
        for name, (_, sides) in outline.inputs.items()
    }


def positions_of(outline: Outline, shapes: Mapping[str, Shape]) -> int:
    """Positions, of all pictures of the batch, of the input that has most: channels stand second, in bytes last."""
    counts = []
    for name, (element, _) in outline.inputs.items():
        shape = shapes[name]
        channels = 1 if element == FLOAT else len(shape) - 1
        positions = 1
        for at, one in enumerate(shape):
            positions *= 1 if at == channels else one
        counts.append(positions)
    return max(counts)


_LEFT_OUT = Value((), 0)


REFERENCE_SIDE = 64
"""Rows and columns for which a graph is looked at when it is loaded, where any number fits."""
_KEPT = 256


class CheckedGraph:
    """A graph that is as our exporters write them, and the work that it is for inputs of some shapes.

    Raises:
        FormatError: its operators do not go together.
        LimitError: a tensor that no memory holds.
    """

    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        self._known: dict[tuple[tuple[str, Shape], ...], Work] = {}
        self.folded = self.work(reference_shapes(outline, REFERENCE_SIDE)).folded

    @property
    def nodes(self) -> int:
        """How many operators it has."""
        return len(self.outline.nodes)

    def work(self, shapes: Mapping[str, Shape]) -> Work:
        """See `work_of`; worked out once for the same shapes."""
        key = tuple(shapes.items())
        if key not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = work_of(self.outline, shapes)
        return self._known[key]

    def check(self, shapes: Mapping[str, Shape] | None = None, *, pixels_per_position: int) -> None:
        """Refuse a run whose work is out of proportion to its pixels.

        Args:
            shapes: of the inputs, by name; None for those of a small picture.
            pixels_per_position: pixels that a position of the largest input stands for.

        Raises:
            FormatError: the graph does not fit the shapes.
            LimitError: so much work, in words that fit behind a graph's name.
        """
        shapes = reference_shapes(self.outline, REFERENCE_SIDE) if shapes is None else shapes
        check_work(self.work(shapes), pixels=positions_of(self.outline, shapes) * pixels_per_position)
