"""All pictures through all codecs: in several processes if asked, with a journal so that a killed run goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isthmus.codec.workers import in_order
from isthmus.errors import InputError, OutputError
from isthmus.evaluate.codec import Codec
from isthmus.evaluate.codecs import CodecSpec, build_codec
from isthmus.evaluate.measuring import Failure, Measurement, PictureOutcome, digest_of, measure_picture, warm_up
from isthmus.sources.folders import natural_key
from isthmus.sources.source import Source

JOURNAL = "journal.jsonl"
_worker: dict[str, Any] = {}


def measure_all(
    pictures: Mapping[str, Source],
    specs: Sequence[CodecSpec],
    metrics: Sequence[str],
    folder: Path,
    *,
    jobs: int,
    force: bool,
    on_done: Callable[[PictureOutcome], None],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[PictureOutcome]:
    """Measure every picture; what the folder's journal holds already is not measured again.

    Args:
        pictures: by name.
        specs: of the codecs.
        metrics: names in `metrics.METRICS`.
        folder: gets the journal.
        jobs: processes; pictures are shared out among them.
        force: forget the journal of another run.
        on_done: called for each picture that is done.
        on_progress: called with the number of measurements that are done, and that of all.

    Returns:
        An outcome for each picture, in the order of their names whatever the number of jobs.

    Raises:
        OutputError: the folder holds a run with other codecs, or cannot be written.
        IsthmusError: a codec cannot be built.
    """
    codecs = [build_codec(spec) for spec in specs]
    settings = {
        "codecs": [{**asdict(codec.info), "qualities": list(codec.qualities)} for codec in codecs],
        "metrics": list(metrics),
        "jobs": jobs,
    }
    journal = folder / JOURNAL
    done = {} if force else _read_journal(journal, settings)
    done = {name: one for name, one in done.items() if name in pictures and _is_same(pictures[name], one)}
    for one in done.values():
        on_done(one)
    waiting = {name: source for name, source in pictures.items() if name not in done}
    each = sum(len(codec.qualities) for codec in codecs)
    progress = _Progress(len(done) * each, len(pictures) * each, on_progress)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with journal.open("w", encoding="utf-8") as file:
            file.write(json.dumps(settings) + "\n")
            file.writelines(json.dumps(asdict(one)) + "\n" for one in done.values())
            for one in _measure(waiting, codecs, specs, metrics, jobs, progress.step):
                file.write(json.dumps(asdict(one)) + "\n")
                file.flush()
                done[one.picture] = one
                on_done(one)
                progress.reach(len(done) * each)
    except OSError as error:
        raise OutputError(f"cannot write {journal}: {error.strerror or error}") from error
    return [done[name] for name in sorted(done, key=natural_key)]


@dataclass
class _Progress:
    """How many measurements are done; other processes' are known when a picture is."""

    done: int
    total: int
    tell: Callable[[int, int], None]

    def step(self) -> None:
        self.reach(self.done + 1)

    def reach(self, done: int) -> None:
        self.done = done
        self.tell(done, self.total)


def _measure(
    waiting: Mapping[str, Source],
    codecs: Sequence[Codec],
    specs: Sequence[CodecSpec],
    metrics: Sequence[str],
    jobs: int,
    on_measured: Callable[[], None],
) -> Iterator[PictureOutcome]:
    if not waiting:
        return
    first = next(iter(waiting.values()))
    if jobs == 1:
        warm_up(first, codecs)
        for name, source in waiting.items():
            yield measure_picture(source, name, codecs, metrics, on_measured)
        return
    yield from in_order(
        _measure_one,
        waiting.items(),
        jobs=jobs,
        start=_start_worker,
        arguments=(tuple(specs), tuple(metrics), first),
        what="measured pictures",
        remedy="the same command goes on",
    )


def _start_worker(specs: Sequence[CodecSpec], metrics: Sequence[str], first: Source) -> None:
    codecs = [build_codec(spec) for spec in specs]
    warm_up(first, codecs)
    _worker.update(codecs=codecs, metrics=metrics)


def _measure_one(picture: tuple[str, Source]) -> PictureOutcome:
    name, source = picture
    return measure_picture(source, name, _worker["codecs"], _worker["metrics"])


def _is_same(source: Source, outcome: PictureOutcome) -> bool:
    """Whether the picture is the one that was measured."""
    try:
        return digest_of(source) == outcome.sha256
    except InputError:
        return False


def _read_journal(path: Path, settings: dict[str, Any]) -> dict[str, PictureOutcome]:
    """What an earlier run with the same settings measured.

    Raises:
        OutputError: it had other settings.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    if not lines or _parsed(lines[0]) != settings:
        raise OutputError(f"{path.parent} holds a run with other codecs or settings: name another folder, or --force")
    found = {}
    for line in lines[1:]:
        row = _parsed(line)
        if row is not None:
            row["measurements"] = tuple(Measurement(**one) for one in row["measurements"])
            row["failures"] = tuple(Failure(**one) for one in row["failures"])
            row["conversions"] = tuple(row["conversions"])
            found[row["picture"]] = PictureOutcome(**row)
    return found


def _parsed(line: str) -> Any:
    """A line's JSON; None where a kill cut it off."""
    try:
        return json.loads(line)
    except ValueError:
        return None
