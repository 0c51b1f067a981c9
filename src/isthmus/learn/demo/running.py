"""Trains, compresses unseen pictures, decompresses them and writes the report; each step is what a command does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from isthmus.codec.compressing import CompressOptions, compress_files
from isthmus.codec.decompressing import DecompressOptions, decompress_files
from isthmus.codec.model import Model, load_model
from isthmus.codec.targets import Target
from isthmus.container.atomic import exists_already, write_file
from isthmus.errors import IsthmusError
from isthmus.evaluate.reconstruction import MAX_COLUMNS, draw_reconstructions
from isthmus.imaging.reading import read_picture
from isthmus.imaging.writing import to_file_bytes
from isthmus.learn.demo.comparison import CodecResult, compare
from isthmus.learn.demo.report import Report, write_report
from isthmus.learn.experiment import Experiment, run_experiment
from isthmus.learn.loop.curves import draw_curves
from isthmus.learn.loop.run_folder import read_log
from isthmus.learn.recipes.loading import load_recipe
from isthmus.sources.glyphs import draw_glyphs
from isthmus.sources.outputs import Job
from isthmus.sources.source import Source
from isthmus.values import Picture

RECIPE = "glyphs-dense"
UNSEEN = 100
UNSEEN_SEED = 2_000_003  # far from the seeds that training and test pictures are drawn with
REPORT = "report.html"


@dataclass(frozen=True)
class Demo:
    """What `demo --json` prints.

    Attributes:
        report: path of the page.
        experiment: the training run.
        pictures: how many unseen pictures went through files.
        seconds: of everything.
        codecs: mean bytes and PSNR of each codec.
    """

    report: str
    experiment: Experiment
    pictures: int
    seconds: float
    codecs: tuple[CodecResult, ...]


def run_demo(folder: Path, *, force: bool = False) -> Demo:
    """Run the demo into a folder.

    Raises:
        OutputError: the folder holds a demo already and `force` is false, or cannot be written.
    """
    start = time.perf_counter()
    page = folder / REPORT
    if page.exists() and not force:
        raise exists_already(page)
    recipe = load_recipe(RECIPE)
    experiment = run_experiment(recipe, folder / "run", force=force)
    model = load_model(experiment.model)
    sources = _draw_unseen(folder / "pictures", recipe.data.characters, force=force)
    compressed = [folder / "compressed" / f"{path.stem}.isth" for path in sources]
    decompressed = [folder / "decompressed" / path.name for path in sources]
    _compress(sources, compressed, model, force=force)
    _decompress(compressed, decompressed, model, force=force)
    originals = [read_picture(path) for path in sources]
    returned = [read_picture(path) for path in decompressed]
    codecs = compare(originals, returned, [path.stat().st_size for path in compressed])
    report = Report(
        experiment=experiment,
        recipe=recipe,
        codecs=codecs,
        reconstructions=draw_reconstructions(originals[:MAX_COLUMNS], model),
        loss=draw_curves({"": read_log(folder / "run")}),
        commands=_commands(folder),
        seconds=time.perf_counter() - start,
    )
    write_file(page, write_report(report).encode(), force=force)
    return Demo(str(page), experiment, len(sources), round(time.perf_counter() - start, 3), codecs)


def _draw_unseen(folder: Path, characters: str, *, force: bool) -> list[Path]:
    """Glyphs that training never saw, as PNG files."""
    paths = []
    for index, pixels in enumerate(draw_glyphs(characters, UNSEEN, seed=UNSEEN_SEED).pictures):
        path = folder / f"glyph-{index:03}.png"
        write_file(path, to_file_bytes(Picture(pixels), ".png"), force=force)
        paths.append(path)
    return paths


def _compress(sources: Sequence[Path], targets: Sequence[Path], model: Model, *, force: bool) -> None:
    jobs = [Job(Source(one.name, path=one), target) for one, target in zip(sources, targets, strict=True)]
    for outcome in compress_files(jobs, model, CompressOptions(Target(), force=force)):
        _expect(outcome.error)


def _decompress(sources: Sequence[Path], targets: Sequence[Path], model: Model, *, force: bool) -> None:
    jobs = [Job(Source(one.name, path=one), target) for one, target in zip(sources, targets, strict=True)]
    for outcome in decompress_files(jobs, model, DecompressOptions(force=force)):
        _expect(outcome.error)


def _expect(error: IsthmusError | None) -> None:
    if error is not None:
        raise error


def _commands(folder: Path) -> tuple[str, ...]:
    """The same by hand."""
    return (
        f"isthmus train {RECIPE} -o {folder}/run",
        f"isthmus compress {folder}/pictures -o {folder}/compressed --model {folder}/run/model.isthmus",
        f"isthmus decompress {folder}/compressed -o {folder}/decompressed --model {folder}/run/model.isthmus",
        f"isthmus reconstruct {folder}/pictures --model {folder}/run/model.isthmus -o {folder}/figure.png",
        f"isthmus info {folder}/compressed/glyph-000.isth",
    )
