"""Shards made on a Ray cluster are those made here, whatever happens to its workers and machines."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from isthmus.errors import InputError, OutputError, UsageError
from isthmus.packs.packing import PackOptions
from isthmus.packs.sharding import in_processes, pack_to_shards
from isthmus.sources.finding import find_sources
from isthmus.sources.source import Source
from isthmus.values import Picture
from tests.packs.test_sharding import contents, folder  # noqa: F401 - the fixture

pytest.importorskip("ray", reason="the extra scale is not installed", exc_type=ImportError)

from isthmus.scale.cluster import check_address
from isthmus.scale.packing import run_on_ray

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
HERE = partial(in_processes, jobs=1)
QUALITY = PackOptions(75)


@dataclass(frozen=True)
class Deadly:
    """A picture that kills the process that first reads it."""

    source: Source
    mark: Path

    def __getattr__(self, name: str) -> object:
        """All else is the picture's."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.source, name)

    def read(self, **options: object) -> Picture:
        """Dies, or reads."""
        if not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.source.read(**options)


def test_a_killed_worker_loses_and_doubles_nothing(folder, golden_model, tmp_path):  # noqa: F811
    """Its shard is made again by another one: every file is that of a run here, rejections included."""
    sources = find_sources(str(folder))
    pack_to_shards(sources, tmp_path / "here", golden_model, QUALITY, HERE, shard_size=3)
    deadly = [*sources[:10], Deadly(sources[10], tmp_path / "killed"), *sources[11:]]
    on_two = partial(run_on_ray, workers=2)
    done = pack_to_shards(deadly, tmp_path / "ray", golden_model, QUALITY, on_two, shard_size=3)
    assert (tmp_path / "killed").exists()
    assert (done.pictures, done.rejected) == (20, 2)
    assert contents(tmp_path / "ray") == contents(tmp_path / "here")


def test_a_lost_machine_loses_and_doubles_nothing(folder, golden_model, tmp_path):  # noqa: F811
    """A cluster of two nodes, of which one goes when the first shard is there."""
    from ray.cluster_utils import Cluster

    sources = find_sources(str(folder))
    pack_to_shards(sources, tmp_path / "here", golden_model, QUALITY, HERE, shard_size=1)
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": 100 << 20},
    )
    second = cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
    cluster.wait_for_nodes()
    lost = []

    def lose(index: int) -> None:
        if not lost:
            lost.append(index)
            cluster.remove_node(second, allow_graceful=False)

    try:
        on_cluster = partial(run_on_ray, address=cluster.address)
        pack_to_shards(sources, tmp_path / "ray", golden_model, QUALITY, on_cluster, shard_size=1, on_shard=lose)
    finally:
        cluster.shutdown()
    assert lost
    assert contents(tmp_path / "ray") == contents(tmp_path / "here")


def test_what_stops_a_worker_for_good_is_said(folder, golden_model, tmp_path):  # noqa: F811
    """A folder that goes away under it: no endless retries, and the reason in one line."""

    def vanishing(shards, job):
        job.folder.rmdir()
        job.folder.write_text("a file in its place")
        yield from run_on_ray(shards, job, workers=1)

    with pytest.raises(OutputError, match="cannot write"):
        pack_to_shards(find_sources(str(folder)), tmp_path / "out", golden_model, QUALITY, vanishing)


def test_an_address_without_ray_is_an_error_at_once():
    """Nothing there, something else there, or no address at all."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(InputError, match=f"no Ray answers at {address}"):
            check_address(address)
        other.listen()
        with pytest.raises(InputError, match=f"no Ray answers at {address}"):
            check_address(address)
    for wrong in ("head", "head:port", "head:0", "ray://head:10001", ":6379"):
        with pytest.raises(UsageError, match="auto or HOST:PORT"):
            check_address(wrong)
