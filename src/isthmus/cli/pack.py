"""`isthmus pack`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.options import (
    AsJson,
    Coding,
    CodingModel,
    Column,
    Count,
    Depth,
    EngineName,
    Fit,
    Part,
    Quality,
    Sources,
)

if TYPE_CHECKING:
    from isthmus.packs.packing import PackedFile

SHOWN = 20
"""Rejected pictures that are named one by one."""
EXAMPLE = (
    "Example: isthmus pack photos/ -o photos.isthpack --quality 50   (then isthmus unpack photos.isthpack -o back)"
)


def pack(
    sources: Sources,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="The pack, NAME.isthpack; a folder for shards.")
    ],
    model: CodingModel = None,
    quality: Quality = None,
    coding: Coding = "auto",
    labels: Annotated[
        Path | None, typer.Option(metavar="IDX|NPY", help="An IDX or .npy file with a label for each picture.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, max=1024, help="Processes that read and code pictures: 1, or with Ray all processors of the cluster."
        ),
    ] = None,
    shard_size: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="A folder of shards of N pictures each, with a manifest; 10000 with Ray."
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="Of a Ray cluster: auto or HOST:PORT; without it one is started here for the time."),
    ] = None,
    part: Part = None,
    count: Count = None,
    column: Column = None,
    embed: Annotated[
        bool, typer.Option("--embed", help="Put the model into the pack: it opens where the model is not.")
    ] = False,
    append: Annotated[bool, typer.Option("--append", help="Add to a finished pack.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a pack was not finished.")] = False,
    fit: Fit = False,
    depth: Depth = None,
    frame: Annotated[int | None, typer.Option(help="Which picture of animations, from 0.")] = None,
    threads: Annotated[
        int, typer.Option(min=0, max=1024, help="Threads for the networks with one job; 0 takes all cores.")
    ] = 0,
    engine: EngineName = "onnxruntime",
    runner: Annotated[str, typer.Option(help="local: processes here; ray: shards on a Ray cluster.")] = "local",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing pack.")] = False,
    as_json: AsJson = False,
) -> None:
    """Pack many pictures into one .isthpack."""
    from dataclasses import asdict

    from isthmus.cli.output import Notes, Stopped, counter, note, print_json, say, tell
    from isthmus.cli.shards import pack_shards, shard_runner
    from isthmus.codec.api import DEFAULT_MODEL
    from isthmus.codec.model import load_model
    from isthmus.errors import UsageError
    from isthmus.packs.packing import Packed, PackOptions, Rejected, pack_to_file
    from isthmus.sources.finding import find_sources

    if runner not in ("local", "ray"):
        raise UsageError(f"--runner is local or ray, not {runner!r}")
    in_shards = shard_size is not None or runner == "ray"
    if in_shards and (append or engine == "openvino"):
        raise UsageError(f"{'--append' if append else '--engine openvino'} goes with one pack, not with shards")
    if in_shards and embed:
        raise UsageError("--embed goes with one pack, not with shards: a shard would hold as many bytes of model each")
    if address is not None and runner != "ray":
        raise UsageError("--address goes with --runner ray")
    loaded = load_model(model or DEFAULT_MODEL, threads=threads, engine="onnxruntime" if in_shards else engine)
    chosen = loaded.file.default_quality if quality is None else quality
    options = PackOptions(chosen, fit=fit, depth=depth, frame=frame, embed=embed, coding=coding)
    found = find_sources(sources, part=part, count=count, labels=labels, column=column)
    unread = tell(found)
    if in_shards:
        pack_shards(
            found, output, loaded, options, shard_runner(runner, address, jobs),
            shard_size=shard_size, resume=resume, force=force, as_json=as_json,
        )  # fmt: skip
        if unread:
            raise typer.Exit(1)
        return

    with counter(len(found), doing="packing") as advance:
        shown, notes = 0, Notes()

        def show(outcome: object) -> None:
            nonlocal shown
            advance()
            if isinstance(outcome, Rejected) and shown < SHOWN:
                note(f"not packed: {outcome.name}: {outcome.reason}")
                shown += 1
            if isinstance(outcome, Packed):
                notes.add(outcome.name, outcome.notes)

        try:
            done = pack_to_file(
                found, output, loaded, options,
                jobs=1 if jobs is None else jobs, append=append, resume=resume, force=force, on_picture=show,
            )  # fmt: skip
        except KeyboardInterrupt:
            raise Stopped(f"what was packed is in {output}.part, --resume goes on with it") from None
    notes.show()
    if as_json:
        print_json(asdict(done))
    else:
        say(_summary(done))
    if done.rejected:
        note(f"{len(done.rejected)} of {len(found)} pictures were not packed; --json names them all")
    if done.rejected or unread:
        raise typer.Exit(1)


def _summary(done: PackedFile) -> str:
    """One line; how many pictures have each coding, where not all are learned."""
    from isthmus.cli.output import in_short

    counts = ", ".join(f"{count} {coding}" for coding, count in sorted(done.codings.items()))
    codings = f"; {counts}" if done.codings.keys() - {"learned"} else ""
    return (
        f"{done.output}: {done.pictures} pictures, {done.bytes} bytes, {done.bytes_per_picture:.1f} a picture, "
        f"1/{done.ratio:.1f} of the sources; {in_short(done.pictures_per_second)} pictures/s{codings}"
    )
