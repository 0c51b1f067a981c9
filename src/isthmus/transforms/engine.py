"""The small interface behind which ONNX graphs run, and its ONNX Runtime implementation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import FormatError


class Graph(Protocol):
    """A loaded graph."""

    @property
    def inputs(self) -> list[str]:
        """Names of its inputs."""
        ...

    def run(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The only output for the only input, (batch, channels, rows, columns) float32.

        Raises:
            FormatError: the graph does not take this input.
        """
        ...

    def run_named(self, feed: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """All outputs for all inputs by name.

        Raises:
            FormatError: the graph does not take these inputs.
        """
        ...


class OnnxRuntimeGraph:
    """A graph on ONNX Runtime's CPU provider, in float32.

    Args:
        data: the ONNX model's bytes, checked before.
        name: for messages.
        threads: threads within an operator; 0 takes all cores.
    """

    def __init__(self, data: bytes, *, name: str, threads: int = 0) -> None:
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # a model has several graphs that take turns: threads of one that spin would keep the cores from the next
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._name = name
        try:
            self._session: Any = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors share no base class
            raise FormatError(f"{name}: ONNX Runtime cannot load it: {_first_line(error)}") from error
        self.inputs: list[str] = [value.name for value in self._session.get_inputs()]

    def run(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Graph.run`."""
        if len(self.inputs) != 1:
            raise FormatError(f"{self._name}: has {len(self.inputs)} inputs, not one")
        return self.run_named({self.inputs[0]: values})[0]

    def run_named(self, feed: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """See `Graph.run_named`."""
        try:
            outputs: list[NDArray[np.float32]] = self._session.run(None, dict(feed))
        except Exception as error:
            raise FormatError(f"{self._name}: ONNX Runtime cannot run it: {_first_line(error)}") from error
        return outputs


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
