"""How a process that works for another one behaves: it does not hear Ctrl-C, and it does not outlive the other."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing import parent_process


def begin_worker() -> None:
    """To be called first in a worker of a process pool.

    Ctrl-C reaches all processes of a terminal: the first one says what happened, and ends the others. Where that one is
    killed, it cannot: its workers would wait for work for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
