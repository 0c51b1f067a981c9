"""The time that a training has worked: standstills of the whole machine are left out."""

from __future__ import annotations

import time
from collections.abc import Callable

STANDSTILL_SECONDS = 30.0  # no step takes that long by itself once it is also many times the usual one
STANDSTILL_FACTOR = 20.0


class Stopwatch:
    """Adds up laps. One that is far longer than those before counts as a usual one: the machine stood still.

    A paused or sleeping machine would otherwise use up a budget of minutes, and end a run after a few steps.

    Args:
        seconds: already on the watch.
        clock: seconds that never go back.
    """

    def __init__(self, seconds: float = 0.0, clock: Callable[[], float] = time.perf_counter) -> None:
        self._seconds, self._clock = seconds, clock
        self._laps, self._in_laps = 0, 0.0
        self._last = clock()

    def start(self) -> None:
        """Begin a lap; what passed since the last one is not counted."""
        self._last = self._clock()

    def lap(self) -> float:
        """End a lap, and begin the next: seconds on the watch."""
        now = self._clock()
        passed, self._last = now - self._last, now
        usual = self._in_laps / self._laps if self._laps else passed
        if passed > max(STANDSTILL_SECONDS, STANDSTILL_FACTOR * usual):
            passed = usual
        self._laps, self._in_laps = self._laps + 1, self._in_laps + passed
        self._seconds += passed
        return self._seconds
