"""`isthmus pack`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from isthmus.codec.model import Model
    from isthmus.codec.packing import PackOptions
    from isthmus.codec.sharding import Runner, Sources

SHOWN = 20
"""Rejected pictures that are named one by one."""
EXAMPLE = (
    "Example: isthmus pack photos/ -o photos.isthpack --quality 50   (then isthmus unpack photos.isthpack -o back)"
)


def pack(
    source: Annotated[
        str,
        typer.Argument(
            metavar="DIR|GLOB|IDX|PARQUET|URL",
            help="A folder, a quoted pattern such as 'a/**/*.jpg', an IDX file, Parquet files with a column of bytes, "
            "or a URL of pictures or Parquet files on a store that fsspec knows.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="The pack, NAME.isthpack; with shards a folder.")
    ],
    model: Annotated[
        str | None, typer.Option(help="A model file, or the name of a shipped or installed one; photo.")
    ] = None,
    quality: Annotated[
        int | None, typer.Option(help="1 to 100, higher is better and larger; the model's default.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="IDX", help="An IDX file with a label for each picture.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(help="Processes that read and code pictures: 1, or with Ray all processors of the cluster."),
    ] = None,
    shard_size: Annotated[
        int | None,
        typer.Option(metavar="N", help="A folder of shards of N pictures each, with a manifest; 10000 with Ray."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="Of a Ray cluster: auto or HOST:PORT; without it one is started here for the time."),
    ] = None,
    column: Annotated[str | None, typer.Option(help="Column of the pictures' bytes in Parquet files.")] = None,
    append: Annotated[bool, typer.Option("--append", help="Add to a finished pack.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a pack was not finished.")] = False,
    fit: Annotated[bool, typer.Option("--fit", help="Convert and resize pictures to what the model takes.")] = False,
    depth: Annotated[int | None, typer.Option(help="8: reduce pictures of more bits instead of refusing them.")] = None,
    threads: Annotated[int, typer.Option(help="Threads for the networks with one job; 0 takes all cores.")] = 0,
    engine: Annotated[
        str, typer.Option(help="onnxruntime; openvino where it is installed; ray: shards on a Ray cluster.")
    ] = "onnxruntime",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing pack.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Pack many pictures into one .isthpack."""
    from dataclasses import asdict

    from isthmus.cli.extras import needs_extra
    from isthmus.cli.output import counter, note, print_json
    from isthmus.codec.decoding import DEFAULT_MODEL
    from isthmus.codec.model import load_model
    from isthmus.codec.pack_sources import find_sources, is_elsewhere
    from isthmus.codec.packing import PackOptions, Rejected, pack_to_file
    from isthmus.codec.sharding import DEFAULT_SHARD_SIZE
    from isthmus.errors import UsageError

    on_ray = engine == "ray"
    loaded = load_model(model or DEFAULT_MODEL, threads=threads, engine="onnxruntime" if on_ray else engine)
    options = PackOptions(quality or loaded.file.default_quality, fit=fit, depth=depth)
    if is_elsewhere(source):
        with needs_extra("scale", "packing from Parquet files and URLs"):
            from isthmus.scale.sources import find
        if labels is not None:
            raise UsageError("--labels goes with files here: Parquet files have theirs in a column 'label'")
        sources: Any = find(source, column=column)
    else:
        sources = find_sources(source, labels)
    if on_ray or shard_size is not None:
        if append or engine == "openvino":
            raise UsageError(f"{'--append' if append else '--engine openvino'} goes with one pack, not with shards")
        run = _runner(address, jobs, on_ray=on_ray)
        _pack_shards(
            sources, output, loaded, options, run, shard_size or DEFAULT_SHARD_SIZE, resume=resume, force=force,
            as_json=as_json,
        )  # fmt: skip
        return
    if address is not None:
        raise UsageError("--address goes with --engine ray")

    with counter(len(sources), doing="packing") as advance:
        shown = 0

        def show(outcome: object) -> None:
            nonlocal shown
            advance()
            if isinstance(outcome, Rejected) and shown < SHOWN:
                note(f"not packed: {outcome.name}: {outcome.reason}")
                shown += 1

        done = pack_to_file(
            sources,
            output,
            loaded,
            options,
            jobs=_or_one(jobs),
            append=append,
            resume=resume,
            force=force,
            on_picture=show,
        )
    if as_json:
        print_json(asdict(done))
    else:
        print(
            f"{done.output}: {done.pictures} pictures, {done.bytes} bytes, {done.bytes_per_picture:.1f} a picture, "
            f"1/{done.ratio:.1f} of the sources; {done.pictures_per_second:.0f} pictures/s"
        )
    if done.rejected:
        note(f"{len(done.rejected)} of {len(sources)} pictures were not packed; --json names them all")
        raise typer.Exit(1)


def _or_one(jobs: int | None) -> int:
    return 1 if jobs is None else jobs


def _runner(address: str | None, jobs: int | None, *, on_ray: bool) -> Runner:
    """What makes shards."""
    from functools import partial

    from isthmus.cli.extras import needs_extra
    from isthmus.codec.sharding import in_processes
    from isthmus.errors import UsageError

    if not on_ray:
        if address is not None:
            raise UsageError("--address goes with --engine ray")
        return partial(in_processes, jobs=_or_one(jobs))
    with needs_extra("scale", "packing on a cluster"):
        from isthmus.scale.cluster import check_address
        from isthmus.scale.packing import run_on_ray
    if address is not None:
        check_address(address)  # before anything is written
    return partial(run_on_ray, address=address, workers=jobs)


def _pack_shards(
    sources: Sources, folder: Path, model: Model, options: PackOptions, run: Runner, shard_size: int,
    *, resume: bool, force: bool, as_json: bool,
) -> None:  # fmt: skip
    from dataclasses import asdict

    from isthmus.cli.output import counter, note, print_json
    from isthmus.codec.sharding import pack_to_shards

    with counter(-(-len(sources) // max(1, shard_size)), doing="packing shards") as advance:
        done = pack_to_shards(
            sources, folder, model, options, run,
            shard_size=shard_size, resume=resume, force=force, on_shard=lambda _: advance(),
        )  # fmt: skip
    if as_json:
        print_json(asdict(done))
    else:
        print(
            f"{done.output}: {done.pictures} pictures in {done.shards} shards, {done.bytes} bytes, "
            f"{done.bytes_per_picture:.1f} a picture, 1/{done.ratio:.1f} of the sources; "
            f"{done.pictures_per_second:.0f} pictures/s"
        )
    if done.rejected:
        note(f"{done.rejected} of {len(sources)} pictures were not packed: see {folder / 'rejected.csv'}")
        raise typer.Exit(1)
