"""Options and arguments that mean the same in several commands."""

from __future__ import annotations

from typing import Annotated

import typer

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SRC...",
        help="Pictures, folders, quoted patterns such as 'a/**/*.jpg', IDX, .npy, .npz or Parquet files, URLs, "
        "'mnist' or 'glyphs'; - is stdin.",
    ),
]
Count = Annotated[int | None, typer.Option(min=1, metavar="N", help="The first N pictures; all without it.")]
Part = Annotated[
    str | None, typer.Option(metavar="train|test", help="This part of data that has both; all without it.")
]
Column = Annotated[
    str | None, typer.Option(help="Column of the pictures' bytes in Parquet files; the only one without it.")
]
OneOrFolder = Annotated[
    str,
    typer.Option("-o", "--output", metavar="DST", help="A picture file for one source, else a folder (out/)."),
]
CodingModel = Annotated[
    str | None, typer.Option(help="A model file, or the name of a shipped or installed one; photo.")
]
Quality = Annotated[
    float | None, typer.Option(help="1 to 100, a real number; higher is better and larger. The model's default.")
]
Coding = Annotated[
    str,
    typer.Option(help="auto: what suits each picture; learned; exact: lossless WebP inside; graphics: AVIF inside."),
]
Fit = Annotated[bool, typer.Option("--fit", help="Convert and resize pictures to what the model takes.")]
Depth = Annotated[int | None, typer.Option(help="8: reduce pictures of more bits instead of refusing them.")]
EngineName = Annotated[str, typer.Option(help="onnxruntime; openvino where it is installed.")]
Threads = Annotated[int, typer.Option(min=0, max=1024, help="Threads for the networks; 0 takes all cores.")]
ReplaceFiles = Annotated[bool, typer.Option("--force", help="Replace existing files.")]
SkipExisting = Annotated[bool, typer.Option("--skip-existing", help="Leave files that are there, do the others.")]
PreserveDates = Annotated[bool, typer.Option("--preserve-dates", help="Results get the dates of their sources.")]
Processes = Annotated[int, typer.Option("--jobs", min=1, max=1024, metavar="N", help="Processes that share the files.")]
PixelLimit = Annotated[
    int | None,
    typer.Option(metavar="N", help="Pixels that a picture may have; without it, as many as its bytes can hold."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
