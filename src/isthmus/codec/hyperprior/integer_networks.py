"""The integer entropy networks on an engine: exact, equal to `entropy.reference_networks.ReferenceNetworks`."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.fixed_point import DECODED_LIMIT, SCALES, AnyInt, Float32, Int32, signed_companding
from isthmus.entropy.passes import PASSES, Pass
from isthmus.entropy.reference_networks import PriorNetworks, QualityBias
from isthmus.errors import FormatError
from isthmus.transforms.graph import Graph

ENTROPY_GRAPHS = ("hyper_synthesis", *(one.network for one in PASSES))
"""The graphs of a model file that make up its entropy model."""
_OFFSET = "offset."
_PROBE_GRID = 8
_PROBE_QUALITY = 50


class IntegerNetworks:
    """The graphs by name, and the layers' biases by name, which follow the quality."""

    def __init__(self, graphs: Mapping[str, Graph], biases: Mapping[str, QualityBias]) -> None:
        self._graphs = dict(graphs)
        self._biases = dict(biases)
        self._offsets = cache(self._build_offsets)

    def begin(self, hyper: Int32, quality: int) -> IntegerPasses:
        """See `PriorNetworks.begin`."""
        return IntegerPasses(self, hyper, quality)

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


class IntegerPasses:
    """See `PriorPasses`."""

    def __init__(self, networks: IntegerNetworks, hyper: Int32, quality: int) -> None:
        self._networks, self._quality = networks, quality
        (self._features,) = networks.run("hyper_synthesis", quality, hyper=hyper)

    def estimate(self, one: Pass, companded: Float32, decoded: Float32) -> tuple[AnyInt, AnyInt]:
        """See `PriorPasses.estimate`.

        Raises:
            FormatError: scale indices that no table has, or other types: of a model that is none.
        """
        inputs: dict[str, NDArray[Any]] = {"features": self._features}
        if one.context is not None:
            inputs["companded"] = companded
        if one.mean_predictor is not None:
            inputs["decoded"] = decoded
        made = self._networks.run(one.network, self._quality, **inputs)
        if [value.dtype for value in made] != [np.uint8, np.int16] or made[0].max(initial=0) >= SCALES:
            raise FormatError(f"the model's {one.network} estimates what no model does")
        scale_indices, means = made
        return scale_indices.reshape(scale_indices.shape[1], -1), means.reshape(means.shape[1], -1)


def probe(networks: PriorNetworks, table: NDArray[np.int16], *, first_group: int, hyper: int) -> int:
    """CRC-32 of what the networks estimate from a fixed input: an engine that is not exact gives another number.

    Args:
        networks: to try.
        table: of `fixed_point.companding_table`.
        first_group: channels of the first channel group.
        hyper: channels of the hyper-latents.
    """
    grid = (_PROBE_GRID, _PROBE_GRID)
    passes = networks.begin(_pattern((hyper, grid[0] // 4, grid[1] // 4), 31), _PROBE_QUALITY)
    pattern = _pattern((first_group, *grid), DECODED_LIMIT // 8)
    companded, decoded = signed_companding(table).take(pattern), pattern.astype(np.float32)
    checksum = 0
    for one in PASSES:
        estimate = np.concatenate(passes.estimate(one, companded, decoded))
        checksum = zlib.crc32(estimate.astype("<i4").tobytes(), checksum)
    return checksum


def _pattern(shape: tuple[int, ...], limit: int) -> Int32:
    """Whole numbers within ±limit, small ones more often, the same everywhere."""
    count = np.arange(np.prod(shape), dtype=np.int64).reshape(shape)
    sizes = limit >> ((count * 7 + 3) % (limit.bit_length() + 1))
    pattern: Int32 = ((count * 2654435761 >> 7) % (2 * sizes + 1) - sizes).astype(np.int32)
    return pattern
