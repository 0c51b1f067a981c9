"""Many pictures to many packs: part-00000.isthpack, part-00001.isthpack, ..., a manifest, and what was rejected.

A shard is a run of so many sources, whatever becomes of them: so each can be made anywhere, in any order and again, and
has the same bytes each time. It gets its name when it is whole; then its report, a small file, says so. The manifest
gathers the reports when all are there.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isthmus.codec.coder import whole_quality
from isthmus.codec.model import DEFAULT_ENGINE, Model
from isthmus.codec.workers import in_order
from isthmus.container.atomic import cannot_write
from isthmus.container.model_file import ModelFile
from isthmus.container.pack_writer import PackWriter
from isthmus.errors import UsageError
from isthmus.packs.manifest import MANIFEST, ShardFacts, ShardPlan
from isthmus.packs.packing import PackOptions, code_all, pack_header, write_pack
from isthmus.packs.shard_folder import ShardReport, gather, prepare, shard_name, write_report
from isthmus.sources.source import Source, Sources
from isthmus.transforms.engine import Engine

DEFAULT_SHARD_SIZE = 10_000
_worker: dict[str, Any] = {}


@dataclass(frozen=True)
class Shard:
    """A shard to be made: its number, and the sources of its pictures."""

    index: int
    sources: Iterable[Source]


@dataclass(frozen=True)
class ShardJob:
    """What making any shard of a folder takes.

    Attributes:
        folder: where shards go; of all machines that work.
        plan: of the folder.
        options: how pictures are packed.
        model: the model's file.
    """

    folder: Path
    plan: ShardPlan
    options: PackOptions
    model: ModelFile

    def load_model(self) -> Model:
        """The model on one thread: what is gained by more is gained by more workers, and every worker has the same."""
        return Model(self.model, Engine(DEFAULT_ENGINE.name, 1))


Runner = Callable[[Iterable[Shard], ShardJob], Iterator[int]]
"""Makes shards somewhere, in any order; yields each one's index when its report is there."""


@dataclass(frozen=True)
class PackedShards:
    """What packing came to, as `pack --json` prints it.

    Attributes:
        output: the manifest.
        shards: files.
        pictures: in them, those of before --resume included.
        rejected: pictures that are not, named in rejected.csv.
        bytes: of all shards.
        bytes_per_picture: all included.
        source_bytes: that the pictures took before.
        ratio: of source_bytes to bytes.
        seconds: of this run.
        pictures_per_second: sources that this run worked off, start-up included.
    """

    output: str
    shards: int
    pictures: int
    rejected: int
    bytes: int
    bytes_per_picture: float
    source_bytes: int
    ratio: float
    seconds: float
    pictures_per_second: float


def pack_to_shards(
    sources: Sources,
    folder: Path,
    model: Model,
    options: PackOptions,
    run: Runner,
    *,
    shard_size: int = DEFAULT_SHARD_SIZE,
    resume: bool = False,
    force: bool = False,
    on_shard: Callable[[int], None] = lambda _: None,
) -> PackedShards:
    """Pack pictures into shards of so many sources each.

    Args:
        sources: the pictures.
        folder: gets the shards, manifest.json and rejected.csv.
        model: what codes them.
        options: how.
        run: what makes the shards, `in_processes` or a cluster's.
        shard_size: sources of a shard.
        resume: go on with what an interrupted run left.
        force: replace the shards that the folder holds.
        on_shard: called with the index of each shard that is there.

    Raises:
        InputError: not one picture could be packed.
        OutputError: the folder holds shards already, or cannot be written.
        UsageError: what it holds was begun with another plan or other options.
    """
    start = time.perf_counter()
    plan = ShardPlan(model.id.hex(), whole_quality(options.quality), shard_size, len(sources))
    done = prepare(folder, plan, options, resume=resume, force=force)
    for index in sorted(done):
        on_shard(index)
    job = ShardJob(folder, plan, options, model.file)
    worked = 0
    waiting = [index for index in range(plan.shards) if index not in done]
    if waiting:
        shards = (Shard(index, sources[index * shard_size : (index + 1) * shard_size]) for index in waiting)
        for index in run(shards, job):
            worked += min(shard_size, len(sources) - index * shard_size)
            on_shard(index)
    manifest = gather(folder, plan)
    seconds = time.perf_counter() - start
    pictures, size, source_bytes = (manifest.total(fact) for fact in ("pictures", "bytes", "source_bytes"))
    return PackedShards(
        output=str(folder / MANIFEST),
        shards=sum(1 for shard in manifest.shards if shard.file),
        pictures=pictures,
        rejected=manifest.total("rejected"),
        bytes=size,
        bytes_per_picture=size / pictures,
        source_bytes=source_bytes,
        ratio=source_bytes / size,
        seconds=round(seconds, 6),
        pictures_per_second=worked / seconds,
    )


def make_shard(shard: Shard, job: ShardJob, model: Model) -> int:
    """Write one shard and its report; again, if it is there already: the last one stays, with the same bytes.

    Args:
        shard: which.
        job: what all shards share.
        model: the job's, loaded.

    Returns:
        Its index.

    Raises:
        OutputError: the folder cannot be written.
    """
    name = shard_name(shard.index)
    # a name of its own: a worker that was given up, but lives on, must not write into this one's file
    temporary = job.folder / f".{Path(name).stem}.{uuid.uuid4().hex[:12]}.isthpack"
    with PackWriter(temporary, pack_header(model, job.options.quality)) as writer:
        rejected = write_pack(code_all(shard.sources, model, job.options), writer)
        if len(writer) == 0:
            writer.discard()
            facts = ShardFacts("", 0, len(rejected), 0, 0, "")
        else:
            pictures, source_bytes, size = len(writer), writer.source_bytes, writer.finish()
            try:
                with temporary.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                temporary.replace(job.folder / name)
            except OSError as error:
                raise cannot_write(job.folder / name, error) from error
            facts = ShardFacts(name, pictures, len(rejected), size, source_bytes, digest)
    write_report(job.folder, shard.index, ShardReport(job.plan, job.options, facts, rejected))
    return shard.index


def in_processes(shards: Iterable[Shard], job: ShardJob, *, jobs: int) -> Iterator[int]:
    """Make shards here, in some processes: a `Runner` with `jobs` bound.

    Raises:
        UsageError: no jobs.
        IsthmusError: a process was killed; what was made stays.
    """
    if jobs < 1:
        raise UsageError(f"jobs are 1 or more, not {jobs}")
    if jobs == 1:
        model = job.load_model()
        for shard in shards:
            yield make_shard(shard, job, model)
        return
    yield from in_order(_make_in_worker, shards, jobs=jobs, start=_start_worker, arguments=(job,), what="made shards")


def _start_worker(job: ShardJob) -> None:
    _worker.update(job=job, model=job.load_model())


def _make_in_worker(shard: Shard) -> int:
    return make_shard(shard, _worker["job"], _worker["model"])
