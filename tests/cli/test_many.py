"""What is said of many files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from isthmus.cli.many import line_of_compressed, sum_of_compressed, tell_all, threads_of_each, what_of_existing
from isthmus.cli.output import Stopped
from isthmus.codec.compressing import Compressed, CompressOutcome
from isthmus.errors import InputError, UsageError
from isthmus.sources.finding import Found
from isthmus.sources.outputs import Job, Jobs
from isthmus.sources.source import Source

SOURCES = (Source("a.jpg"), Source("b.png"), Source("c.png"))


def _result(name: str, before: int, after: int, coding: str = "learned") -> Compressed:
    return Compressed(name, f"out/{name}.isth", 40, 20, before, after, 8 * after / 800, None, 0.1, coding)


def _plan(*skipped: str) -> Jobs:
    jobs = tuple(Job(source, Path(source.name)) for source in SOURCES)
    return Jobs(jobs, tuple(Path(name) for name in skipped), (), 0)


def _tell(outcomes, plan: Jobs, *, as_json: bool = False) -> None:
    tell_all(
        Found(SOURCES), plan, outcomes, doing="", line_of=line_of_compressed, sum_of=sum_of_compressed, as_json=as_json
    )  # fmt: skip


def test_bytes_share_and_coding_of_each_and_of_all(capsys):
    """Before and after; a source whose size is not known has no share."""
    results = [_result("a", 1000, 200), _result("b", 500, 50, "webp"), _result("c", 0, 100, "avif")]
    _tell([CompressOutcome(*both) for both in zip(SOURCES, results, strict=True)], _plan("out/d.isth"))
    assert capsys.readouterr().out.splitlines() == [
        "out/a.isth: 1000 → 200 bytes (20.0 %, learned), 2.000 bpp",
        "out/b.isth: 500 → 50 bytes (10.0 %, exact by WebP), 0.500 bpp",
        "out/c.isth: 100 bytes (graphics by AVIF), 1.000 bpp",
        "3 pictures: 1500 → 350 bytes (23.3 %): 1 learned, 1 exact by WebP, 1 graphics by AVIF; 1 were there already",
    ]


def test_what_failed_is_counted_and_ends_with_1(capsys):
    """The others are done, and JSON names them."""
    outcomes = [
        CompressOutcome(SOURCES[0], _result("a", 10, 5)),
        CompressOutcome(SOURCES[1], error=InputError("b.png is damaged")),
        CompressOutcome(SOURCES[2], _result("c", 10, 5)),
    ]
    with pytest.raises(typer.Exit) as ended:
        _tell(outcomes, _plan())
    assert ended.value.exit_code == 1
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].endswith("2 learned; 1 not done")
    assert said.err == "isthmus: b.png is damaged\n"
    with pytest.raises(typer.Exit):
        _tell(outcomes, _plan(), as_json=True)
    assert [one["source"] for one in json.loads(capsys.readouterr().out)["files"]] == ["a", "c"]


def test_an_interrupt_says_what_is_done():
    """And how to go on."""

    def outcomes():
        yield CompressOutcome(SOURCES[0], _result("a", 10, 5))
        raise KeyboardInterrupt

    with pytest.raises(Stopped, match="1 of 3 are done, --skip-existing goes on"):
        _tell(outcomes(), _plan())


def test_processes_share_the_cores(monkeypatch):
    """Unless threads are asked for."""
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert [threads_of_each(0, 1), threads_of_each(0, 3), threads_of_each(0, 20), threads_of_each(4, 3)] == [0, 2, 1, 4]


def test_force_and_skip_exclude_each_other():
    """One replaces what the other leaves."""
    with pytest.raises(UsageError, match="choose one"):
        what_of_existing(force=True, skip_existing=True)
