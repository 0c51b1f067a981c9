"""What the ways to and from .isth files share: what one file may end in, and several processes over many files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from isthmus.codec import pipeline
from isthmus.codec.model import Model
from isthmus.codec.workers import in_order
from isthmus.container.atomic import cannot_write
from isthmus.errors import InputError, IsthmusError
from isthmus.sources.outputs import Job
from isthmus.sources.source import Source
from isthmus.values import Picture

Outcome = TypeVar("Outcome")

FAILURES = (IsthmusError, OSError, MemoryError)
"""What one picture may end in while the others go on."""
_FILES_OF_A_PROCESS = 32
"""That are handed to a process at once: small pictures go through the graphs together."""
_SHARES = 4
"""Of the files for each process, at least: one with large pictures leaves its next files to the others."""
_worker: dict[str, Any] = {}


def read_for_model(
    source: Source, model: Model, *, fit: bool = False, depth: int | None = None, frame: int | None = None
) -> Picture:
    """Read a picture as the model takes it.

    Raises:
        InputError: it cannot be read.
        ModelMismatchError: the model does not take it and `fit` is false; the message names the file.
    """
    try:
        return pipeline.taken(source.read(depth=depth, frame=frame), model.coder, fit=fit)
    except IsthmusError as error:
        raise _named(source, error) from error


def in_processes(
    work: Callable[[Sequence[Job], Any], list[Outcome]], jobs: Sequence[Job], settings: Any, *, processes: int
) -> Iterator[Outcome]:
    """What some processes make of the jobs, in order.

    Args:
        work: a module's function: some jobs and the settings to an outcome for each.
        jobs: none of them to standard output.
        settings: picklable.
        processes: 2 or more.

    Raises:
        IsthmusError: a process was killed.
    """
    size = max(1, min(_FILES_OF_A_PROCESS, len(jobs) // (_SHARES * processes)))
    parts = [jobs[start : start + size] for start in range(0, len(jobs), size)]
    done = in_order(
        _work_in_process,
        parts,
        jobs=min(processes, len(parts)),
        start=_start_process,
        arguments=(work, settings),
        what="worked on files",
        remedy="--skip-existing goes on with the others",
    )
    for outcomes in done:
        yield from outcomes


def _start_process(work: Callable[[Sequence[Job], Any], list[Any]], settings: Any) -> None:
    _worker.update(work=work, settings=settings)


def _work_in_process(jobs: Sequence[Job]) -> list[Any]:
    done: list[Any] = _worker["work"](jobs, _worker["settings"])
    return done


def explained(error: Exception, job: Job) -> IsthmusError:
    """One of `FAILURES` as an error of ours that names the source.

    Raises:
        BrokenPipeError: it is that: who read standard output went away, and nobody is there to be told.
    """
    if isinstance(error, BrokenPipeError):
        raise error
    if isinstance(error, IsthmusError):
        return _named(job.source, error)
    if isinstance(error, OSError):
        return cannot_write(Path("stdout") if job.to_standard else job.target, error)
    return InputError(f"{job.source} does not fit into memory")


def _named(source: Source, error: IsthmusError) -> IsthmusError:
    """The error with the file's name in front, where it does not name it yet."""
    if str(source) not in str(error):
        error.args = (f"{source}: {error}", *error.args[1:])
    return error
