"""`isthmus train own`: from a folder of pictures to a model file, a table and a page, within a number of minutes."""

from __future__ import annotations

import json
import math
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isthmus.codec.hyperprior.layout import BLOCK
from isthmus.codec.model import Model
from isthmus.container.atomic import write_file
from isthmus.container.model_file import ModelFile, write_model
from isthmus.errors import OutputError, UsageError
from isthmus.learn.hyperprior.calibration.quality_map import fit_quality_map
from isthmus.learn.hyperprior.export.export import check_round_trip
from isthmus.learn.hyperprior.own.bar import OwnBar
from isthmus.learn.hyperprior.own.comparison import PSNR, SCORE, WEBP, Curve, compare, ratio_to
from isthmus.learn.hyperprior.own.estimate import Progress
from isthmus.learn.hyperprior.own.from_nothing import FromNothing
from isthmus.learn.hyperprior.own.from_shipped import FromShipped
from isthmus.learn.hyperprior.own.page import Outcome, figures_of, lines_of, metrics_of, write_page
from isthmus.learn.hyperprior.own.pictures import OwnPictures, read_own
from isthmus.learn.hyperprior.own.settings import training_of
from isthmus.learn.hyperprior.own.training import OwnRun, read_own_checkpoint
from isthmus.learn.loop.run_folder import CHECKPOINT, LOG, check_folder, clear_run
from isthmus.learn.loop.stopping import only_asking
from isthmus.learn.recipes.photo import OWN
from isthmus.sources.finding import find_sources
from isthmus.transforms.engine import Engine
from isthmus.zoo.finding import find_by_name, parse_model, read_model

MODEL_FILE, PAGE, FIGURES = "model.isthmus", "page.html", "figures.json"
AUTO, BASES, NOTHING = "auto", ("photo-psnr", "photo"), "nothing"
COMPARED = "photo"
"""The shipped model beside one that began with nothing."""
USUAL_MINUTES = 60.0
LEAST_MINUTES = 0.5
TRIED_PICTURES = 8
"""Held-aside pictures that decide which shipped model a run begins with."""
MAPPED_PICTURES = 16
"""Of the training: what qualities mean is fitted to them in the end."""
RECOUNTED_AT = (0.4, 0.8)
"""Shares of the training at which symbols are counted anew."""
END_SHARE, MOST_END_SHARE = 0.1, 0.5
"""Of the budget that is kept for the end, at least and at most."""
END_SECONDS, END_PER_START = 15.0, 4.0
"""How long the end takes: so long, and so many times as long as the start took."""
SAVE_SECONDS, CHECK_SHARE, LEAST_CHECK_SECONDS = 90.0, 0.05, 45.0
DEFAULT_QUALITY = 60
LOG_HEADER = "seconds,step,loss,of_webp"
LICENCE = "as its training data allows"
FEW = 300
LEAST_COMPARED = 3
"""Held-aside pictures, however little time is left."""


@dataclass(frozen=True)
class OwnResult:
    """What a training came to, in the form of `train --json`.

    Attributes:
        recipe: "own".
        model: path of the model file.
        model_id: its id, hexadecimal.
        base: name of the shipped model that it is a difference to, or "nothing".
        model_bytes: of the file.
        page: path of the page.
        steps: done in all.
        seconds: that the command took.
        metrics: bytes for each byte of WebP on held-aside pictures, at equal SSIMULACRA2 and PSNR, and from how many
            pictures on the model pays; NaN where it cannot be said.
        lines: the table in words.
    """

    recipe: str
    model: str
    model_id: str
    base: str
    model_bytes: int
    page: str
    steps: int
    seconds: float
    metrics: dict[str, float]
    lines: list[str]


def train_own(
    folder: Path,
    *,
    data: str | Path,
    minutes: float | None = None,
    base: str = AUTO,
    settings: Sequence[str] = (),
    seed: int = 0,
    resume: bool = False,
    force: bool = False,
    report: Callable[[str], None] = lambda line: None,
    is_shown: bool = False,
) -> OwnResult:
    """Learn a codec for pictures that are alike, as a difference to a shipped model or from nothing.

    Args:
        folder: of the run: checkpoint.pt, log.csv, model.isthmus, page.html.
        data: a folder of pictures, or whatever else commands take for pictures.
        minutes: that all of it takes; None: `USUAL_MINUTES`, or of a run that goes on what it has left.
        base: "auto", the shipped model that suits the pictures better; or its name; or "nothing", for a small model
            of its own.
        settings: "KEY=VALUE" of `settings.OwnTraining`; a run that goes on keeps those that it was given.
        seed: of what is drawn.
        resume: go on with the folder's run.
        force: replace the folder's run.
        report: told in a line each what is found and what will be done.
        is_shown: show on stderr how it goes.

    Raises:
        IsthmusError: as its steps do.
        KeyboardInterrupt: as the user, or the system, wishes; the last step is in the checkpoint.
    """
    began = time.monotonic()
    check_folder(folder, resume=resume, force=force)
    saved = read_own_checkpoint(folder / CHECKPOINT) if resume else None
    budget = 60 * _minutes(minutes, saved) - (saved["elapsed"] if saved else 0.0)
    if base not in (AUTO, *BASES, NOTHING):
        raise UsageError(f"--from is {AUTO}, {', '.join(BASES)} or {NOTHING}, not {base!r}")
    training = training_of(settings, saved["training"] if saved else None)
    with OwnBar(is_shown=is_shown) as bar:
        bar.stage("reading the pictures", 0.0)
        pictures = read_own(find_sources(str(data)))
        from_nothing = (saved["training"]["base"] if saved else base) == NOTHING
        shipped = read_model(find_by_name(COMPARED)) if from_nothing else _base(pictures, base, saved)
        begun_with = NOTHING if from_nothing else shipped.name
        for line in _plan(pictures, begun_with, budget):
            report(line)
        bar.stage("counting symbols", 0.0)
        counted = time.monotonic()
        if saved is None:
            training = replace(training, base=begun_with, seed=seed)
        _begin(folder, resume=resume)
        run = (FromNothing if from_nothing else FromShipped)(folder, pictures, shipped, training, saved=saved)
        start_seconds = time.monotonic() - counted
        end = max(END_SHARE * budget, END_SECONDS + END_PER_START * start_seconds)
        clock = _Clock(began, budget, min(end, MOST_END_SHARE * budget), saved["elapsed"] if saved else 0.0)
        _train(run, clock, bar)
        made, curves, notes = _finish(run, clock, bar)
    data_bytes = write_model(made)
    kept = [one for number, one in enumerate(pictures.held_aside) if number in curves[0].shown]
    outcome = Outcome(folder.name, str(pictures.look), len(data_bytes), curves, kept, notes)
    write_file(folder / MODEL_FILE, data_bytes, force=True)
    write_file(folder / PAGE, write_page(outcome, shlex.join(["isthmus", *sys.argv[1:]])), force=True)
    metrics = metrics_of(outcome)
    write_file(folder / FIGURES, json.dumps(figures_of(outcome, metrics), indent=1).encode(), force=True)
    return OwnResult(
        recipe=OWN,
        model=str(folder / MODEL_FILE),
        model_id=made.id.hex(),
        base=begun_with,
        model_bytes=len(data_bytes),
        page=str(folder / PAGE),
        steps=run.step,
        seconds=round(time.monotonic() - began, 1),
        metrics=metrics,
        lines=lines_of(outcome),
    )


@dataclass(frozen=True)
class _Clock:
    """When a command began, how long it and its end may take, and what earlier ones of the run took, in seconds."""

    began: float
    budget: float
    end: float
    before: float

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.began

    @property
    def left(self) -> float:
        return self.budget - self.elapsed

    @property
    def share(self) -> float:
        """Of all commands of the run."""
        return min((self.before + self.elapsed) / (self.before + self.budget), 1.0)


def _minutes(minutes: float | None, saved: dict[str, Any] | None) -> float:
    if minutes is None:
        return float(saved["minutes"]) if saved else USUAL_MINUTES
    if not LEAST_MINUTES <= minutes < math.inf:
        raise UsageError(f"--minutes is {LEAST_MINUTES:g} or more, not {minutes:g}")
    return minutes


def _base(pictures: OwnPictures, base: str, saved: dict[str, Any] | None) -> ModelFile:
    """The shipped model to begin with: the one of the run; or the one that takes fewer bytes on some pictures."""
    if saved is not None:
        return read_model(find_by_name(saved["training"]["base"]))
    files = {name: read_model(find_by_name(name)) for name in (BASES if base == AUTO else (base,))}
    if len(files) == 1:
        return files[base]
    models = {
        name: Model(with_own_positions(file), Engine(threads=torch.get_num_threads())) for name, file in files.items()
    }
    curves, _ = compare(pictures.held_aside[:TRIED_PICTURES], models, kept=0, names=[WEBP])
    metric = SCORE if np.isfinite(np.array(curves[0].measured)[:, :, 1]).all() else PSNR
    ratios = {curve.label: ratio_to(curve, curves[-1], metric) for curve in curves[:-1]}
    return files[min(ratios, key=lambda name: ratios[name] if math.isfinite(ratios[name]) else math.inf)]


def with_own_positions(file: ModelFile) -> ModelFile:
    """A shipped model that codes only positions that hold pixels: what a difference to it begins with."""
    return replace(file, arrays={**file.arrays, "grid_unit": np.array([BLOCK], np.int32)})


def _plan(pictures: OwnPictures, base: str, budget: float) -> list[str]:
    """What was found, and what will be done."""
    rows, columns = pictures.window
    what = "a small model from nothing" if base == NOTHING else f"a difference to {base}"
    lines = [
        str(pictures.look),
        f"learning {what} for {budget / 60:.3g} min, until "
        f"{time.strftime('%H:%M', time.localtime(time.time() + budget))}, on {torch.get_num_threads()} threads, from "
        f"windows of {columns}×{rows}; {len(pictures.held_aside)} pictures are held aside to judge it by",
    ]
    if pictures.look.unread:
        lines.append(f"not read: {pictures.look.first_problem}")
    if pictures.look.distinct < FEW:
        lines.append(
            f"{pictures.look.distinct} pictures are few: hundreds are wanted, and a pack that holds its model pays "
            "from about a thousand on"
        )
    return lines


def _train(run: OwnRun, clock: _Clock, bar: OwnBar) -> None:
    """Until only the end's time is left."""
    progress = Progress(run)
    span = max(clock.left - clock.end, 0.0)
    used_before, begun = run.used, time.monotonic()
    recounts = [share for share in RECOUNTED_AT if share * (used_before + span) > used_before]
    checked = saved = -math.inf
    losses: list[float] = []
    asked: list[bool] = []
    bar.stage("training", clock.share)
    with only_asking(lambda: asked.append(True)):
        while not asked and clock.left > clock.end:
            now = time.monotonic()
            if now - checked > max(CHECK_SHARE * (clock.budget - clock.end), LEAST_CHECK_SECONDS):
                ratio = progress.against_webp()
                bar.tell(ratio)
                loss = float(np.nanmean(losses)) if losses else math.nan
                _log(run.folder, f"{clock.before + clock.elapsed:.1f},{run.step},{loss:.5f},{ratio:.4f}")
                losses, checked = [], time.monotonic()
            run.used = used_before + (time.monotonic() - begun)
            share = run.used / (used_before + span)
            if recounts and share > recounts[0]:
                recounts.pop(0)
                run.recount()
            losses.append(run.train_step(share))
            bar.move(clock.share, clock.left)
            if time.monotonic() - saved > SAVE_SECONDS:
                _save(run, clock)
                saved = time.monotonic()
        _save(run, clock)
    if asked:
        raise KeyboardInterrupt


def _begin(folder: Path, *, resume: bool) -> None:
    """The run's folder, and in it a log.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not resume:
            clear_run(folder)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror}") from error
    if not (folder / LOG).exists():
        _log(folder, LOG_HEADER)


def _log(folder: Path, line: str) -> None:
    try:
        with (folder / LOG).open("a", encoding="utf-8") as log:
            log.write(line + "\n")
    except OSError as error:
        raise OutputError(f"cannot write {folder / LOG}: {error.strerror}; what was learnt is kept") from error


def _save(run: OwnRun, clock: _Clock) -> None:
    run.save(minutes=(clock.before + clock.budget) / 60, elapsed=clock.before + clock.elapsed)


def _finish(run: OwnRun, clock: _Clock, bar: OwnBar) -> tuple[ModelFile, list[Curve], list[str]]:
    """The model file of what was learnt, and what it does to held-aside pictures."""
    bar.stage("rounding, counting symbols, fitting tables", clock.share)
    facts = {
        "recipe": {"name": OWN, **asdict(run.training)}, "tune": run.training.tune, "licence": LICENCE,
        "steps": run.step, "data": str(run.pictures.look),
    }  # fmt: skip
    made = replace(run.to_model_file(run.folder.name, facts), default_quality=DEFAULT_QUALITY)
    bar.stage("fitting what qualities mean", clock.share)
    engine = Engine(threads=torch.get_num_threads())
    table = fit_quality_map(Model(made, engine), list(run.pictures.training_pictures(MAPPED_PICTURES)))
    made = run.with_quality_map(made, table)
    made = parse_model(write_model(made), name=made.name)  # as others will read it
    check_round_trip(Model(made, engine))
    bar.stage("coding held-aside pictures, with other codecs too", clock.share)
    models = {made.name: Model(made, engine), f"{run.shipped.name} (shipped)": Model(run.shipped, engine)}
    margin = [time.monotonic()]

    def goes_on(done: int) -> bool:
        each = (time.monotonic() - margin[0]) / max(done, 1)
        bar.move(clock.share, clock.left)
        return done < LEAST_COMPARED or clock.left > 3 + 2 * each

    curves, notes = compare(run.pictures.held_aside, models, goes_on=goes_on)
    return made, curves, notes
