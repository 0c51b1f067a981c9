"""The zip that a model file is, opened so that it never unpacks to more than a model has.

Only what `model_file.write_model` writes is let through: deflated members, each once, no comments, no ZIP64; the end of
the directory is looked at before the zip's reader believes it.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from isthmus.errors import ChecksumError, FormatError, LimitError

MAX_MEMBERS = 64
MAX_MODEL_BYTES = 256 << 20
"""Of a file, and of all its members together when they are unpacked."""
MAX_MANIFEST_BYTES = 1 << 20
MANIFEST = "manifest.json"

_FOREIGN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    KeyError,
    ValueError,
)
"""What the zip's reader raises of bytes that are none."""
_SAID = 100
_END = struct.Struct("<4s4H2IH")
_END_MARK = b"PK\x05\x06"
_ZIP64_MARK = b"PK\x06\x07"
_ZIP64_BYTES = 20
_MOST_DIRECTORY_BYTES = MAX_MEMBERS * 512


@contextmanager
def open_archive(file: BinaryIO, name: str) -> Iterator[zipfile.ZipFile]:
    """A model's zip; `name` is for the messages.

    Raises:
        FormatError: no such zip.
        LimitError: more members, or more bytes, than models have.
    """
    try:
        _check_end(file, name)
        with zipfile.ZipFile(file) as archive:
            _check_members(archive, name)
            yield archive
    except FormatError:
        raise
    except _FOREIGN as error:
        said = repr(str(error))[1:-1][:_SAID]  # it may quote the file's bytes, however many they are
        raise FormatError(f"{name} is not a model file, or it is damaged: {said}") from error


def read_manifest_bytes(archive: zipfile.ZipFile, name: str) -> bytes:
    """The manifest's bytes.

    Raises:
        FormatError: there is none.
        LimitError: it is longer than manifests are.
    """
    if MANIFEST not in archive.namelist():
        raise FormatError(f"{name} is a zip file, but no model: it has no {MANIFEST}")
    return _read(archive, MANIFEST, MAX_MANIFEST_BYTES, name)


def read_members(archive: zipfile.ZipFile, announced: dict[str, tuple[int, str]], name: str) -> dict[str, bytes]:
    """Every member but the manifest.

    Args:
        archive: see `open_archive`.
        announced: length and SHA-256, hexadecimal, by name: no more and no fewer than there are.
        name: for the messages.

    Raises:
        FormatError: other members.
        ChecksumError: a member that is not the announced one.
    """
    there = {one for one in archive.namelist() if one != MANIFEST}
    if there != announced.keys():
        raise FormatError(f"{name}: its members are not those that its manifest lists")
    members = {}
    for member, (length, digest) in announced.items():
        members[member] = _read(archive, member, length, name)
        if len(members[member]) != length or hashlib.sha256(members[member]).hexdigest() != digest:
            raise ChecksumError(f"{name}: {member} does not match its hash: the file is damaged")
    return members


def _read(archive: zipfile.ZipFile, member: str, most: int, name: str) -> bytes:
    """A member's bytes, never many more than `most`, whatever the zip's directory says."""
    if archive.getinfo(member).file_size > most:
        raise LimitError(f"{name}: {member} is larger than {most} bytes")
    with archive.open(member) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise LimitError(f"{name}: {member} is larger than {most} bytes")
    return data


def _check_end(file: BinaryIO, name: str) -> None:
    """The last bytes of the zip, which say how large its directory is."""
    size = file.seek(0, io.SEEK_END)
    if size > MAX_MODEL_BYTES:
        raise LimitError(f"{name} has {size} bytes, models have at most {MAX_MODEL_BYTES}")
    file.seek(max(0, size - _END.size - _ZIP64_BYTES))
    tail = file.read()
    if len(tail) < _END.size or tail[-_END.size :][:4] != _END_MARK:
        raise FormatError(f"{name} is not a model file, or it is cut: it has not the end of a zip file")
    _, disk, first_disk, here, count, directory, offset, comment = _END.unpack(tail[-_END.size :])
    if tail[: -_END.size][-_ZIP64_BYTES:].startswith(_ZIP64_MARK) or disk or first_disk or here != count or comment:
        raise FormatError(f"{name} is a zip file of another form than model files have")
    if count > MAX_MEMBERS or directory > _MOST_DIRECTORY_BYTES:
        raise LimitError(f"{name}: has more than {MAX_MEMBERS} members")
    if offset + directory + _END.size != size:
        raise FormatError(f"{name} is a zip file with something before, between or behind its members")
    file.seek(0)


def _check_members(archive: zipfile.ZipFile, name: str) -> None:
    infos = archive.infolist()
    if len({info.filename for info in infos}) != len(infos):
        raise FormatError(f"{name}: has two members of one name")
    if any(info.compress_type != zipfile.ZIP_DEFLATED or info.flag_bits & ~0x800 for info in infos):
        raise FormatError(f"{name}: has members that are not stored as model files store them")
    total = sum(info.file_size for info in infos)
    if total > MAX_MODEL_BYTES:
        raise LimitError(f"{name}: its members announce {total} bytes, models have at most {MAX_MODEL_BYTES}")
