"""Every run has its loss curves, and several runs can be drawn together while they go on."""

from __future__ import annotations

import pytest

from isthmus.errors import InputError
from isthmus.learn.loop.checkpoint import EpochResult, Progress
from isthmus.learn.loop.curves import draw_curves
from isthmus.learn.loop.run_folder import LOG, read_log, save_run

HISTORY = [EpochResult(epoch, 0.3 / epoch, 0.4 / epoch, 0.01 / epoch, 1e-3, float(epoch)) for epoch in (1, 2, 3)]


def test_a_log_reads_back_as_it_was_written(tmp_path):
    """Number by number; a folder without a run, and a damaged log, say so."""
    save_run(tmp_path, Progress({}, 0, history=HISTORY))
    assert read_log(tmp_path) == HISTORY
    with pytest.raises(InputError, match="holds no run"):
        read_log(tmp_path / "none")
    (tmp_path / LOG).write_text("step,held_bpp\n1,0.5\n")
    with pytest.raises(InputError, match="not the log"):
        read_log(tmp_path)


def test_curves_of_one_run_and_of_several_are_drawn_in_every_format():
    """One epoch, and many; the figure of several differs from that of one."""
    one = draw_curves({"a": HISTORY})
    assert one.startswith(b"\x89PNG")
    assert draw_curves({"a": HISTORY[:1]}).startswith(b"\x89PNG")
    several = draw_curves({"a": HISTORY, "b": HISTORY[:2]}, form="svg")
    assert several.startswith(b"<?xml")
