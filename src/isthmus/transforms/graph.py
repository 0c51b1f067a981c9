"""The small interface behind which an ONNX graph runs, whatever engine runs it."""

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

    def run_named(self, feed: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """All outputs for all inputs by name.

        Raises:
            FormatError: the graph does not take these inputs.
        """
        ...


def run_only(graph: Graph, name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The only output for the only input; see `Graph.run`."""
    if len(graph.inputs) != 1:
        raise FormatError(f"{name}: has {len(graph.inputs)} inputs, not one")
    return graph.run_named({graph.inputs[0]: values})[0]


def first_line(error: Exception) -> str:
    """Of a foreign message, for ours."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
