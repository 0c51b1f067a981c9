"""Options and arguments that mean the same in several commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Sources = Annotated[list[Path], typer.Argument(metavar="SRC...", help="Pictures, or folders of pictures.")]
CodingModel = Annotated[
    str | None, typer.Option(help="A model file, or the name of a shipped or installed one; photo.")
]
Quality = Annotated[
    float | None, typer.Option(help="1 to 100, a real number; higher is better and larger. The model's default.")
]
Fit = Annotated[bool, typer.Option("--fit", help="Convert and resize pictures to what the model takes.")]
Depth = Annotated[int | None, typer.Option(help="8: reduce pictures of more bits instead of refusing them.")]
EngineName = Annotated[str, typer.Option(help="onnxruntime; openvino where it is installed.")]
Threads = Annotated[int, typer.Option(help="Threads for the networks; 0 takes all cores.")]
ReplaceFiles = Annotated[bool, typer.Option("--force", help="Replace existing files.")]
PixelLimit = Annotated[
    int | None,
    typer.Option(metavar="N", help="Pixels that a picture may have; without it, as many as its bytes can hold."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
