"""How a run goes, on stderr: a bar where that is a terminal, else a line now and then."""

from __future__ import annotations

import math
import time

from isthmus.learn.loop.bar import Bar

SECONDS_BETWEEN_LINES, SECONDS_BETWEEN_MOVES = 30.0, 0.5


class OwnBar(Bar):
    """The share of the budget that is used, what is done, and how many bytes WebP's pictures would take less.

    Args:
        is_shown: whether anything is written.
    """

    def __init__(self, *, is_shown: bool = True) -> None:
        super().__init__("", seconds=SECONDS_BETWEEN_MOVES, is_shown=is_shown)
        self._written = 0.0
        self._told = ""

    def stage(self, doing: str, share: float) -> None:
        """Say what is done from now on."""
        self.say(doing=doing)
        self.draw(share, _percent(share))
        self._write(f"{_percent(share)}  {doing}")

    def tell(self, ratio: float) -> None:
        """The measure on held-aside pictures: bytes for each byte of WebP at equal SSIMULACRA2."""
        if math.isfinite(ratio):
            self._told = f"{ratio:.3f} of WebP's bytes"
            self.say(told=self._told)

    def move(self, share: float, left: float) -> None:
        """Move on, now and then.

        Args:
            share: of the budget that is used, 0 to 1.
            left: seconds of it.
        """
        if not self.is_due():
            return
        self.draw(share, _percent(share))
        if time.monotonic() - self._written >= SECONDS_BETWEEN_LINES:
            told = f", {self._told}" if self._told else ""
            self._write(f"{_percent(share)}  {left / 60:.1f} min left{told}")

    def _write(self, text: str) -> None:
        self._written = time.monotonic()
        self.line(text)


def _percent(share: float) -> str:
    return f"{100 * share:3.0f} %"
