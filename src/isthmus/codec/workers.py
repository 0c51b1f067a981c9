"""Processes that work for another one: in order, deaf to Ctrl-C, and gone when the other is."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from isthmus.errors import IsthmusError

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    jobs: int,
    start: Callable[..., None],
    arguments: tuple[Any, ...],
    what: str,
    remedy: str = "--resume goes on",
) -> Iterator[Result]:
    """What some processes make of each item, in order; few items are waiting at a time.

    Args:
        work: a module's function.
        items: taken as processes become free.
        jobs: processes.
        start: a module's function, called once in each process with `arguments`.
        arguments: for `start`.
        what: a process does, for the message: "coded pictures".
        remedy: what the user can do when one was killed.

    Raises:
        IsthmusError: a process was killed.
    """
    with ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (start, arguments)) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                with _deaf_children():
                    waiting.append(pool.submit(work, item))
                if len(waiting) > 2 * jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise IsthmusError(f"a process that {what} was killed: out of memory? {remedy}") from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Processes that are started here inherit a blocked Ctrl-C: one that is still loading would print its traceback.

    This process hears it afterwards.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows, where `_begin` alone has to do
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(start: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Ctrl-C reaches all processes of a terminal: the first one says what happened, and ends the others.

    Where that one is killed, it cannot: its workers would wait for work for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    start(*arguments)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
