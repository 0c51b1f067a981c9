"""`isthmus demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.options import AsJson

EXAMPLE = "Example: isthmus demo -o demo"


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the demo.")] = Path("demo"),
    force: Annotated[bool, typer.Option("--force", help="Replace the demo that the folder holds.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a small model on drawn digits, compress, reconstruct, and write a report."""
    from isthmus.cli.extras import needs_extra

    with needs_extra("train", "the demo"):
        import matplotlib  # noqa: F401 - said here, not in the middle of the work

        from isthmus.learn.demo.running import run_demo
    from dataclasses import asdict

    from isthmus.cli.output import print_json, say

    result = run_demo(output, force=force)
    if as_json:
        print_json(asdict(result))
        return
    for codec in result.codecs:
        say(f"{codec.name:18} {codec.mean_bytes:7.1f} bytes a picture, {codec.psnr:.2f} dB")
    say(f"{result.pictures} pictures, {result.seconds:.0f} s: open {result.report}")
