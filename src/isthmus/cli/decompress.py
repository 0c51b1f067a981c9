"""`isthmus decompress`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.options import (
    AsJson,
    EngineName,
    PixelLimit,
    PreserveDates,
    Processes,
    ReplaceFiles,
    SkipExisting,
    Threads,
)

if TYPE_CHECKING:
    from isthmus.codec.decompressing import Decompressed

EXAMPLE = "Example: isthmus decompress compressed/ -o pictures/ --model run/model.isthmus"


def decompress(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SRC...", help=".isth files, folders of them, or quoted patterns; - is stdin."),
    ],
    output: Annotated[
        str,
        typer.Option(
            "-o", "--output", metavar="DST", help="A picture file for one source, else a folder (out/); - is stdout."
        ),
    ],
    model: Annotated[str | None, typer.Option(help="The model; without it, it is found by the id in the file.")] = None,
    format_: Annotated[
        str, typer.Option("--format", help="In a folder and on stdout: png, jpg, webp, avif, jxl, tif, ...")
    ] = "png",
    region: Annotated[
        str | None, typer.Option(metavar="X,Y,W,H", help="Only this part, in pixels; decodes only the tiles it needs.")
    ] = None,
    salvage: Annotated[
        bool, typer.Option("--salvage", help="Of a damaged file, write what is whole and say what is missing.")
    ] = False,
    output_quality: Annotated[
        int | None,
        typer.Option(
            min=1, max=100, help="Of jpg and avif, 95 without it; of webp and jxl, which then lose something."
        ),
    ] = None,
    preserve_dates: PreserveDates = False,
    skip_existing: SkipExisting = False,
    jobs: Processes = 1,
    threads: Threads = 0,
    engine: EngineName = "onnxruntime",
    pixel_limit: PixelLimit = None,
    force: ReplaceFiles = False,
    as_json: AsJson = False,
) -> None:
    """Decompress .isth files to pictures."""
    from isthmus.cli.many import check_json, sum_of_pictures, tell_all, threads_of_each, what_of_existing
    from isthmus.codec.decompressing import DecompressOptions, decompress_files
    from isthmus.codec.model import load_model
    from isthmus.imaging.windows import parse_region
    from isthmus.imaging.writing import FORMATS, check_quality, check_suffix
    from isthmus.sources.finding import find_files
    from isthmus.sources.outputs import plan_jobs
    from isthmus.transforms.engine import Engine

    check_json(output, as_json=as_json)
    window = parse_region(region) if region is not None else None
    each = threads_of_each(threads, jobs)
    options = DecompressOptions(
        window, salvage=salvage, engine=Engine(engine, each), pixel_limit=pixel_limit, output_quality=output_quality,
        preserve_dates=preserve_dates, force=force,
    )  # fmt: skip
    suffix = "." + format_.lower().lstrip(".")
    check_suffix(suffix)
    existing = what_of_existing(force=force, skip_existing=skip_existing)
    found = find_files(sources, ".isth")
    plan = plan_jobs(found, output, suffix=suffix, file_suffixes=FORMATS, existing=existing, to_standard=True)
    for written_as in {job.target.suffix for job in plan.jobs}:
        check_quality(written_as, output_quality)
    loaded = load_model(model, threads=each, engine=engine) if model else None
    tell_all(
        found, plan, decompress_files(plan.jobs, loaded, options, processes=jobs), doing="decompressing",
        line_of=_line_of, sum_of=sum_of_pictures, as_json=as_json,
    )  # fmt: skip


def _line_of(result: Decompressed) -> str:
    return f"{result.output}: {result.width}×{result.height}"
