"""Ctrl-C, and what else asks a process to end, between two steps rather than in the middle of one."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def only_asking(ask: Callable[[], None]) -> Iterator[None]:
    """Meanwhile the first signal to end only asks for it, so that a step ends; a second one is obeyed at once.

    Signals reach the main thread alone: in another one this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def once(number: int, _frame: object) -> None:
        ask()
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.signal(number, once) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
