"""A watch counts work, and a machine that stood still costs no budget."""

from __future__ import annotations

from isthmus.learn.loop.stopwatch import Stopwatch


def _watch(times, seconds=0.0):
    values = iter(times)
    return Stopwatch(seconds, clock=lambda: next(values))


def test_laps_add_up_behind_what_was_there():
    """What passes between two starts does not count."""
    watch = _watch([0, 1, 3, 10, 14], seconds=100.0)
    assert watch.lap() == 101
    assert watch.lap() == 103
    watch.start()
    assert watch.lap() == 107


def test_a_standstill_counts_as_a_usual_lap():
    """An hour between steps of a tenth of a second; a slow first step and one of 29 s are work."""
    watch = _watch([0, 60, 60.1, 89.1])
    assert watch.lap() == 60
    assert abs(watch.lap() - 60.1) < 1e-9
    assert abs(watch.lap() - 89.1) < 1e-9
    times = [n / 10 for n in range(100)]
    watch = _watch([*times, times[-1] + 3600])
    for _ in times[1:]:
        watch.lap()
    assert abs(watch.lap() - 10.0) < 1e-6
