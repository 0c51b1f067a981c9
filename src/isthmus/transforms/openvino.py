"""Graphs on OpenVINO: an extra, faster on some processors.

In float32, whose whole numbers are exact; bfloat16 was no faster where the processor has it, and cost 0.1 dB.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import FormatError, MissingExtraError
from isthmus.transforms.engine import first_line, run_only


class OpenVinoGraph:
    """A graph on OpenVINO's CPU plugin.

    Args:
        data: the ONNX model's bytes, checked before.
        name: for messages.
        threads: 0 takes all cores.

    Raises:
        FormatError: OpenVINO does not take the graph.
        MissingExtraError: OpenVINO is not installed.
    """

    def __init__(self, data: bytes, *, name: str, threads: int = 0) -> None:
        core = _core()
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,  # bytes only where the graph says so
        }
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        self._name = name
        try:
            self._compiled: Any = core.compile_model(core.read_model(data, b""), "CPU", settings)
        except Exception as error:  # OpenVINO's errors share no base class
            raise FormatError(f"{name}: OpenVINO cannot load it: {first_line(error)}") from error
        self.inputs: list[str] = [value.get_any_name() for value in self._compiled.inputs]
        self._requests = _Requests(self._compiled)

    def run(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Graph.run`."""
        return run_only(self, self._name, values)

    def run_named(self, feed: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See `Graph.run_named`."""
        try:
            outputs = self._requests.own.infer(dict(feed))
            return [np.array(outputs[port]) for port in self._compiled.outputs]
        except Exception as error:
            raise FormatError(f"{self._name}: OpenVINO cannot run it: {first_line(error)}") from error


class _Requests(threading.local):
    """A request for each thread: one runs one input at a time."""

    def __init__(self, compiled: Any) -> None:
        self.own = compiled.create_infer_request()


@cache
def _core() -> Any:
    """OpenVINO itself, once in a process and to its end.

    Each of its cores gives the thread that makes it a stack for signals and takes that back at its own end. Where
    several do so in the order in which they came, the next signal ends the process (seen in 2026.4).

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """
    try:
        import openvino
    except ImportError as error:
        raise MissingExtraError(extra="openvino", purpose="the engine openvino") from error
    return openvino.Core()
