"""Graphs on ONNX Runtime: the engine that everybody has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import FormatError
from isthmus.transforms.graph import first_line, run_only
from isthmus.transforms.per_process import PerProcess


class OnnxRuntimeGraph:
    """A graph on ONNX Runtime's CPU provider, in float32.

    Args:
        data: the ONNX model's bytes, checked before.
        name: for messages.
        threads: threads within an operator; 0 takes all cores.
    """

    def __init__(self, data: bytes, *, name: str, threads: int = 0) -> None:
        self._name = name
        self._session = PerProcess(partial(open_session, data, name, threads))
        self.inputs: list[str] = [value.name for value in self._session.get().get_inputs()]

    def run(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Graph.run`."""
        return run_only(self, self._name, values)

    def run_named(self, feed: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See `Graph.run_named`."""
        session = self._session.get()
        try:
            outputs: list[NDArray[Any]] = session.run(None, dict(feed))
        except Exception as error:
            raise FormatError(f"{self._name}: ONNX Runtime cannot run it: {first_line(error)}") from error
        return outputs


def open_session(data: bytes, name: str, threads: int = 0) -> Any:
    """A session of this process.

    Args:
        data: the ONNX model's bytes, checked before.
        name: for messages.
        threads: threads within an operator; 0 takes all cores.

    Raises:
        FormatError: ONNX Runtime cannot load it.
    """
    # it would tell its makers of what it runs, by a thread that a forked process waits for at its end (seen in 1.31)
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # a model has several graphs that take turns: threads of one that spin would keep the cores from the next
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.load_model_format", "ONNX")  # what was checked, and no guess at another
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise FormatError(f"{name}: ONNX Runtime cannot load it: {first_line(error)}") from error
