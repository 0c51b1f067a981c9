"""The part of `isthmus pack` that writes a folder of shards, here or on a Ray cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from isthmus.cli.extras import needs_extra

if TYPE_CHECKING:
    from isthmus.codec.model import Model
    from isthmus.packs.packing import PackOptions
    from isthmus.packs.sharding import Runner
    from isthmus.sources.source import Sources


def shard_runner(runner: str, address: str | None, jobs: int | None) -> Runner:
    """What makes shards."""
    from functools import partial

    from isthmus.packs.sharding import in_processes

    if runner != "ray":
        return partial(in_processes, jobs=1 if jobs is None else jobs)
    with needs_extra("scale", "packing on a cluster"):
        from isthmus.scale.cluster import check_address
        from isthmus.scale.packing import run_on_ray
    if address is not None:
        check_address(address)  # before anything is written
    return partial(run_on_ray, address=address, workers=jobs)


def pack_shards(
    sources: Sources, folder: Path, model: Model, options: PackOptions, run: Runner,
    *, shard_size: int | None, resume: bool, force: bool, as_json: bool,
) -> None:  # fmt: skip
    """Pack into shards, and say what that came to."""
    from dataclasses import asdict

    from isthmus.cli.output import Stopped, counter, in_short, note, print_json, say
    from isthmus.packs.shard_folder import REJECTED
    from isthmus.packs.sharding import DEFAULT_SHARD_SIZE, pack_to_shards

    size = DEFAULT_SHARD_SIZE if shard_size is None else shard_size
    with counter(-(-len(sources) // max(1, size)), doing="packing shards") as advance:
        try:
            done = pack_to_shards(
                sources, folder, model, options, run,
                shard_size=size, resume=resume, force=force, on_shard=lambda _: advance(),
            )  # fmt: skip
        except KeyboardInterrupt:
            raise Stopped(f"whole shards stay in {folder}, --resume goes on with the others") from None
    if as_json:
        print_json(asdict(done))
    else:
        say(
            f"{done.output}: {done.pictures} pictures in {done.shards} shards, {done.bytes} bytes, "
            f"{done.bytes_per_picture:.1f} a picture, 1/{done.ratio:.1f} of the sources; "
            f"{in_short(done.pictures_per_second)} pictures/s"
        )
    if done.rejected:
        note(f"{done.rejected} of {len(sources)} pictures were not packed: see {folder / REJECTED}")
        raise typer.Exit(1)
