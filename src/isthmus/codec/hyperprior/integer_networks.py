"""The integer entropy networks on an engine: exact, equal to `entropy.reference_networks.ReferenceNetworks`."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.reference_networks import (
    DECODED_LIMIT,
    PASSES,
    Integers,
    PriorNetworks,
    QualityBias,
    Reals,
    Whole,
    signed_squash,
)  # fmt: skip
from isthmus.transforms.graph import Graph

EXACT_GRAPHS = ("hyper_synthesis", *PASSES)
_OFFSET = "offset."
_PROBE_GRID = 8
_PROBE_QUALITY = 50


class ExactNetworks:
    """The graphs by name, and the layers' biases by name, which follow the quality."""

    def __init__(self, graphs: Mapping[str, Graph], biases: Mapping[str, QualityBias]) -> None:
        self._graphs = dict(graphs)
        self._biases = dict(biases)
        self._offsets = cache(self._build_offsets)

    def begin(self, hyper: Integers, quality: int) -> ExactPasses:
        """See `PriorNetworks.begin`."""
        return ExactPasses(self, hyper, quality)

    def run(self, name: str, quality: int, **inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """One graph on (channels, rows, columns) arrays; four dimensions are what another graph made, and stay.

        Raises:
            FormatError: the engine cannot run the graph on them.
        """
        feed = {
            key: value if value.ndim == 4 else np.ascontiguousarray(value, np.float32)[None]
            for key, value in inputs.items()
        }
        return self._graphs[name].run_named({**feed, **self._offsets(name, quality)})

    def _build_offsets(self, name: str, quality: int) -> dict[str, NDArray[np.float32]]:
        return {
            offset: self._biases[offset.removeprefix(_OFFSET)].offset_at(quality).reshape(1, -1, 1, 1)
            for offset in self._graphs[name].inputs
            if offset.startswith(_OFFSET)
        }


class ExactPasses:
    """See `PriorPasses`."""

    def __init__(self, networks: ExactNetworks, hyper: Integers, quality: int) -> None:
        self._networks, self._quality = networks, quality
        (self._features,) = networks.run("hyper_synthesis", quality, hyper=hyper)

    def estimate(self, number: int, read: Reals, decoded: Reals) -> tuple[Whole, Whole]:
        """See `PriorPasses.estimate`."""
        inputs: dict[str, NDArray[Any]] = {"features": self._features}
        if number > 0:
            inputs["read"] = read
        if number in (1, 2):
            inputs["decoded"] = decoded
        levels, means = self._networks.run(PASSES[number], self._quality, **inputs)
        return levels.reshape(levels.shape[1], -1), means.reshape(means.shape[1], -1)


def probe(networks: PriorNetworks, table: NDArray[np.int16], *, strong: int, hyper: int) -> int:
    """CRC-32 of what the networks make of a fixed input: an engine that is not exact gives another number.

    Args:
        networks: to try.
        table: of `exact.squash_table`.
        strong: how many channels the first three passes code.
        hyper: channels of the hyper-latents.
    """
    grid = (_PROBE_GRID, _PROBE_GRID)
    passes = networks.begin(_pattern((hyper, grid[0] // 4, grid[1] // 4), 31), _PROBE_QUALITY)
    pattern = _pattern((strong, *grid), DECODED_LIMIT // 8)
    read, decoded = signed_squash(table).take(pattern), pattern.astype(np.float32)
    checksum = 0
    for number in range(len(PASSES)):
        estimate = np.concatenate(passes.estimate(number, read, decoded))
        checksum = zlib.crc32(estimate.astype("<i4").tobytes(), checksum)
    return checksum


def _pattern(shape: tuple[int, ...], limit: int) -> Integers:
    """Whole numbers within ±limit, small ones more often, the same everywhere."""
    count = np.arange(np.prod(shape), dtype=np.int64).reshape(shape)
    sizes = limit >> ((count * 7 + 3) % (limit.bit_length() + 1))
    pattern: Integers = ((count * 2654435761 >> 7) % (2 * sizes + 1) - sizes).astype(np.int32)
    return pattern
