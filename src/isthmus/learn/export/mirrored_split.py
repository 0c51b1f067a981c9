"""The graph of a `MirroredSplit`: four small products, one for each way in which mirrors turn signs, and their sums.

A latent that a mirror leaves alone gives both of the positions that the mirror swaps the same, one whose sign it turns
the opposite; but for the outputs whose own sign is turned, where it is the other way round.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus.learn.export.block_parts import array
from isthmus.learn.export.graph_builder import GraphBuilder
from isthmus.learn.models.photo_transforms import FINE, MirroredSplit

CLASSES = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Whether a mirror that swaps rows turns the sign, and one that swaps columns."""


def class_order(layer: MirroredSplit) -> NDArray[np.int64]:
    """The latents, class behind class."""
    return np.argsort(_class_numbers(layer), kind="stable")


def mirrored_split(builder: GraphBuilder, x: str, layer: MirroredSplit) -> str:
    """(1, rows, columns, latents in `class_order`) -> (1, 2 rows, 2 columns, FINE)."""
    numbers = _class_numbers(layer)
    parts = builder.split(x, np.bincount(numbers, minlength=len(CLASSES)))
    corner = array(layer.folded()).reshape(FINE, 4, -1)[:, 0]  # the other positions' weights differ in signs alone
    biases = array(layer.bias).reshape(FINE, 2, 2)
    made = []
    for number, (part, of_class) in enumerate(zip(parts, CLASSES, strict=True)):
        signs = np.stack([[_signs(layer, of_class, row, column) for column in (0, 1)] for row in (0, 1)])
        bias = (np.moveaxis(signs, -1, 0) * biases).mean((1, 2))
        made.append(builder.matrix(part, corner[:, numbers == number], bias))
    left, right = ([builder.node(operator, made[row], made[row + 1]) for row in (0, 2)] for operator in ("Add", "Sub"))
    rows = []
    for row, operator in enumerate(("Add", "Sub")):
        columns = [builder.node(operator, *pair) for pair in (left, right)]
        turned = [
            builder.node("Mul", sums, builder.constant(_signs(layer, (0, 0), row, column))) if row or column else sums
            for column, sums in enumerate(columns)
        ]
        rows.append(builder.join(3, *turned))
    return builder.interleaved_rows(rows, FINE)


def _class_numbers(layer: MirroredSplit) -> NDArray[np.int64]:
    """(latents,) which of the classes each is of."""
    rows, columns = layer.turns.numpy().astype(np.int64)
    numbers: NDArray[np.int64] = 2 * rows + columns
    return numbers


def _signs(layer: MirroredSplit, of_class: tuple[int, int], row: int, column: int) -> NDArray[np.float32]:
    """(FINE,) what each output of a class is multiplied by at one of the four positions, if not at the first."""
    signs = np.ones(FINE, np.float32)
    for is_turned, fine, is_second in zip(of_class, layer.fine_turns.numpy(), (row, column), strict=True):
        if is_second:
            signs *= 1 - 2 * (fine ^ bool(is_turned))
    return signs
