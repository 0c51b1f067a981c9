"""A file is written whole or not at all, and never over another by accident."""

from __future__ import annotations

import multiprocessing
import os

import pytest

from isthmus.container.atomic import write_file
from isthmus.errors import OutputError


def test_an_existing_file_stays_without_force(tmp_path):
    """And goes with it."""
    path = tmp_path / "a"
    write_file(path, b"first")
    with pytest.raises(OutputError, match="--force"):
        write_file(path, b"second")
    assert path.read_bytes() == b"first"
    write_file(path, b"third", force=True)
    assert path.read_bytes() == b"third"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_a_place_that_cannot_be_written_is_one_error(tmp_path):
    """A file where a folder is needed."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot write"):
        write_file(tmp_path / "file" / "below", b"data")


def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    """As on a full disk."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(OutputError, match="No space left"):
        write_file(tmp_path / "a", b"data")
    assert list(tmp_path.iterdir()) == []


def _write(path, value, results):
    try:
        write_file(path, bytes([value]) * 100_000)
        results.put(value)
    except OutputError:
        results.put(None)


def test_of_two_processes_one_wins_and_the_other_is_told(tmp_path):
    """The file is the winner's, whole."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=_write, args=(tmp_path / "a", value, results)) for value in (1, 2, 3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    winners = [value for value in (results.get() for _ in processes) if value is not None]
    assert len(winners) == 1
    assert (tmp_path / "a").read_bytes() == bytes(winners) * 100_000
