"""Shards on a Ray cluster: each actor has the model and makes one shard after the other.

What goes through Ray are the shards' sources, not their pictures: an actor reads the pictures itself and writes the
shard itself. An actor that is lost, with its process or its machine, is replaced, and the shard that it had is made
again from the beginning; as a shard gets its name only when it is whole, no picture is lost and none is there twice.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable, Iterator
from typing import Any

import ray
import ray.data
import ray.exceptions

from isthmus.errors import IsthmusError, OutputError, UsageError
from isthmus.packs.sharding import Shard, ShardJob, make_shard
from isthmus.scale.cluster import cluster

_Rows = dict[str, Any]


def run_on_ray(
    shards: Iterable[Shard], job: ShardJob, *, address: str | None = None, workers: int | None = None
) -> Iterator[int]:
    """Make shards on a Ray cluster: a `Runner` with the rest bound.

    Args:
        shards: which.
        job: what they share; its folder is one that every machine of the cluster has.
        address: see `cluster`.
        workers: actors at most, one processor each; None for as many as there are processors.

    Raises:
        InputError: no Ray answers at the address.
        UsageError: no address, or no workers.
        OutputError: a worker cannot write the folder.
        IsthmusError: what else stopped a worker, or the cluster is gone.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"workers are 1 or more, not {workers}")
    rows = [{"index": shard.index, "shard": pickle.dumps(shard)} for shard in shards]
    with cluster(address, workers=workers or os.cpu_count() or 1):
        processors = int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
        size = max(1, min(workers or processors, processors, len(rows)))
        made = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            _ShardMaker,
            fn_constructor_args=(pickle.dumps(job),),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=size),
            num_cpus=1,
        )
        try:
            for row in made.iter_rows():
                if row["problem"]:
                    raise pickle.loads(row["problem"])  # noqa: S301 - a worker of ours has sent it
                yield int(row["index"])
        except ray.exceptions.RayError as error:
            lines = str(error).strip().splitlines()
            raise IsthmusError(f"the Ray cluster failed: {lines[-1] if lines else type(error).__name__}") from error


class _ShardMaker:
    """One actor."""

    def __init__(self, job: bytes) -> None:
        self._job: ShardJob = pickle.loads(job)  # noqa: S301 - the driver has sent it
        self._model = self._job.load_model()

    def __call__(self, rows: _Rows) -> _Rows:
        """Make one shard; what stops it for good is returned, as raising would make Ray try again or print a trace."""
        problem = b""
        try:
            make_shard(pickle.loads(rows["shard"][0]), self._job, self._model)  # noqa: S301 - see above
        except IsthmusError as error:
            kind = OutputError if isinstance(error, OutputError) else IsthmusError
            problem = pickle.dumps(kind(str(error)))
        return {"index": rows["index"], "problem": [problem]}
