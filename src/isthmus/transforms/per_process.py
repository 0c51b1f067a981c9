"""What native threads serve, made anew in each process that is forked off.

A fork copies an engine's objects but not the threads that serve them: to run such a copy waits for them for ever, and
so does to drop it, which joins them. A forked process therefore keeps its parent's, untouched, past its own end.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakSet

Made = TypeVar("Made")


class PerProcess(Generic[Made]):
    """An object of an engine: made at once, and again where a forked process first asks for it.

    Args:
        make: makes it; what it raises in a forked process, `get` raises.
    """

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self._made: Made | None = make()
        _living.add(self)

    def get(self) -> Made:
        """This process's."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def leave_to_parent(self) -> None:
        """Keep what is the parent's from ever being dropped here, also by the interpreter at its end."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._made))
        self._made = None


_living: WeakSet[PerProcess[Any]] = WeakSet()


def _after_fork() -> None:
    for one in list(_living):  # also those that nobody holds any more and nothing has collected yet
        one.leave_to_parent()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)
