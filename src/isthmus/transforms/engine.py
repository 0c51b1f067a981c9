"""The small interface behind which ONNX graphs run, and its ONNX Runtime implementation."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import FormatError


class Graph(Protocol):
    """A loaded graph with one input and one output."""

    def run(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The output for (batch, channels, rows, columns) float32.

        Raises:
            FormatError: the graph does not take this input.
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
        self._name = name
        try:
            self._session: Any = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors share no base class
            raise FormatError(f"{name}: ONNX Runtime cannot load it: {_first_line(error)}") from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise FormatError(f"{name}: has {len(inputs)} inputs and {len(outputs)} outputs, not one of each")
        self._input = inputs[0].name

    def run(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Graph.run`."""
        try:
            output: NDArray[np.float32] = self._session.run(None, {self._input: values})[0]
        except Exception as error:
            raise FormatError(f"{self._name}: ONNX Runtime cannot run it: {_first_line(error)}") from error
        return output


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
