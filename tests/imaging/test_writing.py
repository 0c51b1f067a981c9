"""Writing pictures: the memory that it needs."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import pytest

from isthmus.imaging import writing
from isthmus.values import Picture


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc keeps freed memory, and offers to return it")
def test_freed_memory_goes_back_to_the_system():
    """Also behind what is still in use."""
    blocks = [np.ones(100_000, np.uint8) for _ in range(1500)]
    last = np.ones(100_000, np.uint8)
    used = resident()
    del blocks
    writing.give_back_memory()
    assert used - resident() > 100e6
    assert last.all()


@pytest.mark.parametrize(("side", "is_large"), [(20, False), (40, True)])
def test_large_pictures_are_written_behind_it(monkeypatch, side, is_large):
    """Small ones are not worth the time."""
    asked = []
    monkeypatch.setattr(writing, "LARGE", 40 * 40 * 3)
    monkeypatch.setattr(writing, "give_back_memory", lambda: asked.append(side))
    data = writing.to_file_bytes(Picture(np.zeros((side, side, 3), np.uint8)), ".png")
    assert data.startswith(b"\x89PNG")
    assert bool(asked) == is_large
