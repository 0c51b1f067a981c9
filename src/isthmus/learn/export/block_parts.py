"""What float and 8-bit residual blocks are both built of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from isthmus.learn.export.graph_builder import GraphBuilder
from isthmus.learn.models.photo_transforms import LEAK


def array(values: Tensor | None) -> NDArray[np.float32]:
    """A layer's weight or bias."""
    assert values is not None, "every layer here has a bias"  # noqa: S101
    numbers: NDArray[np.float32] = values.detach().numpy()
    return numbers


def leak(builder: GraphBuilder, x: str) -> str:
    """The activation of both transforms."""
    return builder.node("LeakyRelu", x, alpha=LEAK)


def guided(builder: GraphBuilder, x: str, guide: str | None) -> str:
    """With what a block is told of the quality, if it is told anything."""
    return x if guide is None else builder.node("Add", x, guide)
