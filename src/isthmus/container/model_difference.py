"""A model as a difference to another one, its base: small, since only what was learnt anew is there.

Weight matrices differ by products of two narrow ones of bytes, tables over the quality by bytes at its knots. All of it
is whole numbers and single roundings of float64, so the same model comes of it on every machine, and its id proves it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.container.onnx_message import read_message
from isthmus.container.varint import read_varint, write_varint
from isthmus.errors import FormatError, LimitError

HIGH_UNIT = 64
"""Weights of two bytes: the first counts so many times the second."""
MOST_OF_ONE, MOST_OF_TWO = 64, 2047
"""Largest magnitude of a weight in one byte, and in two."""
MAX_RANK, MAX_ENTRIES, MAX_NAME, MAX_EXPONENT = 64, 256, 64, 60
KNOTS, QUALITIES = 9, 100
_TYPES: dict[int, type[np.generic]] = {1: np.float32, 3: np.int8, 10: np.float16}
LOW_RANK, LAYER_BIAS, RELATIVE, ABSOLUTE = range(4)
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class LowRank:
    """What is added to a weight matrix of a graph: `left @ right * 2**-exponent`, in real numbers of the graph.

    Attributes:
        graph: of the model file.
        constants: the matrix: one, or two of which the first counts HIGH_UNIT times.
        steps: the constant with what one is worth, for each output; empty: the constant holds real numbers.
        left: (first side, rank) int8.
        right: (rank, all other sides) int8.
        exponent: -MAX_EXPONENT to MAX_EXPONENT.
    """

    graph: str
    constants: tuple[str, ...]
    steps: str
    left: NDArray[np.int8]
    right: NDArray[np.int8]
    exponent: int


@dataclass(frozen=True)
class AtKnots:
    """What is added to a table over the quality.

    Attributes:
        kind: LAYER_BIAS: in units of a layer's outputs, of an array "layer.NAME.bias" at the knots; RELATIVE and
            ABSOLUTE: of an array with a row for each quality, times itself or as it is.
        array: its name.
        values: (KNOTS, channels) int8.
        exponent: of `LowRank`.
    """

    kind: int
    array: str
    values: NDArray[np.int8]
    exponent: int


@dataclass(frozen=True)
class Difference:
    """All of it but the arrays that are there anew."""

    matrices: tuple[LowRank, ...]
    tables: tuple[AtKnots, ...]


def write_difference(difference: Difference) -> bytes:
    """Its bytes, not compressed."""
    parts = [write_varint(len(difference.matrices))]
    for one in difference.matrices:
        names = [one.graph, one.steps, *one.constants]
        parts += [write_varint(len(one.constants)), *map(_named, names), _signed(one.exponent)]
        parts += [write_varint(one.left.shape[1]), one.left.tobytes(), one.right.tobytes()]
    parts.append(write_varint(len(difference.tables)))
    for table in difference.tables:
        parts += [write_varint(table.kind), _named(table.array), _signed(table.exponent), table.values.tobytes()]
    return b"".join(parts)


def apply_difference(
    data: bytes, graphs: Mapping[str, bytes], arrays: Arrays
) -> tuple[dict[str, bytes], dict[str, NDArray[Any]]]:
    """The graphs and arrays of a base with a written difference.

    Raises:
        FormatError: damaged, or a difference to another model.
        LimitError: more of it than models have.
    """
    reader = _Reader(data)
    changed = {name: bytearray(graph) for name, graph in graphs.items()}
    constants = {name: _constants(graph) for name, graph in changed.items()}
    made = dict(arrays)
    try:
        for _ in range(reader.number(MAX_ENTRIES)):
            _add_product(reader, constants)
        for _ in range(reader.number(MAX_ENTRIES)):
            _add_at_knots(reader, made)
    except (KeyError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"its difference is to another model: {error}") from error
    if reader.rest:
        raise FormatError(f"its difference has {reader.rest} bytes too many")
    return {name: bytes(graph) for name, graph in changed.items()}, made


def whole_of(parts: Sequence[NDArray[np.generic]]) -> NDArray[np.float64]:
    """Weights of one part, or of two bytes."""
    first, *others = (part.astype(np.float64) for part in parts)
    return first * HIGH_UNIT + others[0] if others else first


def real_values(constants: Arrays, names: Sequence[str], steps: str) -> NDArray[np.float64]:
    """A matrix in real numbers of its graph."""
    whole = whole_of([constants[name] for name in names])
    return whole * _along(constants[steps], whole) if steps else whole


def added(constants: Arrays, one: LowRank) -> list[NDArray[np.generic]]:
    """The constants of a matrix with what is added to it, rounded as they are."""
    old = [constants[name] for name in one.constants]
    product = one.left.astype(np.float64) @ one.right.astype(np.float64)  # whole numbers below 2^53
    real = np.ldexp(product, -one.exponent).reshape(old[0].shape)
    if not one.steps:
        return [(old[0].astype(np.float64) + real).astype(old[0].dtype)]
    limit = MOST_OF_TWO if len(old) > 1 else MOST_OF_ONE
    steps = _along(constants[one.steps], old[0])
    new = np.clip(np.rint(whole_of(old) + real / steps), -limit, limit).astype(np.int64)
    if len(old) == 1:
        return [new.astype(np.int8)]
    high = (new + HIGH_UNIT // 2) // HIGH_UNIT
    return [high.astype(np.int8), (new - high * HIGH_UNIT).astype(np.int8)]


def added_at_knots(arrays: Arrays, one: AtKnots) -> NDArray[Any]:
    """A table over the quality with what is added to it."""
    old, values = arrays[one.array], one.values.astype(np.float64)
    if one.kind == LAYER_BIAS:
        shift = arrays[one.array.removesuffix("bias") + "shift"].astype(np.int64)
        shifted: NDArray[Any] = old + np.rint(np.ldexp(values, (shift - one.exponent).astype(int))).astype(old.dtype)
        return shifted
    between = np.ldexp(hats() @ values, -one.exponent) / (QUALITIES - 1)
    wide = old.astype(np.float64)
    new: NDArray[Any] = (wide * (1 + between) if one.kind == RELATIVE else wide + between).astype(old.dtype)
    return new


def hats() -> NDArray[np.float64]:
    """(QUALITIES, KNOTS) whole numbers: how much of each knot is in a quality, in 99ths."""
    distance = np.abs((KNOTS - 1) * np.arange(QUALITIES)[:, None] - (QUALITIES - 1) * np.arange(KNOTS))
    shares: NDArray[np.float64] = np.maximum(QUALITIES - 1 - distance, 0).astype(np.float64)
    return shares


def _add_product(reader: _Reader, constants: Mapping[str, dict[str, NDArray[np.generic]]]) -> None:
    count = reader.number(2)
    graph, steps, *names = (reader.text() for _ in range(2 + count))
    mine = constants[graph]
    if not names or any(mine[name].shape != mine[names[0]].shape or mine[name].ndim < 2 for name in names):
        raise FormatError("its difference names constants that are no matrix")
    exponent, rank = reader.signed(), reader.number(MAX_RANK)
    rows, columns = len(mine[names[0]]), mine[names[0]][0].size
    left, right = reader.bytes_of(rows, rank), reader.bytes_of(rank, columns)
    one = LowRank(graph, tuple(names), steps, left, right, exponent)
    for name, values in zip(names, added(mine, one), strict=True):
        mine[name][...] = values


def _add_at_knots(reader: _Reader, arrays: dict[str, NDArray[Any]]) -> None:
    kind, name, exponent = reader.number(ABSOLUTE), reader.text(), reader.signed()
    rows = KNOTS if kind == LAYER_BIAS else QUALITIES
    if kind == LOW_RANK or arrays[name].ndim != 2 or len(arrays[name]) != rows:
        raise FormatError(f"its difference changes {name!r}, which is no table over the quality")
    one = AtKnots(kind, name, reader.bytes_of(KNOTS, arrays[name].shape[1]), exponent)
    arrays[name] = added_at_knots(arrays, one)


def _constants(graph: bytearray) -> dict[str, NDArray[np.generic]]:
    """Of a graph by name, as views of its bytes that can be written to."""
    tensors = read_message(graph).get("graph", {}).get("initializer", [])  # type: ignore[arg-type]
    return {
        one["name"]: np.frombuffer(one["raw_data"], _TYPES[one["data_type"]]).reshape(one["dims"])
        for one in tensors
        if one.get("data_type") in _TYPES and "dims" in one and "raw_data" in one
    }


def _along(steps: NDArray[Any], matrix: NDArray[Any]) -> NDArray[np.float64]:
    """A step for each output: the first side of a convolution, the second one of a matrix."""
    wide = [-1, *[1] * (matrix.ndim - 1)] if matrix.ndim > 2 else [1, -1]
    return steps.astype(np.float64).reshape(wide)


def _named(name: str) -> bytes:
    return write_varint(len(name.encode())) + name.encode()


def _signed(value: int) -> bytes:
    return write_varint(value + MAX_EXPONENT)


class _Reader:
    """Takes a difference apart."""

    def __init__(self, data: bytes) -> None:
        self._data, self._offset = data, 0

    @property
    def rest(self) -> int:
        return len(self._data) - self._offset

    def number(self, most: int) -> int:
        value, self._offset = read_varint(self._data, self._offset)
        if value > most:
            raise LimitError(f"its difference has the number {value} where at most {most} is")
        return value

    def signed(self) -> int:
        return self.number(2 * MAX_EXPONENT) - MAX_EXPONENT

    def text(self) -> str:
        return self._take(self.number(MAX_NAME)).decode("ascii", errors="replace")

    def bytes_of(self, rows: int, columns: int) -> NDArray[np.int8]:
        return np.frombuffer(self._take(rows * columns), np.int8).reshape(rows, columns)

    def _take(self, count: int) -> bytes:
        if count > self.rest:
            raise FormatError("its difference ends too early")
        part = self._data[self._offset : self._offset + count]
        self._offset += count
        return part


BaseFinder = Callable[[bytes], Any]
"""From an id to the model of it."""
