"""Writes a .isthpack: block by block to NAME.part, which gets its index and its name when all is there.

A crash at any moment leaves the finished blocks in NAME.part, and nothing under NAME.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from isthmus.container import pack_file
from isthmus.container.atomic import cannot_write, exists_already, move_into_place
from isthmus.container.file_lock import lock_file
from isthmus.container.pack_file import Block, PackHeader
from isthmus.container.pack_names import name_error
from isthmus.container.pack_table import PackTable, write_table
from isthmus.errors import FormatError, InputError, OutputError, UsageError

PART = ".part"


class PackWriter:
    """Appends pictures; `finish` makes the file whole. As a context manager it leaves NAME.part if it was not finished.

    Args:
        path: of the finished pack.
        header: what all pictures share; the writer makes the pack's id, or goes on with the one that is there.
        sections: what stands behind the header, by kind, such as the model.
        force: replace a finished pack of that name, and what an unfinished writing left.
        resume: go on with what an unfinished writing left, if it left anything.
        append: begin with the pictures of the finished pack of that name.

    Raises:
        OutputError: the name is taken, another process writes it, or the place cannot be written.
        UsageError: what is there was written with another model, quality or size of pictures.
    """

    def __init__(
        self,
        path: Path,
        header: PackHeader,
        *,
        sections: Mapping[int, bytes] | None = None,
        force: bool = False,
        resume: bool = False,
        append: bool = False,
    ) -> None:
        self._sections = sections or {}
        lengths = {kind: len(section) for kind, section in self._sections.items()}
        self.header = replace(header, section_lengths=lengths)
        self.path, self.part = path, path.with_name(path.name + PART)
        self.source_bytes = 0
        self._replaces = force or append
        self.names: list[str] = []
        """Of all pictures so far."""
        self._known: set[str] = set()
        self._lengths: list[int] = []
        self._sizes: list[tuple[int, int]] = []
        self._labels: list[int | None] = []
        self.forms: list[int] = []
        """How the payload of each is to be read."""
        self._qualities: list[int] = []
        self._counts: list[int] = []
        self._table_lengths: list[int] = []
        self._checksums: list[int] = []
        self._payloads: list[bytes] = []
        self._waiting_bytes = 0
        self.old: frozenset[str] = frozenset()
        """Names of the finished pack that is appended to."""
        if append and not path.exists():
            raise InputError(f"{path} does not exist: there is nothing to append to")
        if path.is_dir():
            raise OutputError(f"{path} is a folder: name a file, such as {path / 'pictures.isthpack'}")
        if path.exists() and not self._replaces:
            raise exists_already(path)
        self._file = self._open(is_fresh=force and not resume, may_exist=resume or force)
        try:
            is_empty = self._size() == 0
            if append:
                self._begin_with(path, is_copied=is_empty)
            if self._size():
                self._take_over()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; what was written stays in NAME.part."""
        self.close()

    def __contains__(self, name: object) -> bool:
        """Whether a picture of that name is in the pack, or on its way."""
        return name in self._known

    def __len__(self) -> int:
        """Pictures so far."""
        return len(self.names)

    def add(
        self,
        name: str,
        payload: bytes,
        *,
        size: tuple[int, int],
        label: int | None = None,
        form: int = 0,
        quality: int | None = None,
    ) -> None:
        """Append one picture.

        Args:
            name: a relative path that is not in the pack yet.
            payload: its coded bytes.
            size: width and height; the header's where that has one.
            label: of its class, 0 to 2^32 - 1; for all pictures of a pack or for none.
            form: how its payload is to be read, see docs/format.md.
            quality: 1 to 100; None for the header's.

        Raises:
            InputError: a name that cannot be, or is there already, or a size or label that does not go with the others.
            OutputError: the disk is full.
        """
        reason = name_error(name)
        if reason is not None:
            raise InputError(f"the name {name!r} cannot be in a pack: {reason}")
        if name in self._known:
            raise InputError(f"the pack has a picture of the name {name!r} already")
        if self.header.size is not None and size != self.header.size:
            raise InputError(f"{name} is {size[0]}×{size[1]}, the pack's pictures are {_size(self.header.size)}")
        if self._labels and (label is None) != (self._labels[0] is None):
            raise InputError(f"{name} has {'no ' if label is None else 'a '}label, unlike the pictures before it")
        self._known.add(name)
        self.names.append(name)
        self._lengths.append(len(payload))
        self._sizes.append(size)
        self._labels.append(label)
        self.forms.append(form)
        self._qualities.append(self.header.quality if quality is None else quality)
        self._payloads.append(payload)
        self._waiting_bytes += len(payload)
        if len(self._payloads) == pack_file.BLOCK_PICTURES or self._waiting_bytes >= pack_file.BLOCK_PAYLOAD_BYTES:
            self._write_block()

    def finish(self) -> int:
        """Write what waits and the index, and give the file its name; its size in bytes.

        Raises:
            OutputError: the disk is full, or the name was taken meanwhile.
        """
        self._write_block()
        if self._size() == 0:
            self._begin(b"")
        index = pack_file.write_index(
            self._table(0),
            names=self.names,
            counts=self._counts,
            table_lengths=self._table_lengths,
            offset=self._size(),
            source_bytes=self.source_bytes,
            checksums=self._checksums,
            pack_id=self.header.pack_id,
        )
        self._write(index)
        try:
            os.fsync(self._file.fileno())
            size = self._size()
            move_into_place(self.part, self.path, force=self._replaces)
        except FileExistsError as error:
            raise exists_already(self.path) from error
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self.close()
        return size

    def discard(self) -> None:
        """Leave nothing behind."""
        self.close()
        self.part.unlink(missing_ok=True)

    def close(self) -> None:
        """Close NAME.part with all finished blocks; the pictures that wait for a block are lost."""
        self._file.close()

    def _open(self, *, is_fresh: bool, may_exist: bool) -> BinaryIO:
        """NAME.part, locked."""
        try:
            self.part.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(self.part, error) from error
        try:
            file = self.part.open("r+b" if may_exist and self.part.exists() else "xb+", buffering=0)
        except FileExistsError as error:
            raise OutputError(
                f"{self.part} exists: a pack that was not finished, or is being written: pass --resume or --force"
            ) from error
        except OSError as error:
            raise cannot_write(self.part, error) from error
        try:
            lock_file(file)
        except OSError as error:
            file.close()
            raise OutputError(f"{self.part} is being written by another process") from error
        if is_fresh:
            file.truncate(0)
        return file

    def _begin_with(self, path: Path, *, is_copied: bool) -> None:
        """The finished pack's facts, and if asked its header and blocks, without its end."""
        try:
            with path.open("rb") as source:
                layout = pack_file.read_layout(_reader(source), source.seek(0, os.SEEK_END))
                self.source_bytes = layout.source_bytes
                self.old = frozenset(layout.table.names[index] for index in range(len(layout.table)))
                if is_copied:
                    source.seek(0)
                    shutil.copyfileobj(source, self._file)
                    self._file.truncate(int(layout.block_offsets[-1]))
        except OSError as error:
            raise cannot_write(self.part, error) from error

    def _take_over(self) -> None:
        """Learn what NAME.part holds, and cut off what is behind its last whole block."""
        size, read = self._size(), _reader(self._file)
        header, offset = pack_file.read_header(read(0, pack_file.MAX_HEADER_BYTES))
        kept = self.header if self._sections else replace(self.header, section_lengths=header.section_lengths)
        if replace(header, pack_id=b"") != kept:
            raise UsageError(f"{self.part} was begun with {_described(header)}, not with {_described(self.header)}")
        self.header = header
        while offset < size:
            try:
                block = pack_file.read_block(read, offset, pack_id=header.pack_id)
            except FormatError:
                break
            if header.pack_id and block.number != len(self._counts):
                break
            self._learn(block)
            offset += block.length
        self._file.truncate(offset)
        self._file.seek(offset)

    def _learn(self, block: Block) -> None:
        table = block.table
        names = [table.names[index] for index in range(len(table))]
        self.names += names
        self._known.update(names)
        self._lengths += table.lengths.tolist()
        sizes = table.sizes.tolist() if table.sizes is not None else [self.header.size or (0, 0)] * len(table)
        self._sizes += [(width, height) for width, height in sizes]
        self._labels += table.labels.tolist() if table.labels is not None else [None] * len(table)
        self.forms += table.forms.tolist() if table.forms is not None else [0] * len(table)
        qualities = table.qualities.tolist() if table.qualities is not None else [self.header.quality] * len(table)
        self._qualities += qualities
        self._counts.append(len(table))
        self._table_lengths.append(block.length - self._head_bytes - len(block.payloads))
        self._checksums.append(block.checksum)

    def _write_block(self) -> None:
        if not self._payloads:
            return
        first = len(self.names) - len(self._payloads)
        table, payloads = write_table(self._table(first), names=self.names[first:]), b"".join(self._payloads)
        if self._size() == 0:
            self._begin(table + payloads)
        pack_id, number = self.header.pack_id, len(self._counts)
        block = pack_file.frame_block(table, payloads, len(self._payloads), pack_id=pack_id, number=number)
        self._write(block)
        self._counts.append(len(self._payloads))
        self._table_lengths.append(len(table))
        self._checksums.append(int.from_bytes(block[self._head_bytes - 4 : self._head_bytes], "little"))
        self._payloads, self._waiting_bytes = [], 0

    @property
    def _head_bytes(self) -> int:
        return pack_file.head_bytes(self.header.version)

    def _begin(self, first: bytes) -> None:
        """Write the header and its sections; the first block's table and payloads make the pack's id."""
        self.header = pack_file.with_pack_id(self.header, first)
        self._write(pack_file.write_header(self.header) + pack_file.write_sections(self.header, self._sections))

    def _table(self, first: int) -> PackTable:
        """Of the pictures from some on."""
        labels: Sequence[int | None] = self._labels[first:]
        forms, qualities = np.array(self.forms[first:], np.uint32), np.array(self._qualities[first:], np.uint8)
        return PackTable(
            names=(),  # type: ignore[arg-type]
            lengths=np.array(self._lengths[first:], np.uint32),
            sizes=np.array(self._sizes[first:], np.uint32).reshape(-1, 2) if self.header.size is None else None,
            labels=np.array(labels, np.uint32) if labels and labels[0] is not None else None,
            forms=forms if forms.any() else None,
            qualities=qualities if np.any(qualities != self.header.quality) else None,
        )

    def _write(self, data: bytes) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            kept = f"; the {sum(self._counts)} pictures before are in {self.part}: --resume goes on"
            raise OutputError(f"cannot write {self.part}: {error.strerror or error}{kept}") from error

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size


def _reader(file: BinaryIO) -> pack_file.ReadRange:
    def read(offset: int, length: int) -> bytes:
        file.seek(offset)
        return file.read(length)

    return read


def _described(header: PackHeader) -> str:
    mode = "RGB" if header.channels == 3 else "grey"
    size = f" of {_size(header.size)}" if header.size else ""
    return f"the model {header.model_id.hex()} at quality {header.quality}, {mode} pictures{size}"


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"
