"""What follows from an operator that computes: of elements, convolutions and products of matrices.

A rule gets a node and what is known of its inputs, and returns what is known of its outputs and how many products of
two numbers they take.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from isthmus.container.graph_values import (
    FLOAT,
    INT64,
    INTEGERS,
    MAX_KNOWN,
    Node,
    Shape,
    Value,
    broadcast,
    checked,
)
from isthmus.errors import FormatError

Outcome = tuple[list[Value], int]
Rule = Callable[[Node, list[Value]], Outcome]

SCALARS = ((), (1,))


def refusal(node: Node, values: list[Value]) -> FormatError:
    """For shapes that do not go together."""
    shapes = ", ".join(str(value.shape) for value in values)
    return FormatError(f"has a {node.operator} of the shapes {shapes}, which do not go together")


def need(is_so: object, node: Node, values: list[Value]) -> None:
    """Refuse shapes that do not go together."""
    if not is_so:
        raise refusal(node, values)


def need_floats(node: Node, values: list[Value]) -> None:
    """Refuse arithmetic on whole numbers that are not known: engines end the process where they divide by zero."""
    for value in values:
        if value.element == FLOAT:
            continue
        raise FormatError(f"has a {node.operator} of other numbers than single-precision ones")


def known_ints(node: Node, value: Value) -> tuple[int, ...]:
    """A list of whole numbers that shapes and constants decide."""
    if value.numbers is None or len(value.shape) != 1 or value.element != INT64:
        raise FormatError(f"has a {node.operator} whose output's shape depends on what a picture shows")
    return tuple(int(one) for one in value.numbers)


def axis_of(node: Node, rank: int, default: int = 0) -> int:
    """The axis that a node works along, counted from the first."""
    axis = node.attributes.get("axis", default)
    if not isinstance(axis, int) or not -rank <= axis < rank:
        raise FormatError(f"has a {node.operator} along the axis {axis} of {rank}")
    return axis % rank


def value_of(values: list[Value], shape: Shape, element: int, known: tuple[int | float, ...] | None = None) -> Value:
    """What is made of some values: constant where they all are."""
    known = known if known is not None and len(known) <= MAX_KNOWN else None
    return Value(shape, element, known, False not in [value.is_constant for value in values])  # in half of all()'s time


def unary_rule(node: Node, values: list[Value]) -> Outcome:
    """Each number of one value."""
    need_floats(node, values[:1])
    return [values[0]._replace(numbers=None)], values[0].size


def same_rule(node: Node, values: list[Value]) -> Outcome:
    """The value as it is."""
    del node
    return [values[0]], values[0].size


def binary_rule(compute: Callable[[int, int], int] | None) -> Rule:
    """Numbers of two values, broadcast; what is computed of whole ones, which shapes are made of, is followed."""

    def rule(node: Node, values: list[Value]) -> Outcome:
        first, second = values
        shape = broadcast([first.shape, second.shape])
        if first.numbers is None or second.numbers is None or compute is None or first.element != INT64:
            need_floats(node, values)
            return [value_of(values, shape, FLOAT)], math.prod(shape)
        need(second.element == INT64 and len(shape) <= 1, node, values)
        count = math.prod(shape)
        pairs = zip(_times(first.numbers, count), _times(second.numbers, count), strict=True)
        try:
            known = tuple(compute(int(one), int(other)) for one, other in pairs)
        except ZeroDivisionError as error:
            raise FormatError("divides a shape by zero") from error
        return [value_of(values, shape, INT64, known)], count

    return rule


def _times(known: tuple[int | float, ...], count: int) -> tuple[int | float, ...]:
    return known * count if len(known) == 1 else known


def divide(one: int, other: int) -> int:
    """Towards zero, as engines do."""
    quotient = abs(one) // abs(other)
    return quotient if (one < 0) == (other < 0) else -quotient


def clip_rule(node: Node, values: list[Value]) -> Outcome:
    """Between two bounds."""
    need_floats(node, values)
    need(all(bound.shape in SCALARS for bound in values[1:]), node, values)
    return unary_rule(node, values)


def cast_rule(node: Node, values: list[Value]) -> Outcome:
    """To another type."""
    to = node.attributes["to"]
    known = values[0].numbers if to in INTEGERS and values[0].element in INTEGERS else None
    return [values[0]._replace(element=int(to), numbers=known)], values[0].size  # type: ignore[arg-type]


def quantise_rule(node: Node, values: list[Value]) -> Outcome:
    """To whole numbers, in steps of a tensor or of each channel."""
    need_floats(node, values[:2])
    return [_scaled(node, values, values[2].element)], values[0].size


def dequantise_rule(node: Node, values: list[Value]) -> Outcome:
    """And back."""
    need_floats(node, values[1:2])
    need(values[0].element in INTEGERS, node, values)
    need(len(values) < 3 or values[2].element == values[0].element, node, values)
    return [_scaled(node, values, FLOAT)], values[0].size


def _scaled(node: Node, values: list[Value], element: int) -> Value:
    value, scale = values[0], values[1]
    if scale.shape not in SCALARS:
        need(value.shape, node, values)
        need(scale.shape == (value.shape[axis_of(node, len(value.shape), 1)],), node, values)
    need(len(values) < 3 or values[2].shape == scale.shape, node, values)
    return value_of(values, value.shape, element)


def convolution_rule(node: Node, values: list[Value]) -> Outcome:
    """Over rows and columns."""
    need_floats(node, values)
    value, weight = values[0].shape, values[1].shape
    need(len(value) == len(weight) == 4, node, values)
    kernel, strides, pads, group = _window(node, weight[2:])
    need(weight[1] * group == value[1] and weight[0] % group == 0, node, values)
    need(len(values) < 3 or values[2].shape == (weight[0],), node, values)
    sides = tuple((value[2 + at] + pads[at] + pads[2 + at] - kernel[at]) // strides[at] + 1 for at in (0, 1))
    need(kernel == weight[2:] and min(sides) > 0, node, values)
    shape = checked((value[0], weight[0], *sides))
    return [value_of(values, shape, FLOAT)], math.prod(shape) * math.prod(weight[1:])


def transposed_convolution_rule(node: Node, values: list[Value]) -> Outcome:
    """Its gradient."""
    need_floats(node, values)
    value, weight = values[0].shape, values[1].shape
    need(len(value) == len(weight) == 4, node, values)
    kernel, strides, pads, group = _window(node, weight[2:])
    need(group == 1 and weight[0] == value[1] and kernel == weight[2:] and min(value) > 0, node, values)
    need(len(values) < 3 or values[2].shape == (weight[1],), node, values)
    sides = tuple(strides[at] * (value[2 + at] - 1) + kernel[at] - pads[at] - pads[2 + at] for at in (0, 1))
    need(min(sides) > 0, node, values)
    shape = checked((value[0], weight[1], *sides))
    return [value_of(values, shape, FLOAT)], math.prod(value) * math.prod(weight[1:])


def _window(node: Node, kernel: Shape) -> tuple[Shape, Shape, Shape, int]:
    """Kernel, strides, paddings and groups."""
    found = node.attributes
    return (
        found.get("kernel_shape", kernel),
        found.get("strides", (1, 1)),
        found.get("pads", (0, 0, 0, 0)),
        found.get("group", 1),
    )  # type: ignore[return-value]  # checked as attributes


def max_pool_rule(node: Node, values: list[Value]) -> Outcome:
    """The largest of each window."""
    need_floats(node, values)
    value = values[0].shape
    need(len(value) == 4 and "kernel_shape" in node.attributes, node, values)
    kernel, strides, pads, _ = _window(node, ())
    sides = tuple((value[2 + at] + pads[at] + pads[2 + at] - kernel[at]) // strides[at] + 1 for at in (0, 1))
    need(min(sides) > 0 and all(pad < side for pad, side in zip(pads, kernel * 2, strict=True)), node, values)
    shape = (*value[:2], *sides)
    return [value_of(values, shape, FLOAT)], math.prod(shape) * math.prod(kernel)


def gemm_rule(node: Node, values: list[Value]) -> Outcome:
    """A product of two matrices, either of them turned, and a bias."""
    need_floats(node, values)
    first, second = values[0].shape, values[1].shape
    need(len(first) == len(second) == 2, node, values)
    first = first[::-1] if node.attributes.get("transA") else first
    second = second[::-1] if node.attributes.get("transB") else second
    need(first[1] == second[0], node, values)
    shape = checked((first[0], second[1]))
    need(len(values) < 3 or broadcast([shape, values[2].shape]) == shape, node, values)
    return [value_of(values, shape, FLOAT)], math.prod(shape) * first[1]


def matmul_rule(node: Node, values: list[Value]) -> Outcome:
    """Products of matrices."""
    need_floats(node, values)
    first, second = values[0].shape, values[1].shape
    need(len(first) >= 2 and len(second) >= 2 and first[-1] == second[-2], node, values)
    shape = checked((*broadcast([first[:-2], second[:-2]]), first[-2], second[-1]))
    return [value_of(values, shape, FLOAT)], math.prod(shape) * first[-1]


def layer_normalisation_rule(node: Node, values: list[Value]) -> Outcome:
    """Along the last axis."""
    need_floats(node, values)
    value = values[0].shape
    need(value and all(one.shape == value[-1:] for one in values[1:]), node, values)
    return [value_of(values, value, FLOAT)], 8 * math.prod(value)
