"""Ctrl-C between two steps."""

from __future__ import annotations

import signal
import threading

from isthmus.learn.loop.stopping import only_asking


def test_a_signal_asks_and_the_handlers_come_back():
    """Nothing is raised in the middle of a step."""
    before, asked = signal.getsignal(signal.SIGTERM), []
    with only_asking(lambda: asked.append(True)):
        signal.raise_signal(signal.SIGTERM)
    assert asked == [True]
    assert signal.getsignal(signal.SIGTERM) == before


def test_training_runs_in_a_thread_too():
    """Where Python lets nobody set a handler."""
    entered = []

    def work():
        with only_asking(lambda: None):
            entered.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert entered == [True]
