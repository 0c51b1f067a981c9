"""The .isthmus file: one model. A zip of manifest.json, ONNX graphs and integer or float arrays; never pickle.

docs/format.md has every member. A model's id is the start of the SHA-256 over what decoding depends on: the same
symbols and pixels come out of two files of one id. What only the encoder runs, the licence and the figures may differ.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.container.graph_check import check_graph
from isthmus.container.image_file import MODEL_ID_BYTES
from isthmus.errors import (
    ChecksumError,
    FormatError,
    LimitError,
    ModelNotFoundError,
    UnsupportedVersionError,
    UsageError,
)
from isthmus.values import LatentSpec, PictureSpec

VERSION = 2
READ_VERSIONS = (1, 2)
MAX_MEMBER_BYTES = 256 << 20
MAX_MEMBERS = 64
MANIFEST = "manifest.json"
ENCODER_PARTS = ("analysis", "hyper_analysis", "analysis_margin")
"""Names of graphs and arrays that only the encoder reads: no part of the id, so that a better encoder orphans no file.
In version 1 it was the analysis alone."""
MAX_DECODED_IDS = 16
ARRAY_TYPES = ("<f4", "<i4", "<u2", "|u1", "|i1", "<i2")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the zip format's first date: the same model gives the same bytes


@dataclass(frozen=True)
class ModelFile:
    """A model as it is stored.

    Attributes:
        name: what people call it, such as "digits-dense".
        kind: how its symbols are coded: "factorized" (one table per latent channel).
        picture: the pictures that it takes.
        latents: the latents that it makes.
        default_quality: the quality where none is asked for, 1 to 100.
        graphs: ONNX graphs by name ("analysis", "synthesis", ...).
        arrays: arrays by name, in one of `ARRAY_TYPES`.
        facts: whatever else people want to know: licence, recipe, figures. Not part of the id.
        decodes: ids of other models whose pictures this one decodes to the same pixels. Not part of the id.
        version: of the format that it was read from; it decides the rule of the id. Files are written in VERSION.
    """

    name: str
    kind: str
    picture: PictureSpec
    latents: LatentSpec
    default_quality: int
    graphs: Mapping[str, bytes]
    arrays: Mapping[str, NDArray[Any]]
    facts: Mapping[str, Any] = field(default_factory=dict)
    decodes: tuple[bytes, ...] = ()
    version: int = VERSION

    @cached_property
    def id(self) -> bytes:
        """First 8 bytes of the SHA-256 over what decoding depends on."""
        without = ENCODER_PARTS if self.version > 1 else ENCODER_PARTS[:1]
        arrays = {name: array for name, array in self.arrays.items() if name not in without}
        graphs = {name: data for name, data in self.graphs.items() if name not in without}
        decoding = replace(self, arrays=arrays, graphs=graphs)
        digest = hashlib.sha256(_canonical(_decoding(decoding)))
        for name, data in sorted(_members(decoding).items()):
            digest.update(name.encode() + b"\0" + len(data).to_bytes(8, "little") + data)
        return digest.digest()[:MODEL_ID_BYTES]

    @property
    def decoded_ids(self) -> tuple[bytes, ...]:
        """Ids of the models whose pictures it decodes, its own first."""
        return self.id, *self.decodes


def write_model(model: ModelFile) -> bytes:
    """The file's bytes, in VERSION: the same model gives the same bytes."""
    model = replace(model, version=VERSION)
    members = _members(model)
    manifest = {
        "format": "isthmus model",
        "version": VERSION,
        "id": model.id.hex(),
        "decodes": [other.hex() for other in model.decodes],
        "name": model.name,
        "default_quality": model.default_quality,
        "decoding": _decoding(model),
        "members": {name: {"bytes": len(data), "sha256": _sha256(data)} for name, data in members.items()},
        "facts": dict(model.facts),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False).encode()
        for name, data in ((MANIFEST, text), *members.items()):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return out.getvalue()


def read_model(path: Path) -> ModelFile:
    """Read and check a model file: sizes first, then hashes, then what its graphs ask for.

    Raises:
        ModelNotFoundError: no such file.
        FormatError: or one of its subclasses, for anything that is not exactly a .isthmus file.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelNotFoundError(f"cannot read the model {path}: {error.strerror}", wanted=str(path)) from error
    return parse_model(data, name=path.name)


def parse_model(data: bytes, *, name: str) -> ModelFile:
    """Take apart a model file's bytes; `name` is for the messages."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _parse(archive, name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise FormatError(f"{name} is not a model file, or it is damaged: {error}") from error
    except (KeyError, TypeError, AttributeError, UsageError) as error:
        raise FormatError(f"{name}: its manifest is not what the format says: {error}") from error


def read_decoded_ids(path: Path) -> tuple[bytes, ...]:
    """`ModelFile.decoded_ids` that a file says it has, for looking through a folder; empty where it is no model.

    Loading checks it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _manifest(archive, path.name)
            return bytes.fromhex(manifest["id"]), *_decodes(manifest)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, TypeError, RuntimeError):
        return ()


def _parse(archive: zipfile.ZipFile, file_name: str) -> ModelFile:
    manifest = _manifest(archive, file_name)
    announced = manifest["members"]
    names = [info.filename for info in archive.infolist() if info.filename != MANIFEST]
    if sorted(names) != sorted(announced):
        raise FormatError(f"{file_name}: its members are not those that its manifest lists")
    members = {}
    for name in names:
        members[name] = _read_member(archive, name, file_name)
        if len(members[name]) != announced[name]["bytes"] or _sha256(members[name]) != announced[name]["sha256"]:
            raise ChecksumError(f"{file_name}: {name} does not match its hash: the file is damaged")
    decoding = manifest["decoding"]
    graphs = {name.removesuffix(".onnx"): data for name, data in members.items() if name.endswith(".onnx")}
    for name, data in graphs.items():
        check_graph(f"{file_name}: {name}", data)
    model = ModelFile(
        name=str(manifest["name"]),
        kind=str(decoding["kind"]),
        picture=PictureSpec(**decoding["picture"]),
        latents=LatentSpec(**decoding["latents"]),
        default_quality=int(manifest["default_quality"]),
        graphs=graphs,
        arrays={name: _read_array(name, entry, members) for name, entry in decoding["arrays"].items()},
        facts=dict(manifest["facts"]),
        decodes=_decodes(manifest),
        version=manifest["version"],
    )
    if model.id.hex() != manifest["id"]:
        raise ChecksumError(f"{file_name}: its contents do not match its id: the file was altered")
    return model


def _decodes(manifest: dict[str, Any]) -> tuple[bytes, ...]:
    """Ids of other models whose pictures the model decodes."""
    ids = manifest.get("decodes", [])
    if not isinstance(ids, list) or len(ids) > MAX_DECODED_IDS:
        raise FormatError(f"the manifest lists no ids of other models, or more than {MAX_DECODED_IDS}")
    decodes = tuple(bytes.fromhex(one) for one in ids)
    if any(len(one) != MODEL_ID_BYTES for one in decodes):
        raise FormatError("the manifest lists an id of another length than ids have")
    return decodes


def _manifest(archive: zipfile.ZipFile, file_name: str) -> dict[str, Any]:
    if len(archive.infolist()) > MAX_MEMBERS:
        raise LimitError(f"{file_name}: has more than {MAX_MEMBERS} members")
    if MANIFEST not in archive.namelist():
        raise FormatError(f"{file_name} is a zip file, but no model: it has no {MANIFEST}")
    try:
        manifest = json.loads(_read_member(archive, MANIFEST, file_name))
    except ValueError as error:
        raise FormatError(f"{file_name}: {MANIFEST} is not JSON: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != "isthmus model":
        raise FormatError(f"{file_name} is a zip file, but no model: its manifest is of another format")
    if manifest.get("version") not in READ_VERSIONS:
        raise UnsupportedVersionError(
            f"{file_name} has format version {manifest.get('version')}, this release reads versions 1 to {VERSION}: "
            "update isthmus"
        )
    return manifest


def _read_member(archive: zipfile.ZipFile, name: str, file_name: str) -> bytes:
    """A member's bytes, never more than the limit whatever the zip's directory says."""
    if archive.getinfo(name).file_size > MAX_MEMBER_BYTES:
        raise LimitError(f"{file_name}: {name} is larger than {MAX_MEMBER_BYTES} bytes")
    with archive.open(name) as member:
        data = member.read(MAX_MEMBER_BYTES + 1)
    if len(data) > MAX_MEMBER_BYTES:
        raise LimitError(f"{file_name}: {name} is larger than {MAX_MEMBER_BYTES} bytes")
    return data


def _read_array(name: str, entry: dict[str, Any], members: Mapping[str, bytes]) -> NDArray[Any]:
    shape = tuple(int(side) for side in entry["shape"])
    if entry["dtype"] not in ARRAY_TYPES or any(side < 0 for side in shape):
        raise FormatError(
            f"array {name} has the type {entry['dtype']} and shape {shape}, which the format does not know"
        )
    dtype = np.dtype(entry["dtype"])
    data = members[_array_member(name)]
    count = 1
    for side in shape:
        count *= side
    if len(data) != count * dtype.itemsize:
        raise FormatError(f"array {name} has {len(data)} bytes where its shape needs {count * dtype.itemsize}")
    return np.frombuffer(data, dtype).reshape(shape)


def _decoding(model: ModelFile) -> dict[str, Any]:
    """The manifest's part that decoding depends on."""
    return {
        "kind": model.kind,
        "picture": {"channels": model.picture.channels, "height": model.picture.height, "width": model.picture.width},
        "latents": {"channels": model.latents.channels, "stride": model.latents.stride},
        "arrays": {
            name: {"dtype": _stored(array).dtype.str, "shape": list(array.shape)}
            for name, array in sorted(model.arrays.items())
        },
    }


def _members(model: ModelFile) -> dict[str, bytes]:
    graphs = {_graph_member(name): data for name, data in sorted(model.graphs.items())}
    return graphs | {_array_member(name): _stored(array).tobytes() for name, array in sorted(model.arrays.items())}


def _stored(array: NDArray[Any]) -> NDArray[Any]:
    """The array in little-endian order, as it stands on disk."""
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))


def _graph_member(name: str) -> str:
    return f"{name}.onnx"


def _array_member(name: str) -> str:
    return f"{name}.array"


def _canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
