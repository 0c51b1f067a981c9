"""The exact entropy networks on ONNX Runtime: whole numbers in float32, equal to `entropy.exact.ReferenceNetworks`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.exact import ExactLayer, Integers, Positions, Reals
from isthmus.errors import FormatError

EXACT_GRAPHS = ("hyper_synthesis", "first_pass", "second_pass", "third_pass", "fourth_pass")
_OFFSET = "offset."


class OnnxRuntimeNetworks:
    """The graphs by name, and the layers whose biases they need."""

    def __init__(self, graphs: Mapping[str, bytes], layers: Mapping[str, ExactLayer], *, threads: int = 0) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._sessions: dict[str, Any] = {
            name: onnxruntime.InferenceSession(graphs[name], options, providers=["CPUExecutionProvider"])
            for name in EXACT_GRAPHS
        }
        self._offset_names = {
            name: [value.name for value in session.get_inputs() if value.name.startswith(_OFFSET)]
            for name, session in self._sessions.items()
        }
        self._layers = dict(layers)
        self._offsets = lru_cache(maxsize=16)(self._build_offsets)

    def begin(self, hyper: Integers, quality: int) -> OnnxRuntimePasses:
        """See `PriorNetworks.begin`."""
        return OnnxRuntimePasses(self, hyper, quality)

    def run(
        self, name: str, quality: int, positions: Positions | None, **inputs: NDArray[Any]
    ) -> list[NDArray[np.float32]]:
        """One graph on (channels, rows, columns) or (1, channels, rows, columns) arrays; outputs have four dimensions."""
        feed = {
            key: np.ascontiguousarray(value, np.float32).reshape(1, *value.shape[-3:]) for key, value in inputs.items()
        }
        places = {} if positions is None else {"positions": positions}
        try:
            outputs: list[NDArray[np.float32]] = self._sessions[name].run(
                None, {**feed, **places, **self._offsets(name, quality)}
            )
        except Exception as error:  # ONNX Runtime's errors share no base class
            raise FormatError(f"{name}: ONNX Runtime cannot run it: {error}") from error
        return outputs

    def _build_offsets(self, name: str, quality: int) -> dict[str, NDArray[np.float32]]:
        return {
            offset: self._layers[offset.removeprefix(_OFFSET)].offset_at(quality).reshape(1, -1, 1, 1)
            for offset in self._offset_names[name]
        }


class OnnxRuntimePasses:
    """See `PriorPasses`."""

    def __init__(self, networks: OnnxRuntimeNetworks, hyper: Integers, quality: int) -> None:
        self._networks, self._quality = networks, quality
        (self._features,) = networks.run("hyper_synthesis", quality, None, hyper=hyper)
        self._context = self._features

    def first(self, positions: Positions) -> tuple[Integers, Integers]:
        return _split(*self._networks.run("first_pass", self._quality, positions, features=self._features))

    def second(self, positions: Positions, read: Reals, decoded: Integers) -> tuple[Integers, Integers]:
        inputs = {"features": self._features, "read": read, "decoded": decoded}
        return _split(*self._networks.run("second_pass", self._quality, positions, **inputs))

    def third(self, positions: Positions, read: Reals) -> tuple[Integers, Integers]:
        inputs = {"features": self._features, "read": read}
        estimate, self._context = self._networks.run("third_pass", self._quality, positions, **inputs)
        return _split(estimate)

    def fourth(self, positions: Positions, read: Reals) -> tuple[Integers, Integers]:
        inputs = {"features": self._features, "context": self._context, "read": read}
        return _split(*self._networks.run("fourth_pass", self._quality, positions, **inputs))


def _split(estimate: NDArray[np.float32]) -> tuple[Integers, Integers]:
    level, mean = np.split(estimate[0, :, 0].astype(np.int32), 2)
    return level, mean
