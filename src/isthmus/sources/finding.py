"""The one idea of "pictures" that every command and the Python interface have: from words to sources by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from glob import glob, has_magic
from pathlib import Path

from isthmus.errors import InputError, IsthmusError, LimitError, MissingExtraError, UsageError
from isthmus.imaging.formats import SUFFIXES
from isthmus.sources.arrays import PARTS, TEST, TRAIN, holds_arrays, idx_folder, read_arrays, read_labels
from isthmus.sources.folders import natural_key, walk
from isthmus.sources.picture_set import PictureSet
from isthmus.sources.source import ArraySources, Source, Sources, joined
from isthmus.sources.standard import STANDARD, standard_input

PARQUET = ".parquet"
GLYPHS, MNIST = "glyphs", "mnist"
NAMED_SETS = (GLYPHS, MNIST)
GLYPH_CHARACTERS, GLYPH_COUNT, GLYPHS_PER_TEST_GLYPH = "0123456789", 20_000, 6
WHAT_FITS = "a picture, a folder, a quoted pattern, an IDX, .npy, .npz or Parquet file, a URL, or one of " + ", ".join(
    NAMED_SETS
)


@dataclass(frozen=True)
class Found:
    """What some words name: itself a run of sources.

    Attributes:
        sources: in the order of the words, each one's in natural order.
        notes: a line for each kind of thing that was left out on purpose.
        problems: what cannot be read, before any picture is: a word that names nothing, a folder without permission.
        is_one_file: whether the words are one file's name, so that a result can be one file as well.
    """

    sources: Sources
    notes: tuple[str, ...] = ()
    problems: tuple[IsthmusError, ...] = ()
    is_one_file: bool = False

    def __len__(self) -> int:
        """Pictures."""
        return len(self.sources)

    def __iter__(self) -> Iterator[Source]:
        """All of them."""
        return iter(self.sources)

    def __getitem__(self, run: slice) -> Iterable[Source]:
        """Some of them, picklable."""
        return self.sources[run]


def find_sources(
    words: str | Sequence[str],
    *,
    part: str | None = None,
    count: int | None = None,
    labels: Path | None = None,
    column: str | None = None,
) -> Found:
    """The pictures that words name; a word that names none is a problem, not the end.

    Args:
        words: each a picture, a folder, a pattern such as "photos/**/*.jpg", an IDX, .npy, .npz or Parquet file, a URL
            that fsspec knows, "mnist" or "glyphs"; a path that exists goes before a name; "-" is standard input.
        part: "train" or "test", of sets that have these parts; None takes all.
        count: at most so many pictures, the first ones.
        labels: an IDX or .npy file with a label for each picture, in order.
        column: of the pictures' bytes in Parquet files; None where there is only one that it can be.

    Raises:
        InputError: not one picture, or not a label for each.
        UsageError: another part, or a count below 1.
    """
    found = look_for(words, part=part, count=count, labels=labels, column=column)
    if not len(found):
        raise found.problems[0] if found.problems else InputError(f"{words}: no pictures there")
    return found


def look_for(
    words: str | Sequence[str],
    *,
    part: str | None = None,
    count: int | None = None,
    labels: Path | None = None,
    column: str | None = None,
) -> Found:
    """`find_sources` that returns nothing but problems where there are no pictures."""
    if part is not None and part not in PARTS:
        raise UsageError(f"a part is {' or '.join(PARTS)}, not {part!r}")
    if count is not None and count < 1:
        raise UsageError(f"a count is 1 or more, not {count}")
    found = _gather(words, lambda word: _pictures_of(word, part, count, column))
    if labels is not None and len(found):
        classes = read_labels(labels, len(found))
        found = replace(found, sources=_with_labels(found.sources, classes.tolist()))
    if count is not None and count < len(found):
        found = replace(found, sources=found.sources[:count])  # type: ignore[arg-type] # a run of sources is sized
    return found


def find_files(words: str | Sequence[str], suffix: str) -> Found:
    """The files of one suffix that words name: files, whatever their suffix, folders, patterns, "-"."""
    wanted = frozenset({suffix})
    return _gather(words, lambda word: _standard() if word == STANDARD else _files_of(word, wanted), f"{suffix} files")


def is_elsewhere(source: str) -> bool:
    """Whether only the extra "scale" reads it: at a URL, in Parquet files, in a folder of these."""
    path = Path(source)
    if "://" in source or path.suffix == PARQUET:
        return True
    try:
        return path.is_dir() and any(path.glob(f"*{PARQUET}"))
    except OSError:
        return False


def named_set(word: str, *, count: int | None = None, part: str | None = None, seed: int = 0) -> dict[str, PictureSet]:
    """The parts of "mnist", or of "glyphs" as the recipes draw them.

    Raises:
        InputError: MNIST is not there, and cannot be fetched.
    """
    if word == MNIST:
        from isthmus.sources.mnist import fetch_mnist

        return idx_folder(fetch_mnist()) or {}
    from isthmus.sources.glyphs import draw_glyphs

    counts = {TRAIN: count or GLYPH_COUNT, TEST: count or max(1, GLYPH_COUNT // GLYPHS_PER_TEST_GLYPH)}
    return {
        one: draw_glyphs(GLYPH_CHARACTERS, counts[one], seed=2 * seed + (one == TEST))
        for one in PARTS
        if part in (None, one)
    }


def _gather(words: str | Sequence[str], find: Callable[[str], Found], what: str = "pictures") -> Found:
    """What each word names, behind each other; one that cannot be read is a problem."""
    listed = [words] if isinstance(words, str) else list(words)
    parts: list[Sources] = []
    notes: list[str] = []
    problems: list[IsthmusError] = []
    is_one_file = len(listed) == 1
    for word in listed:
        try:
            found = find(word)
        except (InputError, LimitError, MissingExtraError) as error:
            problems.append(error)
            continue
        except (OSError, ValueError) as error:  # a name that is too long, or that no file can have
            problems.append(InputError(f"{word} cannot be read: {getattr(error, 'strerror', None) or error}"))
            continue
        parts.append(found.sources)
        notes += found.notes
        problems += found.problems
        is_one_file = is_one_file and found.is_one_file
        if not len(found) and not found.problems:
            problems.append(InputError(f"{word} holds no {what}"))
    return Found(joined(parts) if parts else (), tuple(notes), tuple(problems), is_one_file)


def _pictures_of(word: str, part: str | None, count: int | None, column: str | None) -> Found:
    path = Path(word)
    if not word:
        raise InputError("an empty name names no picture")
    if word == STANDARD:
        _no_part(word, part)
        return _standard()
    if is_elsewhere(word):
        _no_part(word, part)
        return Found(_stored(word, column))
    sets = _sets_of(word, part, count)
    if sets is not None:
        return Found(_array_sources(word, sets, part))
    if path.is_dir():
        return _picture_folder(path, part)
    found = _files_of(word, SUFFIXES)
    _no_part(word, part)
    return found


def _standard() -> Found:
    return Found((standard_input(),), is_one_file=True)


def _sets_of(word: str, part: str | None, count: int | None) -> dict[str, PictureSet] | None:
    """The arrays that a word names; None where it names none."""
    path = Path(word)
    if path.is_dir():
        return idx_folder(path)
    if path.is_file() and holds_arrays(path):
        return read_arrays(path)
    if word in NAMED_SETS and not path.exists():
        return named_set(word, count=count, part=part)
    return None


def _picture_folder(folder: Path, part: str | None) -> Found:
    if part is None:
        return _files_of(str(folder), SUFFIXES)
    if not all((folder / one).is_dir() for one in PARTS):
        _no_part(str(folder), part)
    return _files_of(str(folder / part), SUFFIXES)


def _files_of(word: str, suffixes: frozenset[str]) -> Found:
    """Files below a folder, those that match a pattern, or the one of that name."""
    path = Path(word)
    if path.is_dir():
        found = walk(path, suffixes)
        sources = tuple(Source(one.relative_to(path).as_posix(), path=one) for one in found.files)
        return Found(sources, found.notes, found.problems)
    if path.exists():
        return Found((Source(path.name, path=path),), is_one_file=True)
    if not has_magic(word):
        if path.is_symlink():
            raise InputError(f"{word} is a link to nothing")
        raise InputError(
            f"{word} does not exist, and it is not {WHAT_FITS}" if not path.suffix else f"{word} does not exist"
        )
    matches = [Path(one) for one in glob(word, recursive=True)]  # noqa: PTH207 - `Path.glob` takes no absolute ones
    files = sorted((one for one in matches if one.is_file()), key=natural_key)
    if not files:
        raise InputError(f"{word}: no file matches")
    top = Path(word.split("*", 1)[0].split("?", 1)[0].split("[", 1)[0] + "x").parent
    return Found(tuple(Source(one.relative_to(top).as_posix(), path=one) for one in files))


def _array_sources(word: str, sets: dict[str, PictureSet], part: str | None) -> Sources:
    """The pictures of one part, or those of all, under names that say the part."""
    if part is not None and part not in sets:
        _no_part(word, part)
    chosen = {"": sets[part]} if part is not None else sets
    return joined(
        [ArraySources(one.pictures, one.labels, prefix=f"{name}/" if name else "") for name, one in chosen.items()]
    )


def _no_part(word: str, part: str | None) -> None:
    if part is not None:
        raise InputError(
            f"{word} has no part {part!r} of its own: folders train and test, MNIST's file names, or arrays x_train "
            "and x_test make one"
        )


def _stored(word: str, column: str | None) -> Sources:
    try:
        from isthmus.sources.stores import find
    except ImportError as error:
        raise MissingExtraError(extra="scale", purpose=f"reading Parquet files and URLs ({error.name})") from error
    return find(word, column=column)


def _with_labels(sources: Sources, labels: Sequence[int]) -> Sources:
    return tuple(replace(source, label=label) for source, label in zip(sources, labels, strict=True))
