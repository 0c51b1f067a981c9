"""The operators that exported graphs are made of: what each takes, and what follows for shapes and work.

No control flow, no sequences, no strings, nothing that reads a file; and no operator whose output's size depends on
what a picture shows. A rule gets a node and what is known of its inputs, and returns what is known of its outputs and
how many products of two numbers they take.
"""

from __future__ import annotations

import math
import operator as arithmetic
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from isthmus.container.graph_values import (
    FLOAT,
    INT64,
    INTEGERS,
    MAX_KNOWN,
    Attribute,
    Node,
    Shape,
    Value,
    broadcast,
    checked,
)
from isthmus.errors import FormatError

Outcome = tuple[list[Value], int]
Rule = Callable[[Node, list[Value]], Outcome]
Check = Callable[[Attribute], bool]

_SCALARS = ((), (1,))
SIDES = 1 << 12
"""What kernels, strides and paddings stay below."""


class Operator(NamedTuple):
    """An operator of the ONNX standard, as far as exported graphs use it."""

    rule: Rule
    inputs: tuple[int, int] = (1, 1)
    """At least and at most."""
    attributes: Mapping[str, Check] = {}
    outputs: tuple[int, int] = (1, 1)
    has_gaps: bool = False
    """Whether an input may be left out with others behind it."""


def one_of(*choices: Attribute) -> Check:
    """One of some values, of their type."""
    return lambda value: any(type(value) is type(choice) and value == choice for choice in choices)


def number(least: int, most: int) -> Check:
    """A whole number."""
    return lambda value: isinstance(value, int) and least <= value <= most


def numbers(count: int, least: int, most: int) -> Check:
    """So many whole numbers."""
    return lambda value: isinstance(value, tuple) and len(value) == count and all(least <= one <= most for one in value)


def _is_real(value: Attribute) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _is_permutation(value: Attribute) -> bool:
    return isinstance(value, tuple) and sorted(value) == list(range(len(value)))


def _refuse(node: Node, values: list[Value]) -> FormatError:
    shapes = ", ".join(str(value.shape) for value in values)
    return FormatError(f"has a {node.operator} of the shapes {shapes}, which do not go together")


def _need(is_so: object, node: Node, values: list[Value]) -> None:
    if not is_so:
        raise _refuse(node, values)


def _floats(node: Node, values: list[Value]) -> None:
    """Refuse arithmetic on whole numbers that are not known: engines end the process where they divide by zero."""
    for value in values:
        if value.element == FLOAT:
            continue
        raise FormatError(f"has a {node.operator} of other numbers than single-precision ones")


def _ints(node: Node, value: Value) -> tuple[int, ...]:
    """A list of whole numbers that shapes and constants decide."""
    if value.numbers is None or len(value.shape) != 1 or value.element != INT64:
        raise FormatError(f"has a {node.operator} whose output's shape depends on what a picture shows")
    return tuple(int(one) for one in value.numbers)


def _axis(node: Node, rank: int, default: int = 0) -> int:
    axis = node.attributes.get("axis", default)
    if not isinstance(axis, int) or not -rank <= axis < rank:
        raise FormatError(f"has a {node.operator} along the axis {axis} of {rank}")
    return axis % rank


def _of(values: list[Value], shape: Shape, element: int, known: tuple[int | float, ...] | None = None) -> Value:
    known = known if known is not None and len(known) <= MAX_KNOWN else None
    return Value(shape, element, known, False not in [value.is_constant for value in values])  # in half of all()'s time


def _unary(node: Node, values: list[Value]) -> Outcome:
    _floats(node, values[:1])
    return [values[0]._replace(numbers=None)], values[0].size


def _same(node: Node, values: list[Value]) -> Outcome:
    del node
    return [values[0]], values[0].size


def _binary(compute: Callable[[int, int], int] | None) -> Rule:
    def rule(node: Node, values: list[Value]) -> Outcome:
        first, second = values
        shape = broadcast([first.shape, second.shape])
        if first.numbers is None or second.numbers is None or compute is None or first.element != INT64:
            _floats(node, values)
            return [_of(values, shape, FLOAT)], math.prod(shape)
        _need(second.element == INT64 and len(shape) <= 1, node, values)
        count = math.prod(shape)
        pairs = zip(_times(first.numbers, count), _times(second.numbers, count), strict=True)
        try:
            known = tuple(compute(int(one), int(other)) for one, other in pairs)
        except ZeroDivisionError as error:
            raise FormatError("divides a shape by zero") from error
        return [_of(values, shape, INT64, known)], count

    return rule


def _times(known: tuple[int | float, ...], count: int) -> tuple[int | float, ...]:
    return known * count if len(known) == 1 else known


def _divide(one: int, other: int) -> int:
    """Towards zero, as engines do."""
    quotient = abs(one) // abs(other)
    return quotient if (one < 0) == (other < 0) else -quotient


def _clip(node: Node, values: list[Value]) -> Outcome:
    _floats(node, values)
    _need(all(bound.shape in _SCALARS for bound in values[1:]), node, values)
    return _unary(node, values)


def _cast(node: Node, values: list[Value]) -> Outcome:
    to = node.attributes["to"]
    known = values[0].numbers if to in INTEGERS and values[0].element in INTEGERS else None
    return [values[0]._replace(element=int(to), numbers=known)], values[0].size  # type: ignore[arg-type]


def _quantise(node: Node, values: list[Value]) -> Outcome:
    _floats(node, values[:2])
    return [_scaled(node, values, values[2].element)], values[0].size


def _dequantise(node: Node, values: list[Value]) -> Outcome:
    _floats(node, values[1:2])
    _need(values[0].element in INTEGERS, node, values)
    _need(len(values) < 3 or values[2].element == values[0].element, node, values)
    return [_scaled(node, values, FLOAT)], values[0].size


def _scaled(node: Node, values: list[Value], element: int) -> Value:
    value, scale = values[0], values[1]
    if scale.shape not in _SCALARS:
        _need(value.shape, node, values)
        _need(scale.shape == (value.shape[_axis(node, len(value.shape), 1)],), node, values)
    _need(len(values) < 3 or values[2].shape == scale.shape, node, values)
    return _of(values, value.shape, element)


def _convolution(node: Node, values: list[Value]) -> Outcome:
    _floats(node, values)
    value, weight = values[0].shape, values[1].shape
    _need(len(value) == len(weight) == 4, node, values)
    kernel, strides, pads, group = _window(node, weight[2:])
    _need(weight[1] * group == value[1] and weight[0] % group == 0, node, values)
    _need(len(values) < 3 or values[2].shape == (weight[0],), node, values)
    sides = tuple((value[2 + at] + pads[at] + pads[2 + at] - kernel[at]) // strides[at] + 1 for at in (0, 1))
    _need(kernel == weight[2:] and min(sides) > 0, node, values)
    shape = checked((value[0], weight[0], *sides))
    return [_of(values, shape, FLOAT)], math.prod(shape) * math.prod(weight[1:])


def _transposed_convolution(node: Node, values: list[Value]) -> Outcome:
    _floats(node, values)
    value, weight = values[0].shape, values[1].shape
    _need(len(value) == len(weight) == 4, node, values)
    kernel, strides, pads, group = _window(node, weight[2:])
    _need(group == 1 and weight[0] == value[1] and kernel == weight[2:] and min(value) > 0, node, values)
    _need(len(values) < 3 or values[2].shape == (weight[1],), node, values)
    sides = tuple(strides[at] * (value[2 + at] - 1) + kernel[at] - pads[at] - pads[2 + at] for at in (0, 1))
    _need(min(sides) > 0, node, values)
    shape = checked((value[0], weight[1], *sides))
    return [_of(values, shape, FLOAT)], math.prod(value) * math.prod(weight[1:])


def _window(node: Node, kernel: Shape) -> tuple[Shape, Shape, Shape, int]:
    """Kernel, strides, paddings and groups."""
    found = node.attributes
    return (
        found.get("kernel_shape", kernel),
        found.get("strides", (1, 1)),
        found.get("pads", (0, 0, 0, 0)),
        found.get("group", 1),
    )  # type: ignore[return-value]  # checked as attributes


def _max_pool(node: Node, values: list[Value]) -> Outcome:
    _floats(node, values)
    value = values[0].shape
    _need(len(value) == 4 and "kernel_shape" in node.attributes, node, values)
    kernel, strides, pads, _ = _window(node, ())
    sides = tuple((value[2 + at] + pads[at] + pads[2 + at] - kernel[at]) // strides[at] + 1 for at in (0, 1))
    _need(min(sides) > 0 and all(pad < side for pad, side in zip(pads, kernel * 2, strict=True)), node, values)
    shape = (*value[:2], *sides)
    return [_of(values, shape, FLOAT)], math.prod(shape) * math.prod(kernel)


def _gemm(node: Node, values: list[Value]) -> Outcome:
    _floats(node, values)
    first, second = values[0].shape, values[1].shape
    _need(len(first) == len(second) == 2, node, values)
    first = first[::-1] if node.attributes.get("transA") else first
    second = second[::-1] if node.attributes.get("transB") else second
    _need(first[1] == second[0], node, values)
    shape = checked((first[0], second[1]))
    _need(len(values) < 3 or broadcast([shape, values[2].shape]) == shape, node, values)
    return [_of(values, shape, FLOAT)], math.prod(shape) * first[1]


def _matmul(node: Node, values: list[Value]) -> Outcome:
    _floats(node, values)
    first, second = values[0].shape, values[1].shape
    _need(len(first) >= 2 and len(second) >= 2 and first[-1] == second[-2], node, values)
    shape = checked((*broadcast([first[:-2], second[:-2]]), first[-2], second[-1]))
    return [_of(values, shape, FLOAT)], math.prod(shape) * first[-1]


def _layer_normalisation(node: Node, values: list[Value]) -> Outcome:
    _floats(node, values)
    value = values[0].shape
    _need(value and all(one.shape == value[-1:] for one in values[1:]), node, values)
    return [_of(values, value, FLOAT)], 8 * math.prod(value)


def _shape(node: Node, values: list[Value]) -> Outcome:
    begin: Any = node.attributes.get("start", 0)
    end: Any = node.attributes.get("end")
    sides = values[0].shape[begin:end]
    return [Value((len(sides),), INT64, sides, is_constant=True)], len(sides)


def _reshape(node: Node, values: list[Value]) -> Outcome:
    value, wanted = values[0], list(_ints(node, values[1]))
    if not node.attributes.get("allowzero"):
        _need(len(wanted) <= len(value.shape) or 0 not in wanted[len(value.shape) :], node, values)
        wanted = [side or value.shape[at] for at, side in enumerate(wanted)]
    if -1 in wanted:
        rest = -math.prod(wanted)
        _need(rest > 0 and value.size % rest == 0, node, values)
        wanted[wanted.index(-1)] = value.size // rest
    shape = checked(tuple(wanted))
    _need(math.prod(shape) == value.size, node, values)
    return [_of(values, shape, value.element, value.numbers if len(shape) == 1 else None)], value.size


def _expand(node: Node, values: list[Value]) -> Outcome:
    shape = broadcast([values[0].shape, checked(_ints(node, values[1]))])
    return [_of(values, shape, values[0].element)], math.prod(shape)


def _transpose(node: Node, values: list[Value]) -> Outcome:
    order: tuple[int, ...] = node.attributes["perm"]  # type: ignore[assignment]  # checked as attributes
    _need(len(order) == len(values[0].shape), node, values)
    shape = tuple(values[0].shape[at] for at in order)
    return [_of(values, shape, values[0].element)], values[0].size


def _slice(node: Node, values: list[Value]) -> Outcome:
    value = values[0]
    starts, ends = _ints(node, values[1]), _ints(node, values[2])
    axes = _ints(node, values[3]) if len(values) > 3 else tuple(range(len(starts)))
    steps = _ints(node, values[4]) if len(values) > 4 else (1,) * len(starts)
    rank = len(value.shape)
    _need(len(starts) == len(ends) == len(axes) == len(steps), node, values)
    _need(all(-rank <= axis < rank for axis in axes) and all(step > 0 for step in steps), node, values)
    _need(len({axis % rank for axis in axes}) == len(axes), node, values)
    shape, known = list(value.shape), value.numbers
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        shape[axis] = len(range(*slice(start, end, step).indices(shape[axis])))
        known = known[start:end:step] if known is not None and rank == 1 else None
    return [_of(values, tuple(shape), value.element, known)], math.prod(shape)


def _split(node: Node, values: list[Value]) -> Outcome:
    value, parts = values[0], _ints(node, values[1])
    axis = _axis(node, len(value.shape))
    _need(len(parts) == len(node.outputs) and min(parts) > 0 and sum(parts) == value.shape[axis], node, values)
    shapes = [(*value.shape[:axis], part, *value.shape[axis + 1 :]) for part in parts]
    return [_of(values, shape, value.element) for shape in shapes], value.size


def _concat(node: Node, values: list[Value]) -> Outcome:
    first = values[0]
    axis = _axis(node, len(first.shape))
    rests = {(value.element, value.shape[:axis], value.shape[axis + 1 :], len(value.shape)) for value in values}
    _need(len(rests) == 1, node, values)
    shape = list(first.shape)
    shape[axis] = sum(value.shape[axis] for value in values)
    known = None
    if len(shape) == 1 and all(value.numbers is not None for value in values):
        known = tuple(one for value in values for one in value.numbers or ())
    return [_of(values, checked(tuple(shape)), first.element, known)], math.prod(shape)


def _gather(node: Node, values: list[Value]) -> Outcome:
    value, places = values[0], _ints(node, values[1])
    axis = _axis(node, len(value.shape))
    side = value.shape[axis]
    _need(all(-side <= place < side for place in places), node, values)
    shape = checked((*value.shape[:axis], len(places), *value.shape[axis + 1 :]))
    known = tuple(value.numbers[place] for place in places) if value.numbers and len(value.shape) == 1 else None
    return [_of(values, shape, value.element, known)], math.prod(shape)


def _unsqueeze(node: Node, values: list[Value]) -> Outcome:
    axes = _ints(node, values[1])
    rank = len(values[0].shape) + len(axes)
    _need(all(-rank <= axis < rank for axis in axes), node, values)
    places = {axis % rank for axis in axes}
    _need(len(places) == len(axes), node, values)
    sides = iter(values[0].shape)
    shape = checked(tuple(1 if at in places else next(sides) for at in range(rank)))
    return [_of(values, shape, values[0].element, values[0].numbers)], values[0].size


def _squeeze(node: Node, values: list[Value]) -> Outcome:
    del node
    shape = tuple(side for side in values[0].shape if side != 1)
    return [_of(values, shape, values[0].element, values[0].numbers)], values[0].size


def _pad(node: Node, values: list[Value]) -> Outcome:
    value, pads = values[0], _ints(node, values[1])
    rank = len(value.shape)
    _need(len(pads) == 2 * rank and all(0 <= pad < SIDES for pad in pads), node, values)
    _need(len(values) < 3 or (values[2].shape in _SCALARS and values[2].element == value.element), node, values)
    _need(min(value.shape, default=0) > 0, node, values)
    shape = checked(tuple(pads[at] + value.shape[at] + pads[rank + at] for at in range(rank)))
    return [_of(values, shape, value.element)], math.prod(shape)


def _resize(node: Node, values: list[Value]) -> Outcome:
    value, scales = values[0], values[2].numbers
    if scales is None or values[2].element != FLOAT or len(scales) != len(value.shape):
        raise _refuse(node, values)
    _floats(node, values[:1])
    _need(all(scale in range(1, 65) for scale in scales), node, values)
    shape = checked(tuple(side * int(scale) for side, scale in zip(value.shape, scales, strict=True)))
    return [_of(values, shape, FLOAT)], math.prod(shape)


def _depth_to_space(node: Node, values: list[Value]) -> Outcome:
    value, side = values[0].shape, int(node.attributes["blocksize"])  # type: ignore[arg-type]
    _need(len(value) == 4 and value[1] % (side * side) == 0, node, values)
    shape = (value[0], value[1] // (side * side), value[2] * side, value[3] * side)
    return [_of(values, shape, values[0].element)], values[0].size


_UNARY = (
    *("Abs", "Ceil", "Erf", "Exp", "Floor", "Log", "Neg", "Reciprocal", "Relu", "Round", "Sigmoid", "Sign"),
    *("Softplus", "Sqrt", "Tanh"),
)
_WINDOW: dict[str, Check] = {
    "auto_pad": one_of("NOTSET"),
    "dilations": one_of((1, 1)),
    "kernel_shape": numbers(2, 1, SIDES),
    "pads": numbers(4, 0, SIDES),
    "strides": numbers(2, 1, SIDES),
}
_GROUP = {"group": number(1, 1 << 16)}
_AXIS = {"axis": number(-8, 7)}

OPERATORS: dict[str, Operator] = {
    **{name: Operator(_unary) for name in _UNARY},
    "Add": Operator(_binary(arithmetic.add), (2, 2)),
    "Cast": Operator(_cast, attributes={"to": one_of(1, 2, 3, 5, 6, 7)}),
    "Clip": Operator(_clip, (1, 3)),
    "Concat": Operator(_concat, (1, 64), _AXIS),
    "Conv": Operator(_convolution, (2, 3), _WINDOW | _GROUP),
    "ConvTranspose": Operator(
        _transposed_convolution, (2, 3), _WINDOW | {"group": one_of(1), "output_padding": one_of((0, 0))}
    ),
    "DepthToSpace": Operator(_depth_to_space, attributes={"blocksize": number(1, 256), "mode": one_of("CRD", "DCR")}),
    "DequantizeLinear": Operator(_dequantise, (2, 3), _AXIS),
    "Div": Operator(_binary(_divide), (2, 2)),
    "Expand": Operator(_expand, (2, 2)),
    "Gather": Operator(_gather, (2, 2), _AXIS),
    "Gelu": Operator(_unary, attributes={"approximate": one_of("none", "tanh")}),
    "Gemm": Operator(
        _gemm, (2, 3), {"alpha": _is_real, "beta": _is_real, "transA": one_of(0, 1), "transB": one_of(0, 1)}
    ),
    "Identity": Operator(_same),
    "LayerNormalization": Operator(
        _layer_normalisation, (2, 3), {"axis": one_of(-1), "epsilon": _is_real, "stash_type": one_of(1)}
    ),
    "LeakyRelu": Operator(_unary, attributes={"alpha": _is_real}),
    "MatMul": Operator(_matmul, (2, 2)),
    "Max": Operator(_binary(max), (2, 2)),
    "MaxPool": Operator(_max_pool, attributes=_WINDOW | {"ceil_mode": one_of(0), "storage_order": one_of(0)}),
    "Min": Operator(_binary(min), (2, 2)),
    "Mul": Operator(_binary(arithmetic.mul), (2, 2)),
    "Pad": Operator(_pad, (2, 3), {"mode": one_of("constant", "edge")}),
    "Pow": Operator(_binary(None), (2, 2)),
    "QuantizeLinear": Operator(_quantise, (3, 3), _AXIS),
    "Reshape": Operator(_reshape, (2, 2), {"allowzero": one_of(0, 1)}),
    "Resize": Operator(
        _resize,
        (3, 3),
        {
            "antialias": one_of(0),
            "coordinate_transformation_mode": one_of("asymmetric"),
            "cubic_coeff_a": _is_real,
            "exclude_outside": one_of(0),
            "extrapolation_value": _is_real,
            "keep_aspect_ratio_policy": one_of("stretch"),
            "mode": one_of("nearest"),
            "nearest_mode": one_of("floor"),
        },
        has_gaps=True,
    ),
    "Shape": Operator(_shape, attributes={"start": number(-8, 8), "end": number(-8, 8)}),
    "Slice": Operator(_slice, (3, 5)),
    "Split": Operator(_split, (2, 2), _AXIS, outputs=(1, 64)),
    "Squeeze": Operator(_squeeze),
    "Sub": Operator(_binary(arithmetic.sub), (2, 2)),
    "Transpose": Operator(_transpose, attributes={"perm": _is_permutation}),
    "Unsqueeze": Operator(_unsqueeze, (2, 2)),
}
"""By name: what ONNX has beyond these is refused."""
REQUIRED = {"Cast": ("to",), "DepthToSpace": ("blocksize",), "Transpose": ("perm",), "Concat": ("axis",)}
"""Attributes without which an operator is none."""
