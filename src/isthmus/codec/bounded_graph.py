"""A graph on an engine that runs only what is in proportion to its picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.container.graph_work import CheckedGraph
from isthmus.errors import FormatError
from isthmus.transforms.graph import Graph, run_only


class BoundedGraph:
    """See `transforms.graph.Graph`; a run whose work is out of proportion ends before it begins.

    Args:
        graph: loaded.
        checked: the same graph, of the model file.
        name: for messages.
        pixels_per_position: pixels that a position of the largest input stands for.
    """

    def __init__(self, graph: Graph, checked: CheckedGraph, *, name: str, pixels_per_position: int) -> None:
        self._graph, self._checked = graph, checked
        self._name, self._pixels_per_position = name, pixels_per_position

    @property
    def inputs(self) -> list[str]:
        """See `Graph.inputs`."""
        return self._graph.inputs

    def run(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Graph.run`."""
        return run_only(self, self._name, values)

    def run_named(self, feed: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See `Graph.run_named`.

        Raises:
            LimitError: the work, or the memory, is out of proportion to the picture.
        """
        try:
            shapes = {name: feed[name].shape for name in self._checked.outline.inputs if name in feed}
            self._checked.check(shapes, pixels_per_position=self._pixels_per_position)
        except FormatError as error:
            raise type(error)(f"{self._name} {error}") from error
        return self._graph.run_named(feed)


def check_parts(
    name: str, checked: Mapping[str, CheckedGraph], pixels_per_position: Mapping[str, int], *, unknown: set[str]
) -> None:
    """Refuse a model whose graphs are too much work already for a small picture, or that has parts that nothing uses.

    Args:
        name: of the model, for messages.
        checked: its graphs.
        pixels_per_position: of each graph that its kind has.
        unknown: names of its arrays that its kind does not have.

    Raises:
        KeyError: a graph is missing.
        FormatError: or `LimitError`.
    """
    unknown |= checked.keys() - pixels_per_position.keys()
    if unknown:
        raise FormatError(f"the model {name} has parts that its kind does not have: {', '.join(sorted(unknown)[:3])}")
    for graph, pixels in pixels_per_position.items():
        try:
            checked[graph].check(pixels_per_position=pixels)
        except FormatError as error:
            raise type(error)(f"the model {name}: {graph} {error}") from error
