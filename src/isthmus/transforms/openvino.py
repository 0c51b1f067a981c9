"""Graphs on OpenVINO: an extra, faster on some processors.

In float32, whose whole numbers are exact; bfloat16 was no faster where the processor has it, and cost 0.1 dB.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import FormatError, MissingExtraError, UsageError
from isthmus.transforms.graph import first_line, run_only
from isthmus.transforms.per_process import PerProcess


class OpenVinoGraph:
    """A graph on OpenVINO's CPU plugin.

    Args:
        data: the ONNX model's bytes, checked before.
        name: for messages.
        threads: 0 takes all cores.

    Raises:
        FormatError: OpenVINO does not take the graph.
        MissingExtraError: OpenVINO is not installed.
        UsageError: this process was forked off one that had used OpenVINO; `run` and `run_named` raise it too.
    """

    def __init__(self, data: bytes, *, name: str, threads: int = 0) -> None:
        self._name = name
        self._requests = PerProcess(lambda: _Requests(_compile(data, name, threads)))
        self.inputs: list[str] = [value.get_any_name() for value in self._requests.get().compiled.inputs]

    def run(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Graph.run`."""
        return run_only(self, self._name, values)

    def run_named(self, feed: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See `Graph.run_named`."""
        requests = self._requests.get()
        try:
            outputs = requests.own.infer(dict(feed))
            return [np.array(outputs[port]) for port in requests.compiled.outputs]
        except Exception as error:
            raise FormatError(f"{self._name}: OpenVINO cannot run it: {first_line(error)}") from error


class _Requests(threading.local):
    """A compiled graph, and a request to it for each thread: one runs one input at a time."""

    def __init__(self, compiled: Any) -> None:
        self.compiled = compiled
        self.own = compiled.create_infer_request()


def _compile(data: bytes, name: str, threads: int) -> Any:
    """A graph compiled in this process."""
    core = _core().get()
    settings: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,  # bytes only where the graph says so
    }
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    try:
        return core.compile_model(core.read_model(data, b""), "CPU", settings)
    except Exception as error:  # OpenVINO's errors share no base class
        raise FormatError(f"{name}: OpenVINO cannot load it: {first_line(error)}") from error


@cache
def _core() -> PerProcess[Any]:
    """OpenVINO itself, once in a process and to its end; see `_start`.

    Each of its cores gives the thread that makes it a stack for signals and takes that back at its own end. Where
    several do so in the order in which they came, the next signal ends the process (seen in 2026.4).
    """
    return PerProcess(partial(_start, os.getpid()))


def _start(process: int) -> Any:
    """OpenVINO, in the process that first asked for it.

    Its threads are shared by all that it compiles, and it goes on waiting for them where a fork has left them behind.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        UsageError: another process.
    """
    if os.getpid() != process:
        raise UsageError(
            "the engine openvino does not work in a process forked off one that has used it: start processes with "
            "'spawn', or take the engine onnxruntime"
        )
    try:
        with _silent():
            import openvino
    except ImportError as error:
        raise MissingExtraError(extra="openvino", purpose="the engine openvino") from error
    return openvino.Core()


@contextmanager
def _silent() -> Iterator[None]:
    """Without `openvino_telemetry`, which forks a process on import to tell its makers of it; it can be missing."""
    known = "openvino_telemetry" in sys.modules
    if not known:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # import takes it for not installed
    try:
        yield
    finally:
        if not known:
            del sys.modules["openvino_telemetry"]
