"""What was asked for when a picture was coded. It stands in the file for people; decoding needs nothing of it."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.container.varint import MAX_BYTES, read_varint, write_varint
from isthmus.errors import TruncatedError

KINDS = {"quality": 100, "bytes": 1, "bpp": 10_000, "psnr": 100, "ssimulacra2": 100, "lossless": 1}
"""In the order of their numbers in a file, from 0: what was asked for, and how many parts of a unit are stored."""
_LARGEST = (1 << 7 * MAX_BYTES) - 1


@dataclass(frozen=True)
class Asked:
    """A wish as a file holds it.

    Attributes:
        kind: one of KINDS.
        amount: in the kind's unit; 0 for "lossless".

    Example:
        >>> str(Asked("quality", 60.0)), str(Asked("lossless", 0.0))
        ('quality 60', 'lossless')
    """

    kind: str
    amount: float

    def __str__(self) -> str:
        """As a user says it."""
        return self.kind if self.kind == "lossless" else f"{self.kind} {self.amount:g}"


def write_asked(asked: Asked) -> bytes:
    """The number of its kind (1 byte) and the amount in parts of its unit (varint)."""
    parts = max(0, min(round(asked.amount * KINDS[asked.kind]), _LARGEST))
    return bytes([list(KINDS).index(asked.kind)]) + write_varint(parts)


def read_asked(data: bytes, offset: int) -> tuple[Asked | None, int]:
    """What stands at `offset`, and the offset behind it; None for a kind that this release does not know.

    Raises:
        TruncatedError: the data ends within it.
        FormatError: the amount is no varint.
    """
    if offset >= len(data):
        raise TruncatedError("the file ends within its header", offset=len(data))
    number = data[offset]
    parts, behind = read_varint(data, offset + 1)
    if number >= len(KINDS):
        return None, behind
    kind, unit = list(KINDS.items())[number]
    return Asked(kind, parts / unit), behind
