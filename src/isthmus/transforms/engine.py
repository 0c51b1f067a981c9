"""The choice of what runs ONNX graphs."""

from __future__ import annotations

import os
from dataclasses import dataclass

from isthmus.errors import UsageError
from isthmus.transforms.graph import Graph

ENGINES = ("onnxruntime", "openvino")


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
