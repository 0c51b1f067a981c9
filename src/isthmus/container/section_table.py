"""The table of sections in a header: kind (1 byte) and length (varint) of each; of .isth and .isthpack files."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from isthmus.container.varint import read_varint
from isthmus.errors import FormatError, LimitError, TruncatedError, UnsupportedVersionError


def read_lengths(
    data: bytes, offset: int, count: int, *, file: str, header: str, most: int | None = None
) -> tuple[dict[int, int], int]:
    """Length of each section, by its kind, and the offset behind the table.

    Args:
        data: the file's first bytes.
        offset: of the first section's kind.
        count: of sections.
        file: what the file is called in messages, such as "the pack".
        header: what its header is called.
        most: bytes of a section; None: no limit.

    Raises:
        FormatError: a kind twice.
        LimitError: a section beyond the limit.
        TruncatedError: the data ends within the table.
    """
    lengths: dict[int, int] = {}
    for _ in range(count):
        if offset >= len(data):
            raise TruncatedError(f"{file} ends within its header", offset=len(data))
        kind = data[offset]
        if kind in lengths:
            raise FormatError(f"{header} announces two sections of kind {kind}", offset=offset)
        lengths[kind], offset = read_varint(data, offset + 1)
        if most is not None and lengths[kind] > most:
            raise LimitError(f"{file} announces a section of {lengths[kind]} bytes, above {most}")
    return lengths, offset


def refuse_unknown(lengths: Mapping[int, int], known: Collection[int], *, file: str) -> None:
    """Refuse a file with a section that is neither known nor of a kind that may be skipped.

    Raises:
        UnsupportedVersionError: it has one.
    """
    for kind in lengths:
        if kind not in known and kind % 2 == 0:
            raise UnsupportedVersionError(f"{file} has a section of kind {kind}, unknown here: update isthmus")
