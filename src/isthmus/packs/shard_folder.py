"""A folder of shards while they are made: a report for each that is there; at the end one manifest in their place."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from isthmus.container.atomic import cannot_write, exists_already, write_file
from isthmus.errors import FormatError, InputError, OutputError, UsageError
from isthmus.packs.manifest import MANIFEST, Manifest, ShardFacts, ShardPlan, read_manifest, write_manifest
from isthmus.packs.packing import PackOptions, Rejected

REJECTED = "rejected.csv"
_OURS = ("part-*.isthpack", ".part-*", MANIFEST, REJECTED)


@dataclass(frozen=True)
class ShardReport:
    """What a worker says of a shard that it has made: to which plan and how, what it came to, and what is not in it."""

    plan: ShardPlan
    options: PackOptions
    facts: ShardFacts
    rejected: tuple[Rejected, ...]


def prepare(folder: Path, plan: ShardPlan, options: PackOptions, *, resume: bool, force: bool) -> set[int]:
    """Make the folder ready for shards.

    Args:
        folder: made if it is missing.
        plan: of the shards to come.
        options: how their pictures will be packed.
        resume: keep what was made to the same plan, in the same way.
        force: remove the shards, manifest and rejections of an earlier run, and no other file.

    Returns:
        The indices of shards that are there already.

    Raises:
        OutputError: it holds shards, and neither is given; or it cannot be written.
        UsageError: what is to be resumed was made to another plan, or otherwise.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = [path for pattern in _OURS for path in folder.glob(pattern)]
        if resume and (folder / MANIFEST).exists():
            raise exists_already(folder / MANIFEST)
        if resume:
            return {index for index in range(plan.shards) if _is_made(folder, plan, options, index)}
        if found and not force:
            raise OutputError(
                f"{folder} holds {found[0].name}: --resume goes on with a run that was stopped, --force replaces it"
            )
        for path in found:
            path.unlink()
    except OutputError:
        raise
    except OSError as error:
        raise cannot_write(folder, error) from error
    return set()


def _is_made(folder: Path, plan: ShardPlan, options: PackOptions, index: int) -> bool:
    """Whether a shard and its report are there.

    Raises:
        UsageError: made to another plan, or otherwise.
    """
    report = read_report(folder, index)
    if report is None:
        return False
    if report.plan != plan:
        raise UsageError(f"{folder} was begun with {_described(report.plan)}, not with {_described(plan)}")
    before, now = asdict(report.options), asdict(options)
    for name in now:
        if before[name] != now[name]:
            raise UsageError(f"{folder} was begun with {name} {before[name]}, not with {name} {now[name]}")
    try:
        return not report.facts.file or (folder / report.facts.file).stat().st_size == report.facts.bytes
    except OSError:
        return False


def gather(folder: Path, plan: ShardPlan) -> Manifest:
    """Write rejected.csv and manifest.json, and remove the reports that they were made of.

    Raises:
        InputError: there is not one picture, or a shard is not there.
        OutputError: the folder cannot be written.
    """
    facts: list[ShardFacts] = []
    reasons: list[str] = []

    def write_rejected(file: BinaryIO) -> None:
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["name", "reason"])
        for index in range(plan.shards):
            report = read_report(folder, index)
            if report is None:
                raise InputError(f"shard {index} was made, but is not in {folder}: all workers need that same folder")
            facts.append(report.facts)
            rows.writerows((one.name, one.reason) for one in report.rejected)
            reasons.extend(one.reason for one in report.rejected[: 1 - len(reasons)])
        text.detach()

    write_file(folder / REJECTED, write_rejected, force=True)
    manifest = Manifest(plan, tuple(facts))
    if manifest.total("pictures") == 0:
        raise InputError(f"none of the {plan.sources} pictures can be packed: {reasons[0]}")
    write_manifest(folder / MANIFEST, manifest)
    try:
        for path in folder.glob(".part-*"):
            path.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from error
    return read_manifest(folder / MANIFEST)


def write_report(folder: Path, index: int, report: ShardReport) -> None:
    """Say that a shard is there, and what it is.

    Raises:
        OutputError: the folder cannot be written.
    """
    rejected = [asdict(one) for one in report.rejected]
    value = {
        "plan": asdict(report.plan),
        "options": asdict(report.options),
        "facts": asdict(report.facts),
        "rejected": rejected,
    }
    write_file(_report_path(folder, index), json.dumps(value).encode(), force=True)


def read_report(folder: Path, index: int) -> ShardReport | None:
    """A shard's report; None where there is none.

    Raises:
        InputError: it cannot be read.
        FormatError: it is damaged.
    """
    path = _report_path(folder, index)
    try:
        value = json.loads(path.read_bytes())
        rejected = tuple(Rejected(**one) for one in value["rejected"])
        plan, options = ShardPlan(**value["plan"]), PackOptions(**value["options"])
        return ShardReport(plan, options, ShardFacts(**value["facts"]), rejected)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, UsageError) as error:
        raise FormatError(f"{path} is damaged, {error}: remove it, and its shard is made again") from error


def shard_name(index: int) -> str:
    """Of a shard's file."""
    return f"part-{index:05d}.isthpack"


def _report_path(folder: Path, index: int) -> Path:
    return folder / f".part-{index:05d}.json"


def _described(plan: ShardPlan) -> str:
    return (
        f"{plan.sources} pictures in shards of {plan.shard_size}, the model {plan.model_id} at quality {plan.quality}"
    )
