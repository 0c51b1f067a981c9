"""Pictures on any store that fsspec knows, and pictures in the rows of Parquet files, each read when its turn comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import PurePosixPath
from typing import Any, overload

import fsspec
import pyarrow
import pyarrow.parquet
from fsspec.core import url_to_fs

from isthmus.errors import InputError
from isthmus.imaging.formats import SUFFIXES
from isthmus.sources.source import Source

NAME_COLUMNS = ("name", "path", "filename", "file_name", "key", "__key__")
LABEL_COLUMN = "label"
PARQUET = ".parquet"
_FETCHED = 64
"""Pictures that are asked for at once: a store far away answers many as fast as one."""


@dataclass(frozen=True)
class UrlPicture:
    """A picture file on a store: its name in the pack, its URL and its bytes."""

    name: str
    url: str
    bytes: int


class UrlPictures:
    """Picture files on one store."""

    def __init__(self, pictures: tuple[UrlPicture, ...]) -> None:
        self._pictures = pictures

    def __len__(self) -> int:
        """Pictures."""
        return len(self._pictures)

    @overload
    def __getitem__(self, key: int) -> UrlPicture: ...

    @overload
    def __getitem__(self, key: slice) -> UrlPictures: ...

    def __getitem__(self, key: int | slice) -> UrlPicture | UrlPictures:
        """One, or some."""
        return UrlPictures(self._pictures[key]) if isinstance(key, slice) else self._pictures[key]

    def __iter__(self) -> Iterator[Source]:
        """All of them, fetched; one that cannot be fetched says so when it is read."""
        for start in range(0, len(self._pictures), _FETCHED):
            group = self._pictures[start : start + _FETCHED]
            store, _ = url_to_fs(group[0].url)
            paths = [store._strip_protocol(one.url) for one in group]
            fetched = store.cat(paths, on_error="return") if len(paths) > 1 else {paths[0]: _cat(store, paths[0])}
            for one, path in zip(group, paths, strict=True):
                data = fetched.get(path)
                if isinstance(data, bytes):
                    yield Source(one.name, data=data)
                else:
                    yield Source(one.name, problem=f"cannot be read: {data}")


@dataclass(frozen=True)
class ParquetFile:
    """One file: its URL, and how many rows it has."""

    url: str
    rows: int


@dataclass(frozen=True)
class ParquetRows:
    """Rows of Parquet files, one picture each.

    Attributes:
        files: in order.
        column: of the pictures' bytes; "image.bytes" is the field of a structure.
        names: column of their names; None numbers the rows.
        labels: column of their labels, if there is one.
        start: the first row, counted through all files.
        stop: behind the last one.
        digits: of a row's number as a name.
    """

    files: tuple[ParquetFile, ...]
    column: str
    names: str | None
    labels: str | None
    start: int
    stop: int
    digits: int

    def __len__(self) -> int:
        """Pictures."""
        return self.stop - self.start

    def __getitem__(self, run: slice) -> ParquetRows:
        """Some of the rows."""
        start, stop, _ = run.indices(len(self))
        return replace(self, start=self.start + start, stop=self.start + stop)

    def __iter__(self) -> Iterator[Source]:
        """All of them, a group of rows in memory at a time."""
        ends = list(accumulate(file.rows for file in self.files))
        for file, end in zip(self.files, ends, strict=True):
            first = end - file.rows
            if first < self.stop and end > self.start:
                yield from self._rows(file, max(self.start - first, 0), min(self.stop - first, file.rows), first)

    def _rows(self, file: ParquetFile, start: int, stop: int, first: int) -> Iterator[Source]:
        """Rows `start` to `stop` of one file, whose first is row `first` of all; where it is damaged, each says so."""
        row = start
        try:
            for values in self._values(file, start, stop):
                yield self._source(values, first + row)
                row += 1
        except (OSError, pyarrow.ArrowException) as error:
            for lost in range(row, stop):
                yield Source(self._number(first + lost), problem=f"{file.url} cannot be read: {error}")

    def _values(self, file: ParquetFile, start: int, stop: int) -> Iterator[dict[str, Any]]:
        """The columns of rows, of the groups that have some."""
        columns = [column for column in (self.column, self.names, self.labels) if column is not None]
        with fsspec.open(file.url, "rb") as opened:
            parquet = pyarrow.parquet.ParquetFile(opened)
            row = 0
            for group in range(parquet.num_row_groups):
                end = row + parquet.metadata.row_group(group).num_rows
                if row < stop and end > start:
                    for batch in parquet.iter_batches(_FETCHED, row_groups=[group], columns=columns):
                        skipped = min(max(0, start - row), len(batch))
                        yield from batch.slice(skipped, max(0, stop - row - skipped)).to_pylist()
                        row += len(batch)
                row = end

    def _source(self, values: dict[str, Any], row: int) -> Source:
        data, label = _field(values, self.column), _field(values, self.labels)
        name = _field(values, self.names)
        name = str(name) if name else self._number(row)
        if not isinstance(data, bytes) or not data:
            return Source(name, problem="its row holds no bytes")
        return Source(name, data=data, label=label if isinstance(label, int) else None)

    def _number(self, row: int) -> str:
        return f"{row:0{self.digits}d}"


def find(source: str, *, column: str | None = None) -> UrlPictures | ParquetRows:
    """The pictures below a URL, those that match a pattern of URLs, or those in Parquet files; sorted by name.

    Args:
        source: a folder or a pattern, as a URL that fsspec knows or a path.
        column: of the pictures' bytes in Parquet files; None where there is only one that it can be.

    Raises:
        InputError: there is nothing, or it cannot be read.
    """
    try:
        store, path = url_to_fs(source)
        if any(letter in path for letter in "*?["):
            found = store.glob(path, detail=True)
            top = path.split("*", 1)[0].split("?", 1)[0].split("[", 1)[0].rsplit("/", 1)[0]
        else:
            found = store.find(path, detail=True)
            top = path if path not in found else path.rsplit("/", 1)[0]
        files = {name: facts for name, facts in sorted(found.items()) if facts["type"] == "file"}
        parquet = [name for name in files if name.endswith(PARQUET)]
        if parquet:
            return _parquet_rows([store.unstrip_protocol(name) for name in parquet], column)
        pictures = tuple(
            UrlPicture(name.removeprefix(top).lstrip("/"), store.unstrip_protocol(name), int(facts["size"] or 0))
            for name, facts in files.items()
            if PurePosixPath(name).suffix.lower() in SUFFIXES or name == path
        )
    except InputError:
        raise
    except ImportError as error:
        raise InputError(f"{source}: {error}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{source} cannot be read: {error}") from error
    if not pictures:
        raise InputError(f"{source}: no pictures there")
    return UrlPictures(pictures)


def _parquet_rows(urls: list[str], column: str | None) -> ParquetRows:
    files: list[ParquetFile] = []
    schemas: list[pyarrow.Schema] = []
    for url in urls:
        try:
            with fsspec.open(url, "rb") as opened:
                parquet = pyarrow.parquet.ParquetFile(opened)
                files.append(ParquetFile(url, parquet.metadata.num_rows))
                schemas.append(parquet.schema_arrow)
        except (OSError, pyarrow.ArrowException) as error:
            raise InputError(f"{url} cannot be read: {error}") from error
    if any(not schema.equals(schemas[0]) for schema in schemas):
        raise InputError(f"{urls[0]} and others beside it have different columns")
    rows = sum(file.rows for file in files)
    if rows == 0:
        raise InputError(f"{urls[0]}: no rows there")
    columns = dict(_columns(schemas[0]))
    chosen = column or _bytes_column(columns, urls[0])
    if chosen not in columns:
        raise InputError(f"{urls[0]} has no column {chosen!r}, but {', '.join(columns)}")
    beside = tuple(f"{chosen.rpartition('.')[0]}.{name}" for name in NAME_COLUMNS) if "." in chosen else ()
    is_text = {
        name for name, kind in columns.items() if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)
    }
    names = next((name for name in (*NAME_COLUMNS, *beside) if name in is_text), None)
    labels = LABEL_COLUMN if LABEL_COLUMN in columns and pyarrow.types.is_integer(columns[LABEL_COLUMN]) else None
    return ParquetRows(tuple(files), chosen, names, labels, 0, rows, max(5, len(str(rows - 1))))


def _columns(schema: pyarrow.Schema) -> Iterator[tuple[str, pyarrow.DataType]]:
    """Columns and the fields of structures, by name and type."""
    for field in schema:
        if pyarrow.types.is_struct(field.type):
            for index in range(field.type.num_fields):
                inner = field.type.field(index)
                yield f"{field.name}.{inner.name}", inner.type
        else:
            yield field.name, field.type


def _bytes_column(columns: dict[str, pyarrow.DataType], url: str) -> str:
    binary = [
        name for name, kind in columns.items() if pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind)
    ]
    if len(binary) != 1:
        raise InputError(f"{url} has {len(binary)} columns of bytes ({', '.join(binary)}): name one with --column")
    return binary[0]


def _field(values: dict[str, Any], column: str | None) -> Any:
    """A row's value of a column, or of a field of a structure."""
    if column is None:
        return None
    if column in values:
        return values[column]
    outer, _, inner = column.partition(".")
    structure = values.get(outer)
    return structure.get(inner) if isinstance(structure, dict) else None


def _cat(store: fsspec.AbstractFileSystem, path: str) -> object:
    try:
        return store.cat_file(path)
    except Exception as error:  # each store raises its own; `cat` returns them so where there are several paths
        return error
