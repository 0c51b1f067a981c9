"""Finds out what `--data` names, and loads it at the size and mode that the model takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError, IsthmusError, ModelMismatchError
from isthmus.imaging.fitting import fit
from isthmus.learn.data.pictures import Split, split
from isthmus.learn.recipes.settings import DataSettings
from isthmus.sources.arrays import PARTS, TEST, TRAIN, holds_arrays, idx_folder, read_arrays
from isthmus.sources.finding import (
    GLYPHS,
    GLYPHS_PER_TEST_GLYPH,
    MNIST,
    WHAT_FITS,
    Found,
    is_elsewhere,
    look_for,
    named_set,
)
from isthmus.sources.glyphs import draw_glyphs
from isthmus.sources.picture_set import PictureSet
from isthmus.values import MODE_NAMES, PictureSpec


def load_data(source: str, settings: DataSettings, spec: PictureSpec, *, seed: int) -> Split:
    """Load a data set.

    Args:
        source: whatever `sources.finding` takes; its parts train and test are the split where it has both.
        settings: what to draw, and how much to hold out.
        spec: what the model takes; pictures of a folder are fitted to it, other data must have it.
        seed: of what is drawn and of what is held out.

    Raises:
        InputError: missing, empty, unreadable.
        ModelMismatchError: data of another size or mode.
    """
    is_path = Path(source).exists()
    if source == GLYPHS and not is_path:
        count = settings.count
        data = Split(
            draw_glyphs(settings.characters, count, seed=2 * seed),
            draw_glyphs(settings.characters, max(1, count // GLYPHS_PER_TEST_GLYPH), seed=2 * seed + 1),
            GLYPHS,
        )
    elif source == MNIST and not is_path:
        data = _from_sets(named_set(MNIST), settings, seed, MNIST)
    else:
        data = _from_word(source, settings, spec, seed)
    shape = data.train.pictures.shape[1:]
    if len(data.train) == 0 or len(data.test) == 0:
        raise InputError(f"{source} has no pictures to learn from or none to measure on")
    if (spec.size is not None and shape[:2] != spec.size) or shape[2] != spec.channels:
        raise ModelMismatchError(
            f"{source} has {shape[1]}×{shape[0]} {MODE_NAMES.get(shape[2], '')} pictures, the recipe takes {spec}: "
            f"{' '.join(_that_fit(shape, settings))} would fit"
        )
    return data


def _that_fit(shape: tuple[int, ...], settings: DataSettings) -> list[str]:
    """The settings of a recipe for pictures of a shape (rows, columns, channels)."""
    rows, columns, channels = shape
    if settings.side:
        size = [f"--set data.side={rows}"] if rows == columns else ["square pictures, with"]
    else:
        size = [f"--set model.height={rows}", f"--set model.width={columns}"]
    return [*size, f"--set model.channels={channels}"]


def _from_sets(sets: Mapping[str, PictureSet], settings: DataSettings, seed: int, source: str) -> Split:
    """Both parts as they are, or one set divided."""
    if TRAIN in sets and TEST in sets:
        return Split(sets[TRAIN], sets[TEST], source)
    return split(next(iter(sets.values())), held_out=settings.held_out, seed=seed, source=source)


def _from_word(word: str, settings: DataSettings, spec: PictureSpec, seed: int) -> Split:
    path = Path(word)
    if path.is_dir() and not is_elsewhere(word):
        sets = idx_folder(path)
        return _from_sets(sets, settings, seed, word) if sets else _picture_folder(path, settings, spec, seed)
    if path.is_file() and not is_elsewhere(word) and holds_arrays(path):
        return _from_sets(read_arrays(path), settings, seed, word)
    found = look_for(word)
    if not len(found):
        raise InputError(
            f"no data {word!r}: {found.problems[0] if found.problems else 'no pictures'}; --data takes {WHAT_FITS}"
        )
    return _divided(_read_all(found, spec, word), settings, seed, word)


def _picture_folder(folder: Path, settings: DataSettings, spec: PictureSpec, seed: int) -> Split:
    """All pictures below a folder; its subfolders train and test, where it has both, are its split."""
    if not all((folder / part).is_dir() for part in PARTS):
        return _divided(_read_all(look_for(str(folder)), spec, str(folder)), settings, seed, str(folder))
    parts = [_read_all(look_for(str(folder / part)), spec, str(folder / part)) for part in PARTS]
    classes = sorted({name for part in parts for name in part.classes})
    train, test = (_labelled(part, classes) for part in parts)
    return Split(
        train, test, str(folder),
        colours_lost=sum(part.colours_lost for part in parts),
        resized=sum(part.resized for part in parts),
        notes=tuple(note for part in parts for note in part.notes),
    )  # fmt: skip


@dataclass(frozen=True)
class _Read:
    """Pictures that were read one by one.

    Attributes:
        pictures: (count, rows, columns, channels) uint8.
        classes: of each, the folder that it lies in; "" where it lies in none.
        labels: of each, where the data itself has some.
        colours_lost: how many were made grey.
        resized: how many were of another size.
        notes: what was left out, and what could not be read.
    """

    pictures: NDArray[np.uint8]
    classes: tuple[str, ...]
    labels: tuple[int | None, ...]
    colours_lost: int
    resized: int
    notes: tuple[str, ...]


def _read_all(found: Found, spec: PictureSpec, source: str) -> _Read:
    """The pictures that were found, at the size and mode of the model; those that cannot be read are left out."""
    pictures: list[NDArray[np.uint8]] = []
    failures: list[IsthmusError] = []
    classes: list[str] = []
    labels: list[int | None] = []
    lost = resized = 0
    for one in found:
        try:
            picture = one.read(depth=8, frame=0)
            pictures.append(fit(picture, spec).pixels)
        except IsthmusError as error:
            failures.append(error)
            continue
        lost += picture.channels > spec.channels
        resized += spec.size is not None and (picture.height, picture.width) != spec.size
        classes.append(PurePosixPath(one.name).parts[0] if "/" in one.name else "")
        labels.append(one.label)
    if not pictures:
        raise InputError(f"{source} has no pictures that can be read: {(*failures, *found.problems, 'it is empty')[0]}")
    if len(failures) > len(found) // 2:
        raise InputError(f"{len(failures)} of {len(found)} pictures in {source} cannot be read: {failures[0]}")
    notes = [*found.notes, *map(str, found.problems)]
    if failures:
        notes.append(f"{len(failures)} of {len(found)} pictures are left out, they cannot be read: {failures[0]}")
    return _Read(np.stack(pictures), tuple(classes), tuple(labels), lost, resized, tuple(notes))


def _labelled(part: _Read, classes: Sequence[str]) -> PictureSet:
    """Labels of the data's own, or the places of the pictures' folders among all classes; None where there is one."""
    own = [label for label in part.labels if label is not None]
    if len(own) == len(part.labels):
        return PictureSet(part.pictures, np.array(own, np.int64))
    if len(classes) < 2:
        return PictureSet(part.pictures)
    numbers = {name: number for number, name in enumerate(classes)}
    return PictureSet(part.pictures, np.array([numbers[name] for name in part.classes], np.int64))


def _divided(part: _Read, settings: DataSettings, seed: int, source: str) -> Split:
    data = split(_labelled(part, sorted(set(part.classes))), held_out=settings.held_out, seed=seed, source=source)
    return replace(data, colours_lost=part.colours_lost, resized=part.resized, notes=part.notes)
