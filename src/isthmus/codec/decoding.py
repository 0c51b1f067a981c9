"""Decoding bytes whose model is found by the id in them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.model import Model, load_model_by_id
from isthmus.codec.pipeline import model_id_of


def decode(data: bytes, *, model: Model | None = None) -> NDArray[np.uint8]:
    """The pixels of a .isth file's bytes.

    Args:
        data: the bytes of a whole file.
        model: the model that wrote it; None looks for the id among the shipped and installed models.

    Returns:
        (rows, columns) uint8 for grey, (rows, columns, 3) for RGB; alpha, where there is one, as a further channel.

    Raises:
        FormatError: damaged bytes.
        ModelNotFoundError: the model is neither given nor found.
        ModelMismatchError: the bytes are of another model than the given one.
    """
    return (model or find_model(model_id_of(data))).decode(data)


@lru_cache(maxsize=8)
def find_model(model_id: bytes, beside: Path | None = None) -> Model:
    """The model of an id, kept loaded: many files in a row need the same one."""
    return load_model_by_id(model_id, beside=beside)
