"""What payloads that were just made decode to: who looks at a picture as it is coded need not decode it."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from isthmus.entropy.fixed_point import Float32

MOST_BYTES = 1 << 25
Key = tuple[bytes, tuple[int, int], int]
"""A payload, the rows and columns of its latents, and the quality: all that decoding follows from."""


class JustCoded:
    """The last latents that were coded, up to MOST_BYTES; for several threads at once."""

    def __init__(self) -> None:
        self._latents: OrderedDict[Key, Float32] = OrderedDict()
        self._bytes, self._lock = 0, Lock()

    def put(self, key: Key, latents: Float32) -> None:
        """Keep latents, (channels, rows, columns) in 64ths of a quantisation step, and forget the oldest."""
        with self._lock:
            before = self._latents.pop(key, None)
            self._bytes += latents.nbytes - (0 if before is None else before.nbytes)
            self._latents[key] = latents
            while self._bytes > MOST_BYTES:
                self._bytes -= self._latents.popitem(last=False)[1].nbytes

    def get(self, key: Key) -> Float32 | None:
        """A copy of what a payload decodes to; None where it is not kept."""
        with self._lock:
            latents = self._latents.get(key)
        return None if latents is None else latents.copy()
