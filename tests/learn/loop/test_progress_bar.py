"""A run says how far it is in what its budget is counted in."""

from __future__ import annotations

from isthmus.learn.loop.checkpoint import EpochResult
from isthmus.learn.loop.progress_bar import ProgressBar, progress_text, stage
from isthmus.learn.loop.schedule import MANY_EPOCHS, Budget


def test_minutes_steps_and_epochs_are_counted_in_their_own_unit():
    """The limit that was asked for, not a million epochs."""
    done = {"epochs": 3.5, "steps": 700, "seconds": 90.0}
    assert progress_text(Budget(MANY_EPOCHS, minutes=5), **done) == "1.5 of 5 min, 3 epochs"
    assert progress_text(Budget(MANY_EPOCHS, steps=2000), **done) == "700 of 2000 steps"
    assert progress_text(Budget(12), **done) == "3 of 12 epochs"


def test_without_a_terminal_there_is_a_line_an_epoch_with_the_test_loss(capsys):
    """And a line for each stage behind it; silence where no lines are wanted."""
    result = EpochResult(1, 0.25, 0.125, 0.01, 1e-3, 4.0)
    for has_lines in (True, False):
        with ProgressBar(Budget(2), [result], has_lines=has_lines) as bar:
            bar.move(0.1, epochs=0.2, steps=3, seconds=1.0)
            bar.epoch_done(result, share=0.5, steps=10)
        with stage("fitting tables", has_lines=has_lines):
            pass
        written = capsys.readouterr()
        assert written.out == ""
        lines = ["epoch 1 of 2: loss 0.25000, test 0.12500 (20.00 dB), 4.0 s", "fitting tables"]
        assert written.err.splitlines() == (lines if has_lines else [])
