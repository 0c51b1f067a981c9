"""The codec "isthmus" of zarr's format 3: from a chunk to its bytes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from zarr.abc.codec import ArrayBytesCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer, NDBuffer

from isthmus.chunks.framing import decode_chunk, encode_chunk
from isthmus.errors import FormatError


@dataclass(frozen=True)
class IsthmusCodec(ArrayBytesCodec):
    """Pictures in chunks of uint8 arrays, coded with loss: `zarr.create_array(..., serializer=IsthmusCodec())`.

    Attributes:
        model: name or path of the model.
        quality: 1 to 100; None is the model's default.
    """

    is_fixed_size = False

    model: str = "photo"
    quality: float | None = None

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Out of an array's metadata."""
        return cls(**data.get("configuration", {}))

    def to_dict(self) -> dict[str, Any]:
        """For an array's metadata."""
        return {"name": "isthmus", "configuration": {"model": self.model, "quality": self.quality}}

    async def _encode_single(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:
        chunk = np.asarray(chunk_array.as_numpy_array())
        data = await asyncio.to_thread(encode_chunk, chunk, model=self.model, quality=self.quality)
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        chunk = await asyncio.to_thread(decode_chunk, chunk_data.to_bytes(), model=self.model)
        if chunk.shape != tuple(chunk_spec.shape):
            raise FormatError(f"the chunk holds {chunk.shape}, the array says {tuple(chunk_spec.shape)}")
        return chunk_spec.prototype.nd_buffer.from_numpy_array(chunk)

    def compute_encoded_size(self, input_byte_length: int, _chunk_spec: ArraySpec) -> int:
        """Unknown before it is coded.

        Raises:
            NotImplementedError: always; zarr asks only where sizes are fixed.
        """
        raise NotImplementedError
