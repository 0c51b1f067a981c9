"""What follows from an operator that moves numbers, and computes none: see `graph_rules`."""

from __future__ import annotations

import math
from typing import Any

from isthmus.container.graph_rules import SCALARS, Outcome, axis_of, known_ints, need, need_floats, refusal, value_of
from isthmus.container.graph_values import FLOAT, INT64, SIDES, Node, Value, broadcast, checked


def shape_rule(node: Node, values: list[Value]) -> Outcome:
    """The sides of a value."""
    begin: Any = node.attributes.get("start", 0)
    end: Any = node.attributes.get("end")
    sides = values[0].shape[begin:end]
    return [Value((len(sides),), INT64, sides, is_constant=True)], len(sides)


def reshape_rule(node: Node, values: list[Value]) -> Outcome:
    """The same numbers in other sides."""
    value, wanted = values[0], list(known_ints(node, values[1]))
    if not node.attributes.get("allowzero"):
        need(len(wanted) <= len(value.shape) or 0 not in wanted[len(value.shape) :], node, values)
        wanted = [side or value.shape[at] for at, side in enumerate(wanted)]
    if -1 in wanted:
        rest = -math.prod(wanted)
        need(rest > 0 and value.size % rest == 0, node, values)
        wanted[wanted.index(-1)] = value.size // rest
    shape = checked(tuple(wanted))
    need(math.prod(shape) == value.size, node, values)
    return [value_of(values, shape, value.element, value.numbers if len(shape) == 1 else None)], value.size


def expand_rule(node: Node, values: list[Value]) -> Outcome:
    """Repeated to a shape."""
    shape = broadcast([values[0].shape, checked(known_ints(node, values[1]))])
    return [value_of(values, shape, values[0].element)], math.prod(shape)


def transpose_rule(node: Node, values: list[Value]) -> Outcome:
    """Axes in another order."""
    order: tuple[int, ...] = node.attributes["perm"]  # type: ignore[assignment]  # checked as attributes
    need(len(order) == len(values[0].shape), node, values)
    shape = tuple(values[0].shape[at] for at in order)
    return [value_of(values, shape, values[0].element)], values[0].size


def slice_rule(node: Node, values: list[Value]) -> Outcome:
    """A part of some axes."""
    value = values[0]
    starts, ends = known_ints(node, values[1]), known_ints(node, values[2])
    axes = known_ints(node, values[3]) if len(values) > 3 else tuple(range(len(starts)))
    steps = known_ints(node, values[4]) if len(values) > 4 else (1,) * len(starts)
    rank = len(value.shape)
    need(len(starts) == len(ends) == len(axes) == len(steps), node, values)
    need(all(-rank <= axis < rank for axis in axes) and all(step > 0 for step in steps), node, values)
    need(len({axis % rank for axis in axes}) == len(axes), node, values)
    shape, known = list(value.shape), value.numbers
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        shape[axis] = len(range(*slice(start, end, step).indices(shape[axis])))
        known = known[start:end:step] if known is not None and rank == 1 else None
    return [value_of(values, tuple(shape), value.element, known)], math.prod(shape)


def split_rule(node: Node, values: list[Value]) -> Outcome:
    """Parts along an axis."""
    value, parts = values[0], known_ints(node, values[1])
    axis = axis_of(node, len(value.shape))
    need(len(parts) == len(node.outputs) and min(parts) > 0 and sum(parts) == value.shape[axis], node, values)
    shapes = [(*value.shape[:axis], part, *value.shape[axis + 1 :]) for part in parts]
    return [value_of(values, shape, value.element) for shape in shapes], value.size


def concat_rule(node: Node, values: list[Value]) -> Outcome:
    """Joined along an axis."""
    first = values[0]
    axis = axis_of(node, len(first.shape))
    rests = {(value.element, value.shape[:axis], value.shape[axis + 1 :], len(value.shape)) for value in values}
    need(len(rests) == 1, node, values)
    shape = list(first.shape)
    shape[axis] = sum(value.shape[axis] for value in values)
    known = None
    if len(shape) == 1 and all(value.numbers is not None for value in values):
        known = tuple(one for value in values for one in value.numbers or ())
    return [value_of(values, checked(tuple(shape)), first.element, known)], math.prod(shape)


def gather_rule(node: Node, values: list[Value]) -> Outcome:
    """Some places along an axis."""
    value, places = values[0], known_ints(node, values[1])
    axis = axis_of(node, len(value.shape))
    side = value.shape[axis]
    need(all(-side <= place < side for place in places), node, values)
    shape = checked((*value.shape[:axis], len(places), *value.shape[axis + 1 :]))
    known = tuple(value.numbers[place] for place in places) if value.numbers and len(value.shape) == 1 else None
    return [value_of(values, shape, value.element, known)], math.prod(shape)


def unsqueeze_rule(node: Node, values: list[Value]) -> Outcome:
    """Axes of one more."""
    axes = known_ints(node, values[1])
    rank = len(values[0].shape) + len(axes)
    need(all(-rank <= axis < rank for axis in axes), node, values)
    places = {axis % rank for axis in axes}
    need(len(places) == len(axes), node, values)
    sides = iter(values[0].shape)
    shape = checked(tuple(1 if at in places else next(sides) for at in range(rank)))
    return [value_of(values, shape, values[0].element, values[0].numbers)], values[0].size


def squeeze_rule(node: Node, values: list[Value]) -> Outcome:
    """Without axes of one."""
    del node
    shape = tuple(side for side in values[0].shape if side != 1)
    return [value_of(values, shape, values[0].element, values[0].numbers)], values[0].size


def pad_rule(node: Node, values: list[Value]) -> Outcome:
    """With more at the edges."""
    value, pads = values[0], known_ints(node, values[1])
    rank = len(value.shape)
    need(len(pads) == 2 * rank and all(0 <= pad < SIDES for pad in pads), node, values)
    need(len(values) < 3 or (values[2].shape in SCALARS and values[2].element == value.element), node, values)
    need(min(value.shape, default=0) > 0, node, values)
    shape = checked(tuple(pads[at] + value.shape[at] + pads[rank + at] for at in range(rank)))
    return [value_of(values, shape, value.element)], math.prod(shape)


def resize_rule(node: Node, values: list[Value]) -> Outcome:
    """Each number repeated."""
    value, scales = values[0], values[2].numbers
    if scales is None or values[2].element != FLOAT or len(scales) != len(value.shape):
        raise refusal(node, values)
    need_floats(node, values[:1])
    need(all(scale in range(1, 65) for scale in scales), node, values)
    shape = checked(tuple(side * int(scale) for side, scale in zip(value.shape, scales, strict=True)))
    return [value_of(values, shape, FLOAT)], math.prod(shape)


def depth_to_space_rule(node: Node, values: list[Value]) -> Outcome:
    """Channels to squares of pixels."""
    value, side = values[0].shape, int(node.attributes["blocksize"])  # type: ignore[arg-type]
    need(len(value) == 4 and value[1] % (side * side) == 0, node, values)
    shape = (value[0], value[1] // (side * side), value[2] * side, value[3] * side)
    return [value_of(values, shape, values[0].element)], values[0].size
