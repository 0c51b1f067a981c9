"""The models that pages offer: shipped, installed, and those of runs and of the data folder."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isthmus.codec.factorised_coder import KIND as PLAIN
from isthmus.codec.model import Model, load_model
from isthmus.codec.photo_denoiser import KIND as DENOISER
from isthmus.errors import IsthmusError
from isthmus.studio.answers import NotThereError
from isthmus.zoo.finding import SUFFIX, known_models, read_model

MOST_OF_FOLDER = 200
LOADED = 4
"""Models that stay loaded."""


@dataclass(frozen=True)
class Shelved:
    """A model that can be loaded.

    Attributes:
        key: what a page knows it by.
        name: what people call it.
        place: shipped, installed, run or data.
        path: of its file.
        is_plain: whether its code can be touched.
        takes_any_size: whether photographs go through it.
        channels: 1 or 3.
    """

    key: str
    name: str
    place: str
    path: Path
    is_plain: bool
    takes_any_size: bool
    channels: int


class Shelf:
    """Looks for models whenever it is asked; what a file holds is remembered while it does not change.

    Args:
        runs: the folder of runs.
        data: the folder of this machine that pages may see, or None.
    """

    def __init__(self, runs: Path, data: Path | None) -> None:
        self._runs, self._data, self._lock = runs, data, threading.Lock()
        self._known: dict[tuple[Path, int, int], tuple[bool, bool, int] | None] = {}
        self._loaded: OrderedDict[tuple[Path, int, int], Model] = OrderedDict()

    def all(self) -> list[Shelved]:
        """Every model, shipped ones first; files that are none are left out."""
        found = []
        for place, path, name in self._places():
            facts = self._facts(path)
            if facts is not None:
                key = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
                found.append(Shelved(key, name, place, path, *facts))
        return found

    def for_pictures(self) -> list[Shelved]:
        """Models for pictures of any size, those for photographs first."""
        return sorted((one for one in self.all() if one.takes_any_size), key=lambda one: one.is_plain)

    def plain(self) -> list[Shelved]:
        """Models whose code can be touched, those of runs first."""
        return sorted((one for one in self.all() if one.is_plain), key=lambda one: one.place != "run")

    def load(self, key: str) -> Model:
        """A model by its key, kept loaded.

        Raises:
            NotThereError: no such model.
            IsthmusError: it cannot be loaded.
        """
        for one in self.all():
            if one.key == key:
                mark = _mark(one.path)
                with self._lock:
                    model = self._loaded.get(mark)
                model = model or load_model(one.path)
                with self._lock:
                    self._loaded[mark] = model
                    self._loaded.move_to_end(mark)
                    while len(self._loaded) > LOADED:
                        self._loaded.popitem(last=False)
                return model
        raise NotThereError("this model is no longer there: reload the page")

    def _places(self) -> Iterator[tuple[str, Path, str]]:
        for place, path in known_models():
            yield place, path, path.stem
        if self._runs.is_dir():
            for path in sorted([*self._runs.glob(f"*/*{SUFFIX}"), *self._runs.glob(f"*/*/*{SUFFIX}")]):
                yield "run", path, path.parent.relative_to(self._runs).as_posix()
        if self._data is not None:
            root = self._data.resolve()
            for path in sorted([*root.glob(f"*{SUFFIX}"), *root.glob(f"*/*{SUFFIX}")])[:MOST_OF_FOLDER]:
                if path.resolve().is_relative_to(root):
                    yield "data", path, path.relative_to(root).with_suffix("").as_posix()

    def _facts(self, path: Path) -> tuple[bool, bool, int] | None:
        """Whether its code can be touched, whether it takes any size, its channels; None where it is no model."""
        try:
            mark = _mark(path)
        except OSError:
            return None
        with self._lock:
            if mark in self._known:
                return self._known[mark]
        facts: tuple[bool, bool, int] | None = None
        try:
            file = read_model(path)
            if file.kind != DENOISER:  # which codes no pictures
                facts = (file.kind == PLAIN, file.picture.size is None, file.picture.channels)
        except IsthmusError:
            pass
        with self._lock:
            self._known[mark] = facts
        return facts


def _mark(path: Path) -> tuple[Path, int, int]:
    """A file as it is now."""
    facts = path.stat()
    return path, facts.st_mtime_ns, facts.st_size
