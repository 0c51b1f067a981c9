"""One writer at a time."""

from __future__ import annotations

import subprocess
import sys

import pytest

from isthmus.container import file_lock
from isthmus.container.file_lock import LOCKED_BYTE, lock_file


def test_a_second_process_is_refused(tmp_path):
    """Until the first one closes the file."""
    path = tmp_path / "a.part"
    code = f"from isthmus.container.file_lock import lock_file; lock_file(open({str(path)!r}, 'ab'))"
    with path.open("wb") as file:
        lock_file(file)
        assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 1
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_on_windows_a_byte_behind_every_end_is_locked(tmp_path, monkeypatch):
    """There is no fcntl, and what is locked cannot be read."""
    calls = []

    class Windows:
        LK_NBLCK = 2

        @staticmethod
        def locking(number, mode, count):
            calls.append((mode, count, file.tell()))

    monkeypatch.setattr(file_lock, "IS_WINDOWS", True)
    monkeypatch.setitem(sys.modules, "msvcrt", Windows)
    with (tmp_path / "a.part").open("wb+", buffering=0) as file:
        file.write(b"abc")
        lock_file(file)
        assert file.tell() == 3
    assert calls == [(2, 1, LOCKED_BYTE)]


@pytest.mark.parametrize("module", ["isthmus.container.pack_writer", "isthmus.packs.packing"])
def test_packing_is_imported_where_there_is_no_fcntl(module):
    """As on Windows."""
    code = f"import sys; sys.modules['fcntl'] = None; import {module}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
