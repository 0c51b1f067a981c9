"""Pillow's own pixel limit and its warnings, set aside while pictures are read, by however many threads at once."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from PIL import Image


class _Readers:
    """How many read at the moment, and what puts things back behind the last one."""

    def __init__(self) -> None:
        self._lock, self._count, self._aside = threading.Lock(), 0, ExitStack()

    def enter(self) -> None:
        """One more; the first one sets both aside."""
        with self._lock:
            if self._count == 0:
                self._aside.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
                self._aside.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
                Image.MAX_IMAGE_PIXELS = None
            self._count += 1

    def leave(self) -> None:
        """One less; the last one puts both back."""
        with self._lock:
            self._count -= 1
            if self._count == 0:
                self._aside.close()


_readers = _Readers()


@contextmanager
def pillow_limits_aside() -> Iterator[None]:
    """Both belong to the process: the first reader sets them aside, the last one puts them back.

    Isthmus has limits of its own (`values.MAX_PIXELS`), and says what it converts (`Picture.conversions`).
    """
    _readers.enter()
    try:
        yield
    finally:
        _readers.leave()
