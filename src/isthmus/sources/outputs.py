"""Where the result of each source goes: one file, or a folder with the sources' names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from isthmus.container.atomic import cannot_write
from isthmus.errors import InputError, IsthmusError, UsageError
from isthmus.sources.finding import Found
from isthmus.sources.source import Source


@dataclass(frozen=True)
class Job:
    """One picture to read and one file to write."""

    source: Source
    target: Path


@dataclass(frozen=True)
class Jobs:
    """What a command has to do.

    Attributes:
        jobs: in the order of the sources, each with a target of its own.
        skipped: targets that are there already and are left as they are.
        errors: of sources that cannot have a target.
    """

    jobs: tuple[Job, ...]
    skipped: tuple[Path, ...]
    errors: tuple[IsthmusError, ...]


def plan_jobs(
    found: Found,
    output: str,
    *,
    suffix: str,
    file_suffixes: Iterable[str],
    keep_suffix: bool = False,
    skip_existing: bool = False,
) -> Jobs:
    """Pair each source with its target.

    Args:
        found: the sources.
        output: a file's name where the source is one file; otherwise, and where it ends in a slash, a folder.
        suffix: of the targets in a folder, such as ".isth".
        file_suffixes: of names that are files: an output with another one, for many sources, is a folder.
        keep_suffix: "photo.jpg" becomes "photo.jpg.isth", not "photo.isth".
        skip_existing: leave targets that are there already.

    Raises:
        UsageError: several sources for one file, or a file's suffix that is none of `file_suffixes`.
    """
    known = frozenset(file_suffixes)
    is_one_file = _is_one_file(found, output, known)
    jobs: dict[Path, Job] = {}
    errors: list[IsthmusError] = []
    skipped: list[Path] = []
    for source in found:
        try:
            target = Path(output) if is_one_file else Path(output) / _relative(source.name, suffix, keep=keep_suffix)
            if target in jobs:
                raise _same_target(source, jobs[target])
            if target.exists():
                if source.path is not None and source.path.exists() and target.samefile(source.path):
                    raise UsageError(f"{source} would be overwritten by its own result: choose another output")
                if skip_existing:
                    skipped.append(target)
                    continue
        except IsthmusError as error:
            errors.append(error)
        except OSError as error:  # a name that is too long, a file where a folder should be
            errors.append(cannot_write(target, error))
        else:
            jobs[target] = Job(source, target)
    return Jobs(tuple(jobs.values()), tuple(skipped), tuple(errors))


def is_folder(output: str) -> bool:
    """Whether a path says that it is a folder's, by a slash at its end or because there is one."""
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


def _is_one_file(found: Found, output: str, suffixes: frozenset[str]) -> bool:
    suffix = Path(output).suffix.lower()
    if is_folder(output) or not suffix:
        return False
    if suffix in suffixes:
        if not found.is_one_file and len(found) + len(found.problems) > 0:
            count = len(found) + len(found.problems)
            raise UsageError(f"-o {output} is one file, but there may be more to write ({count}): name a folder")
        return True
    if found.is_one_file:
        wanted = " ".join(sorted(suffixes))
        raise UsageError(f"-o {output} ends in {suffix}: files are written as {wanted}; a folder's name ends in /")
    return False


def _relative(name: str, suffix: str, *, keep: bool) -> PurePosixPath:
    """The target's name below the output folder; a name from a file never leads out of it."""
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts or not relative.name or "\0" in name:
        raise InputError(f"{name!r} is no name for a file below the output")
    return relative.with_name(relative.name + suffix) if keep else relative.with_suffix(suffix)


def _same_target(source: Source, first: Job) -> InputError:
    before = f"{source} would be written to {first.target}, as {first.source} is: not done"
    if source.name == first.source.name:
        return InputError(f"{before} (name their folder instead of the files, or give each an output)")
    return InputError(f"{before} (--keep-suffix keeps them apart)")
