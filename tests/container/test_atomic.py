"""A file is written whole or not at all, and never over another by accident."""

from __future__ import annotations

import multiprocessing
import sys

import pytest

from isthmus.container.atomic import move_into_place, write_file
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


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    """As on a full disk."""

    def full(_):
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        write_file(tmp_path / "a", full)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a file that only its collection closes
@pytest.mark.parametrize("force", [False, True])
def test_an_interrupt_at_any_moment_leaves_nothing_behind(tmp_path, force):
    """Ctrl-C before every single instruction of the writing: the file is there whole or not at all."""
    code = {write_file.__code__, move_into_place.__code__}
    path = tmp_path / "a"
    interrupted = True
    moment = 0
    while interrupted:
        moment += 1
        interrupted = _interrupted_at(moment, code, lambda: write_file(path, b"data", force=force))
        assert [entry.name for entry in tmp_path.iterdir()] in ([], ["a"])
        if path.exists():
            assert path.read_bytes() == b"data"
            path.unlink()
    assert moment > 50  # or nothing was interrupted


def _interrupted_at(moment, code, call):
    """Whether `call` met KeyboardInterrupt, which is raised before the `moment`th instruction of `code`."""
    seen = 0

    def trace(frame, event, _):
        nonlocal seen
        if frame.f_code not in code:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            seen += 1
            if seen == moment:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


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
