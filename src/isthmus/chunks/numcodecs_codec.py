"""The codec "isthmus" of numcodecs, and so of zarr's format 2."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numcodecs.abc import Codec
from numcodecs.compat import ensure_bytes, ensure_ndarray, ndarray_copy

from isthmus.chunks.framing import decode_chunk, encode_chunk


class Isthmus(Codec):
    """Pictures in chunks of uint8 arrays, coded with loss.

    Args:
        model: name or path of the model.
        quality: 1 to 100; None is the model's default.
    """

    codec_id: ClassVar[str] = "isthmus"

    def __init__(self, model: str = "photo", quality: float | None = None) -> None:
        self.model, self.quality = model, quality

    def encode(self, buf: Any) -> bytes:
        """A chunk (rows, columns), (rows, columns, 3) or (count, rows, columns, 3) to bytes.

        Raises:
            UsageError: another type or shape.
        """
        return encode_chunk(ensure_ndarray(buf), model=self.model, quality=self.quality)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """The chunk, written into `out` where that is given.

        Raises:
            FormatError: damaged bytes.
        """
        chunk = decode_chunk(ensure_bytes(buf), model=self.model)
        return chunk if out is None else ndarray_copy(chunk, np.asarray(out).reshape(chunk.shape))
