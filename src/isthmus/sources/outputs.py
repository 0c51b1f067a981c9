"""Where the result of each source goes: one file, a folder with the sources' names, or standard output."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from isthmus.container.atomic import cannot_write, exists_already, write_file
from isthmus.errors import InputError, IsthmusError, OutputError, UsageError
from isthmus.imaging.formats import SUFFIXES
from isthmus.sources.finding import Found
from isthmus.sources.folders import examples
from isthmus.sources.source import Source
from isthmus.sources.standard import STANDARD, check_output, write_output


@dataclass(frozen=True)
class Job:
    """One picture to read and one file to write.

    Attributes:
        source: the picture.
        target: the file; its suffix names the format on standard output as well.
        to_standard: the file goes to standard output.
    """

    source: Source
    target: Path
    to_standard: bool = False

    @property
    def output(self) -> str:
        """What messages call the target."""
        return STANDARD if self.to_standard else str(self.target)

    def check_free(self, *, force: bool) -> None:
        """Refuse a target that is there already.

        Raises:
            OutputError: it is, and `force` is false.
            OSError: the file system does not say.
        """
        if not self.to_standard and not force and self.target.exists():
            raise exists_already(self.target)

    def write(
        self, data: bytes | Callable[[BinaryIO], None], *, force: bool = False, preserve_dates: bool = False
    ) -> None:
        """The result, whole or not at all.

        Args:
            data: the bytes, or what writes them to an open file.
            force: replace an existing file.
            preserve_dates: the file gets the times of access and change of its source's file.

        Raises:
            OutputError: the target exists and `force` is false, or it cannot be written.
            BrokenPipeError: who read standard output went away.
        """
        if self.to_standard:
            write_output(data)
            return
        write_file(self.target, data, force=force)
        if preserve_dates and self.source.path is not None:
            of_source = self.source.path.stat()
            os.utime(self.target, ns=(of_source.st_atime_ns, of_source.st_mtime_ns))


@dataclass(frozen=True)
class Jobs:
    """What a command has to do.

    Attributes:
        jobs: in the order of the sources, each with a target of its own.
        skipped: targets that are there already and are left as they are.
        errors: of sources that cannot have a target; those of one kind are one error.
        failed: how many sources these are.
    """

    jobs: tuple[Job, ...]
    skipped: tuple[Path, ...]
    errors: tuple[IsthmusError, ...]
    failed: int

    @property
    def to_standard(self) -> bool:
        """Whether standard output carries a file."""
        return any(job.to_standard for job in self.jobs)


REFUSE, SKIP, REPLACE = "refuse", "skip", "replace"
"""What is done with a target that is there already."""


def plan_jobs(
    found: Found,
    output: str,
    *,
    suffix: str | Callable[[str], str],
    file_suffixes: Iterable[str],
    keep_suffix: bool = False,
    existing: str = REPLACE,
    to_standard: bool = False,
) -> Jobs:
    """Pair each source with its target.

    Args:
        found: the sources.
        output: a file's name where the source is one file; otherwise, and where it ends in a slash, a folder.
        suffix: of the targets in a folder, such as ".isth"; or what gives it for a source's name.
        file_suffixes: of names that are files: an output with another one, for many sources, is a folder.
        keep_suffix: "photo.jpg" becomes "photo.jpg.isth", not "photo.isth".
        existing: what is done with targets that are there already; those that are to be replaced have a job.
        to_standard: "-" is standard output.

    Raises:
        UsageError: several sources for one file, or a file's suffix that is none of `file_suffixes`.
        OutputError: standard output is a terminal, or closed.
    """
    if output == STANDARD:
        return _to_standard(found, suffix, takes_it=to_standard)
    known = frozenset(file_suffixes)
    is_one_file = _is_one_file(found, output, known)
    jobs: dict[Path, Job] = {}
    errors: list[IsthmusError] = []
    clashes: list[tuple[Source, Job]] = []
    there: list[Path] = []
    for source in found:
        try:
            own = _suffix_of(source.name, suffix)
            target = Path(output) if is_one_file else Path(output) / _relative(source.name, own, keep=keep_suffix)
            if target in jobs:
                clashes.append((source, jobs[target]))
            elif _is_there(target, source) and existing != REPLACE:
                there.append(target)
            else:
                jobs[target] = Job(source, target)
        except IsthmusError as error:
            errors.append(error)
        except OSError as error:  # a name that is too long, a file where a folder should be
            errors.append(cannot_write(target, error))
    failed = len(errors) + len(clashes) + (len(there) if existing == REFUSE else 0)
    errors += [_same_target(clashes)] if clashes else []
    errors += [_there_already(there)] if there and existing == REFUSE else []
    return Jobs(tuple(jobs.values()), tuple(there) if existing == SKIP else (), tuple(errors), failed)


def is_folder(output: str) -> bool:
    """Whether a path says that it is a folder's, by a slash at its end or because there is one."""
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


def _suffix_of(name: str, suffix: str | Callable[[str], str]) -> str:
    return suffix if isinstance(suffix, str) else suffix(name)


def _to_standard(found: Found, suffix: str | Callable[[str], str], *, takes_it: bool) -> Jobs:
    count = len(found) + len(found.problems)
    if not takes_it:
        raise UsageError(f"this command does not write to standard output: -o {STANDARD} goes with one file")
    if count > 1:
        raise UsageError(f"-o {STANDARD} is one file, but there may be more to write ({count}): name a folder")
    check_output()
    return Jobs(
        tuple(Job(source, Path("stdout" + _suffix_of(source.name, suffix)), to_standard=True) for source in found),
        (),
        (),
        0,
    )


def _is_one_file(found: Found, output: str, suffixes: frozenset[str]) -> bool:
    suffix = Path(output).suffix.lower()
    if is_folder(output) or not suffix:
        return False
    if suffix in suffixes:
        if not found.is_one_file and len(found) + len(found.problems) > 0:
            count = len(found) + len(found.problems)
            raise UsageError(f"-o {output} is one file, but there may be more to write ({count}): name a folder")
        return True
    if found.is_one_file or suffix in SUFFIXES:
        wanted = " ".join(sorted(suffixes))
        raise UsageError(f"-o {output} ends in {suffix}: files are written as {wanted}; a folder's name ends in /")
    return False


def _is_there(target: Path, source: Source) -> bool:
    """Whether a target is a file already.

    Raises:
        UsageError: it is the source's own.
    """
    if not target.exists():
        return False
    if source.path is not None and source.path.exists() and target.samefile(source.path):
        raise UsageError(f"{source} would be overwritten by its own result: choose another output")
    return True


def _relative(name: str, suffix: str, *, keep: bool) -> PurePosixPath:
    """The target's name below the output folder; a name from a file never leads out of it."""
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts or not relative.name or "\0" in name:
        raise InputError(f"{name!r} is no name for a file below the output")
    return relative.with_name(relative.name + suffix) if keep else relative.with_suffix(suffix)


def _same_target(clashes: Sequence[tuple[Source, Job]]) -> InputError:
    source, first = clashes[0]
    before = f"{source} would be written to {first.target}, as {first.source} is"
    if len(clashes) > 1:
        before += f", and so on: {len(clashes)} pictures are not done"
    else:
        before += ": not done"
    if any(source.name == job.source.name for source, job in clashes):
        return InputError(f"{before} (name their folder instead of the files, or give each an output)")
    return InputError(f"{before} (--keep-suffix keeps them apart)")


def _there_already(targets: Sequence[Path]) -> OutputError:
    if len(targets) == 1:
        return exists_already(targets[0])
    shown = examples([str(target) for target in targets])
    return OutputError(
        f"{len(targets)} files exist already ({shown}): --skip-existing leaves them, --force replaces them"
    )
