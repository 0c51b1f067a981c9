"""The steps of `isthmus evaluate`: measure, summarise, draw, report."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isthmus.codec.model import DEFAULT_ENGINE
from isthmus.container.atomic import write_file
from isthmus.errors import MissingExtraError, UsageError
from isthmus.evaluate.codecs import CodecSpec, build_codec, expand_names
from isthmus.evaluate.crops import compare_crops
from isthmus.evaluate.figures import Reference, rate_distortion_figure, read_reference, times_figure
from isthmus.evaluate.measuring import PictureOutcome
from isthmus.evaluate.metrics import DEFAULT_METRICS, metrics_of
from isthmus.evaluate.report import write_report
from isthmus.evaluate.results import Results, summarise, to_csv, to_json
from isthmus.evaluate.running import measure_all
from isthmus.sources.finding import Found
from isthmus.transforms.engine import Engine
from isthmus.zoo.finding import find_by_name, read_model


@dataclass(frozen=True)
class EvaluationOptions:
    """What to compare, and how.

    Attributes:
        models: paths or names of models.
        against: codecs and families of codecs.
        qualities: of the models; None takes eight over the whole range.
        metrics: names in `metrics.METRICS`.
        jobs: processes.
        threads: of each codec.
        engines: that run the models; each model is measured on each.
        reference: a CSV file of published points.
        force: forget what the folder holds.
    """

    models: Sequence[str] = ()
    against: Sequence[str] = ()
    qualities: tuple[float, ...] | None = None
    metrics: Sequence[str] = DEFAULT_METRICS
    jobs: int = 1
    threads: int = 1
    engines: tuple[str, ...] = (DEFAULT_ENGINE.name,)
    reference: Path | None = None
    force: bool = False

    def __post_init__(self) -> None:
        if not self.models and not self.against:
            raise UsageError("there is nothing to compare: name a --model or codecs with --against")
        metrics_of(self.metrics)
        if self.jobs < 1 or self.threads < 1:
            raise UsageError("--jobs and --threads are 1 or more")
        for engine in self.engines:
            Engine(engine)


def evaluate(
    found: Found,
    options: EvaluationOptions,
    folder: Path,
    *,
    data: str,
    command: str,
    on_done: Callable[[PictureOutcome], None] = lambda outcome: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Results:
    """Measure and write results.json, results.csv, rd.svg, rd.png, times.png and report.html into a folder.

    Args:
        found: the pictures.
        options: what to compare.
        folder: of the results; with the journal of an interrupted run in it, that run goes on.
        data: what the report calls the pictures.
        command: what the report says it was made with.
        on_done: called for each picture.
        on_progress: called with the number of measurements that are done, and that of all.

    Raises:
        IsthmusError: as its steps do.
    """
    pictures = {source.name: source for source in found}
    reference: Reference = read_reference(options.reference) if options.reference else {}
    specs = _specs(options)
    codecs = [build_codec(spec) for spec in specs]
    _check_matplotlib()
    outcomes = measure_all(
        pictures, specs, options.metrics, folder,
        jobs=options.jobs, force=options.force, on_done=on_done, on_progress=on_progress,
    )  # fmt: skip
    asked = max(1, sum(spec.model is not None for spec in specs))
    infos = [codec.info for codec in codecs]
    results = summarise(data, infos, outcomes, metrics=options.metrics, asked=asked, jobs=options.jobs)
    rival = _strongest_rival(results)
    comparisons = compare_crops(results, pictures, codecs[0], codecs[rival]) if rival else ()
    curves, times = rate_distortion_figure(results, reference, form="svg"), times_figure(results)
    files = {
        "results.json": json.dumps(finite(to_json(results)), indent=1, ensure_ascii=False).encode(),
        "results.csv": to_csv(results),
        "rd.svg": curves,
        "rd.png": rate_distortion_figure(results, reference, form="png"),
        "times.png": times,
        "report.html": write_report(
            results, comparisons, curves=curves, times=times, command=command, has_published=bool(reference)
        ),
    }
    for name, content in files.items():
        write_file(folder / name, content, force=True)
    return results


def _strongest_rival(results: Results) -> int:
    """Which codec the first one gains least on, by the first metric; 0 where there is no other."""
    metric, rates = results.metrics[0].name, results.codecs[0].rates
    percents = [
        rates[one.info.name][metric].whole.percent if one.info.name in rates else None for one in results.codecs
    ]
    known = {index: percent for index, percent in enumerate(percents) if percent is not None}
    return max(known, key=lambda index: known[index]) if known else min(1, len(percents) - 1)


_NAMELESS = "model.isthmus"
"""What every run calls its model's file: it goes by the name that the model has of its own."""


def _specs(options: EvaluationOptions) -> list[CodecSpec]:
    """Models first, each under a name of its own."""
    specs: list[CodecSpec] = []
    for wanted in options.models:
        path = find_by_name(wanted)
        taken = {spec.name for spec in specs}
        name = read_model(path).name if path.name == _NAMELESS else path.stem
        if name in taken:
            name = "/".join(path.parts[-2:]).removesuffix(".isthmus")
        for engine in options.engines:
            label = name if engine == DEFAULT_ENGINE.name else f"{name}, {engine}"
            specs.append(CodecSpec(label, path, options.qualities, options.threads, engine))
    return specs + [CodecSpec(name, threads=options.threads) for name in expand_names(options.against, only_grey=False)]


def _check_matplotlib() -> None:
    """Now rather than after an hour of measuring.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(extra="evaluate", purpose="drawing an evaluation") from error


def finite(value: Any) -> Any:
    """The value with null for infinite numbers, which JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    return [finite(inner) for inner in value] if isinstance(value, list | tuple) else value
