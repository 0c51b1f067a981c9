"""Runs inputs in processes of their own, each with so much time and memory; what one dies of is that input's fault."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import resource
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fuzz import inputs

SECONDS = 20
"""That one input may take."""
MEMORY = 1 << 30
"""Bytes of address space that a process may have, the interpreter and its libraries included."""
INPUTS_OF_A_PROCESS = 2000


@dataclass(frozen=True)
class Finding:
    """An input that something was wrong with.

    Attributes:
        number: with the seed, what makes it again.
        kind: "crash", "hang", "wrong" or the name of a foreign exception.
        detail: the last lines of its traceback, or nothing.
    """

    number: int
    kind: str
    detail: str = ""


@dataclass
class Tally:
    """What came of all inputs."""

    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, -1)


def run(
    seed: int,
    seconds: float,
    *,
    jobs: int = 1,
    on_finding: Callable[[Finding], None] = lambda _: None,
    target: str = "tests.fuzz.targets",
) -> Tally:
    """Inputs of a seed, one after another, for so long, given to the function `check` of a module."""
    tally, end = Tally(), time.monotonic() + seconds
    processes = [_Process(seed, first, jobs, target) for first in range(jobs)]
    try:
        while time.monotonic() < end:
            for process in processes:
                for finding in process.poll(tally):
                    tally.findings.append(finding)
                    on_finding(finding)
            time.sleep(0.02)
    finally:
        for process in processes:
            process.stop()
    return tally


class _Process:
    """One process, started again where it ended; it works off every n-th number."""

    def __init__(self, seed: int, first: int, step: int, target: str) -> None:
        self._seed, self._next, self._step, self._target = seed, first, step, target
        self._start()

    def _start(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._reports, theirs = spawn.Pipe(duplex=False)
        arguments = (self._seed, self._next, self._step, self._target, theirs)
        self._process = spawn.Process(target=_work, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self._working_on, self._since = -1, time.monotonic() + 60  # starting takes its time

    def poll(self, tally: Tally) -> list[Finding]:
        """What was found since; a process that ended or hangs is started again behind the input that it had."""
        found = []
        try:
            while self._reports.poll():
                kind, number, detail, seconds = self._reports.recv()
                if kind == "begin":
                    self._working_on, self._since = number, time.monotonic()
                    continue
                tally.outcomes[kind] += 1
                tally.slowest = max(tally.slowest, (seconds, number))
                self._next, self._working_on = number + self._step, -1
                if kind not in ("read", "refused"):
                    found.append(Finding(number, kind, detail))
        except EOFError:
            pass
        hangs = time.monotonic() - self._since > SECONDS
        if not hangs and self._process.is_alive():
            return found
        if self._working_on >= 0:
            found.append(Finding(self._working_on, "hang" if hangs else "crash", f"exit code {self._process.exitcode}"))
            self._next = self._working_on + self._step
        self.stop()
        self._start()
        return found

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.join()
        self._reports.close()


def _work(seed: int, first: int, step: int, target: str, reports: Connection) -> None:
    """In the process: some inputs, each reported before and after."""
    os.environ["OMP_NUM_THREADS"] = "1"
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    check = importlib.import_module(target).check

    for number in range(first, first + step * INPUTS_OF_A_PROCESS, step):
        given = inputs.make(seed, number)
        start = time.monotonic()
        reports.send(("begin", number, "", 0.0))
        try:
            kind, detail = check(given), ""
        except inputs.WrongError as error:
            kind, detail = "wrong", str(error)
        except BaseException as error:
            kind, detail = type(error).__name__, "".join(traceback.format_exception(error)[-3:])
        reports.send((kind, number, detail, time.monotonic() - start))


def save(finding: Finding, seed: int, folder: Path) -> Path:
    """The input of a finding, for the corpus once it is mended."""
    given = inputs.make(seed, finding.number)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{finding.kind}-{seed}-{finding.number}.{given.kind}"
    path.write_bytes(given.data)
    return path
