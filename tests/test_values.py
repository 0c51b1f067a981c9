"""What rooms hand each other."""

from __future__ import annotations

import mmap

import numpy as np
import pytest

from isthmus.errors import UsageError
from isthmus.values import as_bytes


@pytest.mark.parametrize(
    "make",
    [bytes, bytearray, memoryview, lambda data: memoryview(b"xx" + data)[2:], lambda d: np.frombuffer(d, np.uint8)],
)
def test_whatever_holds_bytes_is_taken(make):
    """As the bytes that it holds."""
    assert as_bytes(make(b"abc")) == b"abc"
    assert type(as_bytes(make(b"abc"))) is bytes


def test_a_mapped_file_is_taken(tmp_path):
    """Its whole content."""
    (tmp_path / "a").write_bytes(b"abc")
    with (tmp_path / "a").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert as_bytes(mapped) == b"abc"


@pytest.mark.parametrize("value", ["text", 5, None, [1, 2], object()])
def test_what_holds_none_is_refused(value):
    """Also a number, of which Python's own `bytes` makes zeros."""
    with pytest.raises(UsageError, match="the bytes of a file are wanted"):
        as_bytes(value)
