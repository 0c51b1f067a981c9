"""The .isthmus file: one model. A zip of manifest.json, ONNX graphs and integer or float arrays; never pickle.

Or the difference to another one, its base, which is put together with it when it is read.

docs/format.md has every member. A model's id is the start of the SHA-256 over what decoding depends on: the same
symbols and pixels come out of two files of one id. What only the encoder runs, the licence and the figures may differ.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from isthmus.container.graph_check import check_graph
from isthmus.container.graph_work import MAX_FOLDED, CheckedGraph
from isthmus.container.image_header import MODEL_ID_BYTES
from isthmus.container.model_archive import MANIFEST, open_archive, read_manifest_bytes, read_members
from isthmus.container.model_difference import apply_difference
from isthmus.container.model_manifest import DIFFERENCE_VERSION, FORMAT, VERSION, parse_manifest
from isthmus.errors import ChecksumError, FormatError, LimitError, ModelNotFoundError
from isthmus.values import LatentSpec, PictureSpec

ENCODER_PARTS = ("analysis", "hyper_analysis", "analysis_margin", "quality_map")
"""Names of graphs and arrays that only the encoder reads: no part of the id, so that a better encoder orphans no file.
In version 1 it was the analysis alone."""
MAX_NODES = 2048
"""Of all graphs of a model."""
_GRAPH = ".onnx"
_DIFFERENCE = "difference"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the zip format's first date: the same model gives the same bytes


@dataclass(frozen=True)
class OfBase:
    """How a model that is a difference to another one is stored.

    Attributes:
        base: the other one's id.
        difference: bytes of `model_difference.write_difference`.
        anew: names of the arrays that are stored whole.
    """

    base: bytes
    difference: bytes
    anew: frozenset[str]


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
        arrays: arrays by name, in one of `model_manifest.ARRAY_TYPES`.
        facts: whatever else people want to know: licence, recipe, figures. Not part of the id.
        decodes: ids of other models whose pictures this one decodes to the same pixels. Not part of the id.
        version: of the format that it was read from; it decides the rule of the id.
        of_base: how it is stored as a difference; None: whole. Graphs and arrays are the same either way.
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
    of_base: OfBase | None = None

    @cached_property
    def id(self) -> bytes:
        """First 8 bytes of the SHA-256 over what decoding depends on."""
        without = ENCODER_PARTS if self.version > 1 else ENCODER_PARTS[:1]
        arrays = {name: array for name, array in self.arrays.items() if name not in without}
        graphs = {name: data for name, data in self.graphs.items() if name not in without}
        decoding = replace(self, arrays=arrays, graphs=graphs)
        digest = hashlib.sha256(_canonical(_decoding(decoding)))
        for name, data in sorted(_members(decoding).items()):
            digest.update(name.encode() + b"\0" + data.nbytes.to_bytes(8, "little"))
            digest.update(data)
        return digest.digest()[:MODEL_ID_BYTES]

    @cached_property
    def checked_graphs(self) -> dict[str, CheckedGraph]:
        """Its graphs, held to what our exporters write.

        Raises:
            FormatError: or `LimitError`: they do more than arithmetic, or too much of it.
        """
        checked = {name: check_graph(f"{name}{_GRAPH}", data) for name, data in self.graphs.items()}
        nodes, folded = (sum(getattr(one, what) for one in checked.values()) for what in ("nodes", "folded"))
        if nodes > MAX_NODES or folded > MAX_FOLDED:
            raise LimitError(f"its graphs have {nodes} nodes, above {MAX_NODES}, or compute {folded} constants")
        return checked

    @property
    def recipe(self) -> Mapping[str, Any]:
        """What it was trained by, where its facts say that; else empty."""
        recipe = self.facts.get("recipe")
        return recipe if isinstance(recipe, dict) else {}

    @property
    def decoded_ids(self) -> tuple[bytes, ...]:
        """Ids of the models whose pictures it decodes, its own first."""
        return self.id, *self.decodes


BaseFinder = Callable[[bytes], ModelFile]
"""Finds the model of an id."""


def write_model(model: ModelFile) -> bytes:
    """The file's bytes, in VERSION or DIFFERENCE_VERSION: the same model gives the same bytes."""
    model = replace(model, version=VERSION if model.of_base is None else DIFFERENCE_VERSION)
    stored, members = model, _members(model)
    if model.of_base is not None:
        anew = {name: array for name, array in model.arrays.items() if name in model.of_base.anew}
        stored = replace(model, arrays=anew, graphs={})
        members = {_DIFFERENCE: memoryview(model.of_base.difference), **_members(stored)}
    manifest = {
        "format": FORMAT,
        "version": model.version,
        "id": model.id.hex(),
        "decodes": [other.hex() for other in model.decodes],
        "name": model.name,
        "default_quality": model.default_quality,
        "decoding": _decoding(stored),
        "members": {name: {"bytes": data.nbytes, "sha256": _sha256(data)} for name, data in members.items()},
        "facts": dict(model.facts),
        **({"base": model.of_base.base.hex()} if model.of_base is not None else {}),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False).encode()
        for name, data in {MANIFEST: memoryview(text), **members}.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, bytes(data))
    return out.getvalue()


def read_model(path: Path, *, find_base: BaseFinder | None = None) -> ModelFile:
    """Read and check a model file: sizes first, then hashes, then what its graphs ask for.

    Args:
        path: of the file.
        find_base: see `parse_model`; `zoo.finding.read_model` looks where models are.

    Raises:
        ModelNotFoundError: no such file, or no base of it.
        FormatError: or one of its subclasses, for anything that is not exactly a .isthmus file.
    """
    try:
        with path.open("rb") as file:
            return _parse(file, path.name, find_base)
    except OSError as error:
        raise ModelNotFoundError(f"cannot read the model {path}: {error.strerror}", wanted=str(path)) from error


def parse_model(data: bytes, *, name: str, find_base: BaseFinder | None = None) -> ModelFile:
    """Take apart a model file's bytes.

    Args:
        data: of the file.
        name: for the messages.
        find_base: finds the model that one is a difference to; None: only whole models are read.
    """
    return _parse(io.BytesIO(data), name, find_base)


def read_decoded_ids(path: Path) -> tuple[bytes, ...]:
    """`ModelFile.decoded_ids` that a file says it has, for looking through a folder; empty where it is no model.

    Loading checks it.
    """
    try:
        with path.open("rb") as file, open_archive(file, path.name) as archive:
            return parse_manifest(read_manifest_bytes(archive, path.name), path.name).decoded_ids
    except (OSError, FormatError):
        return ()


def _parse(file: BinaryIO, file_name: str, find_base: BaseFinder | None) -> ModelFile:
    with open_archive(file, file_name) as archive:
        manifest = parse_manifest(read_manifest_bytes(archive, file_name), file_name)
        members = read_members(archive, manifest.members, file_name)
    difference = members.pop(_DIFFERENCE, None) if manifest.base else None
    base = _base(manifest.base, find_base, file_name) if manifest.base else None
    try:
        arrays = {name: _read_array(name, entry, members) for name, entry in manifest.arrays.items()}
        graphs = {name.removesuffix(_GRAPH): data for name, data in members.items() if name.endswith(_GRAPH)}
        if len(arrays) + len(graphs) != len(members) or (base is not None and (graphs or difference is None)):
            raise FormatError("it has members that nothing names")
        of_base = None
        if base is not None and difference is not None:
            of_base = OfBase(manifest.base, difference, frozenset(arrays))
            graphs, others = apply_difference(difference, base.graphs, base.arrays)
            arrays = {**others, **arrays}
        model = ModelFile(
            name=manifest.name,
            kind=manifest.kind,
            picture=manifest.picture,
            latents=manifest.latents,
            default_quality=manifest.default_quality,
            graphs=graphs,
            arrays=arrays,
            facts=manifest.facts,
            decodes=manifest.decodes,
            version=manifest.version,
            of_base=of_base,
        )
        model.checked_graphs  # noqa: B018 - refuses those that are not as we export them
    except FormatError as error:
        raise type(error)(f"{file_name}: {error}") from error
    if model.id != manifest.id:
        raise ChecksumError(f"{file_name}: its contents do not match its id: the file was altered")
    return model


def _base(model_id: bytes, find_base: BaseFinder | None, file_name: str) -> ModelFile:
    if find_base is None:
        raise FormatError(f"{file_name} is a difference to the model {model_id.hex()}, where a whole model is needed")
    try:
        base = find_base(model_id)
    except ModelNotFoundError as error:
        raise ModelNotFoundError(
            f"{file_name} is a difference to the model {model_id.hex()}, which is neither shipped with this release "
            "nor installed: 'isthmus models add FILE' installs one",
            wanted=model_id.hex(),
        ) from error
    if base.id != model_id or base.of_base is not None:
        raise FormatError(f"{file_name} is a difference to {base.name}, which is another model or a difference itself")
    return base


def _read_array(name: str, entry: tuple[str, tuple[int, ...]], members: Mapping[str, bytes]) -> NDArray[Any]:
    dtype, shape = np.dtype(entry[0]), entry[1]
    data = members.get(_array_member(name))
    needed = math.prod(shape) * dtype.itemsize
    if data is None or len(data) != needed:
        raise FormatError(f"the array {name} has not the {needed} bytes that its shape needs")
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


def _members(model: ModelFile) -> dict[str, memoryview]:
    """Bytes of each member but the manifest, not copied where they are as they stand on disk."""
    graphs = {_graph_member(name): memoryview(data) for name, data in sorted(model.graphs.items())}
    arrays = {_array_member(name): _stored(array) for name, array in sorted(model.arrays.items())}
    return graphs | {name: array.reshape(-1).view(np.uint8).data for name, array in arrays.items()}


def _stored(array: NDArray[Any]) -> NDArray[Any]:
    """The array in little-endian order, as it stands on disk."""
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))


def _graph_member(name: str) -> str:
    return f"{name}{_GRAPH}"


def _array_member(name: str) -> str:
    return f"{name}.array"


def _canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _sha256(data: memoryview) -> str:
    return hashlib.sha256(data).hexdigest()
