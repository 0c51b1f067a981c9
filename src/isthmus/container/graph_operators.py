"""The operators that exported graphs are made of: what each takes, and the rule that says what follows from it.

No control flow, no sequences, no strings, nothing that reads a file; and no operator whose output's size depends on
what a picture shows.
"""

from __future__ import annotations

import math
import operator as arithmetic
from collections.abc import Callable, Mapping
from typing import NamedTuple

from isthmus.container.graph_rules import (
    Rule,
    binary_rule,
    cast_rule,
    clip_rule,
    convolution_rule,
    dequantise_rule,
    divide,
    gemm_rule,
    layer_normalisation_rule,
    matmul_rule,
    max_pool_rule,
    quantise_rule,
    same_rule,
    transposed_convolution_rule,
    unary_rule,
)
from isthmus.container.graph_shape_rules import (
    concat_rule,
    depth_to_space_rule,
    expand_rule,
    gather_rule,
    pad_rule,
    reshape_rule,
    resize_rule,
    shape_rule,
    slice_rule,
    split_rule,
    squeeze_rule,
    transpose_rule,
    unsqueeze_rule,
)
from isthmus.container.graph_values import SIDES, Attribute

Check = Callable[[Attribute], bool]


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
    **{name: Operator(unary_rule) for name in _UNARY},
    "Add": Operator(binary_rule(arithmetic.add), (2, 2)),
    "Cast": Operator(cast_rule, attributes={"to": one_of(1, 2, 3, 5, 6, 7)}),
    "Clip": Operator(clip_rule, (1, 3)),
    "Concat": Operator(concat_rule, (1, 64), _AXIS),
    "Conv": Operator(convolution_rule, (2, 3), _WINDOW | _GROUP),
    "ConvTranspose": Operator(
        transposed_convolution_rule, (2, 3), _WINDOW | {"group": one_of(1), "output_padding": one_of((0, 0))}
    ),
    "DepthToSpace": Operator(
        depth_to_space_rule, attributes={"blocksize": number(1, 256), "mode": one_of("CRD", "DCR")}
    ),
    "DequantizeLinear": Operator(dequantise_rule, (2, 3), _AXIS),
    "Div": Operator(binary_rule(divide), (2, 2)),
    "Expand": Operator(expand_rule, (2, 2)),
    "Gather": Operator(gather_rule, (2, 2), _AXIS),
    "Gelu": Operator(unary_rule, attributes={"approximate": one_of("none", "tanh")}),
    "Gemm": Operator(
        gemm_rule, (2, 3), {"alpha": _is_real, "beta": _is_real, "transA": one_of(0, 1), "transB": one_of(0, 1)}
    ),
    "Identity": Operator(same_rule),
    "LayerNormalization": Operator(
        layer_normalisation_rule, (2, 3), {"axis": one_of(-1), "epsilon": _is_real, "stash_type": one_of(1)}
    ),
    "LeakyRelu": Operator(unary_rule, attributes={"alpha": _is_real}),
    "MatMul": Operator(matmul_rule, (2, 2)),
    "Max": Operator(binary_rule(max), (2, 2)),
    "MaxPool": Operator(max_pool_rule, attributes=_WINDOW | {"ceil_mode": one_of(0), "storage_order": one_of(0)}),
    "Min": Operator(binary_rule(min), (2, 2)),
    "Mul": Operator(binary_rule(arithmetic.mul), (2, 2)),
    "Pad": Operator(pad_rule, (2, 3), {"mode": one_of("constant", "edge")}),
    "Pow": Operator(binary_rule(None), (2, 2)),
    "QuantizeLinear": Operator(quantise_rule, (3, 3), _AXIS),
    "Reshape": Operator(reshape_rule, (2, 2), {"allowzero": one_of(0, 1)}),
    "Resize": Operator(
        resize_rule,
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
    "Shape": Operator(shape_rule, attributes={"start": number(-8, 8), "end": number(-8, 8)}),
    "Slice": Operator(slice_rule, (3, 5)),
    "Split": Operator(split_rule, (2, 2), _AXIS, outputs=(1, 64)),
    "Squeeze": Operator(squeeze_rule),
    "Sub": Operator(binary_rule(arithmetic.sub), (2, 2)),
    "Transpose": Operator(transpose_rule, attributes={"perm": _is_permutation}),
    "Unsqueeze": Operator(unsqueeze_rule, (2, 2)),
}
"""By name: what ONNX has beyond these is refused."""
REQUIRED = {"Cast": ("to",), "DepthToSpace": ("blocksize",), "Transpose": ("perm",), "Concat": ("axis",)}
"""Attributes without which an operator is none."""
