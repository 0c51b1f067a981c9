"""The small interface behind which ONNX graphs run, and the choice of what runs them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import FormatError, UsageError

ENGINES = ("onnxruntime", "openvino")


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


@dataclass(frozen=True)
class Engine:
    """What runs graphs, and how.

    Attributes:
        name: one of `ENGINES`.
        threads: threads within an operator; 0 takes all cores.
    """

    name: str = "onnxruntime"
    threads: int = 0

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise UsageError(f"an engine is one of {', '.join(ENGINES)}, not {self.name!r}")
        if self.threads < 0:
            raise UsageError(f"threads are 0 (all cores) or more, not {self.threads}")

    @property
    def cores(self) -> int:
        """How many threads that is."""
        return self.threads or os.cpu_count() or 1

    def load(self, data: bytes, *, name: str) -> Graph:
        """A graph ready to run.

        Args:
            data: the ONNX model's bytes, checked before.
            name: for messages.

        Raises:
            FormatError: the engine does not take the graph.
            MissingExtraError: the engine is not installed.
        """
        if self.name == "openvino":
            from isthmus.transforms.openvino import OpenVinoGraph

            return OpenVinoGraph(data, name=name, threads=self.threads)
        from isthmus.transforms.onnx_runtime import OnnxRuntimeGraph

        return OnnxRuntimeGraph(data, name=name, threads=self.threads)


def run_only(graph: Graph, name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The only output for the only input; see `Graph.run`."""
    if len(graph.inputs) != 1:
        raise FormatError(f"{name}: has {len(graph.inputs)} inputs, not one")
    return graph.run_named({graph.inputs[0]: values})[0]


def first_line(error: Exception) -> str:
    """Of a foreign message, for ours."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
