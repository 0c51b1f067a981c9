"""Model files that our writer would not write: ONNX messages put together field by field, and zips around them."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zipfile
from typing import Any

import numpy as np

from isthmus.container.model_file import ModelFile, read_model, write_model
from tests.conftest import GOLDEN

BASE = read_model(GOLDEN / "golden.isthmus")
"""Of 8×8 grey pictures, with 6 latents."""
FLOAT, INT64 = 1, 7
ELEMENTS = {np.dtype(np.float32): 1, np.dtype(np.uint8): 2, np.dtype(np.int8): 3, np.dtype(np.int64): 7}


def varint(number: int, *, longer: int = 0) -> bytes:
    """LEB128 of 64 bits, with some bytes more than it needs."""
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    for _ in range(longer):
        out[-1] |= 0x80
        out.append(0)
    return bytes(out)


def field(number: int, value: bytes | str | int | float, *, high_bits: int = 0, longer: int = 0) -> bytes:
    """A field with its tag; `high_bits` are set above the tag's 32, which lenient parsers drop."""
    if isinstance(value, float):
        return varint(number << 3 | 5) + np.float32(value).tobytes()
    if isinstance(value, int):
        return varint((number << 3) + (high_bits << 32)) + varint(value, longer=longer)
    data = value.encode() if isinstance(value, str) else value
    return varint((number << 3 | 2) + (high_bits << 32)) + varint(len(data), longer=longer) + data


def tensor(name: str, values: Any, *, dims: bytes | None = None) -> bytes:
    """A TensorProto with its data within."""
    array = np.asarray(values)
    sides = b"".join(field(1, side) for side in array.shape) if dims is None else dims
    return sides + field(2, ELEMENTS[array.dtype]) + field(8, name) + field(9, array.tobytes())


def attribute(name: str, value: int | float | str | list[int]) -> bytes:
    """An AttributeProto."""
    if isinstance(value, list):
        return field(1, name) + b"".join(field(8, one) for one in value) + field(20, 7)
    number = {float: 2, int: 3, str: 4}[type(value)]
    return field(1, name) + field(number, value) + field(20, number - 1)


def node(operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> bytes:
    """A NodeProto."""
    parts = [field(1, one) for one in inputs] + [field(2, one) for one in outputs] + [field(4, operator)]
    return b"".join([*parts, *(field(5, attribute(name, value)) for name, value in attributes.items())])


def value_info(name: str, element: int, sides: list[int | None]) -> bytes:
    """A ValueInfoProto; None is any number."""
    shape = b"".join(field(1, field(1, side) if side else b"") for side in sides)
    return field(1, name) + field(2, field(1, field(1, element) + field(2, shape)))


INPUT = value_info("input", FLOAT, [None, 6, 1, 1])
OUTPUT = value_info("output", FLOAT, [None, 1, 8, 8])
NODES = [
    node("Reshape", ["input", "s"], ["f"]),
    node("Gemm", ["f", "w"], ["q"]),
    node("Reshape", ["q", "s2"], ["output"]),
]
CONSTANTS = [
    tensor("s", np.array([-1, 6])),
    tensor("w", np.full((6, 64), 0.1, np.float32)),
    tensor("s2", np.array([-1, 1, 8, 8])),
]


def graph(nodes: list[bytes] | None = None, constants: list[bytes] | None = None, *, behind: bytes = b"") -> bytes:
    """A GraphProto: `behind` are further fields, of higher numbers."""
    parts = [*(field(1, one) for one in (nodes or NODES)), field(2, "g")]
    parts += [field(5, one) for one in (CONSTANTS if constants is None else constants)]
    return b"".join([*parts, field(11, INPUT), field(12, OUTPUT), behind])


def model(of: bytes | None = None, *, behind: bytes = b"", version: int = 10, operators: int = 20) -> bytes:
    """A ModelProto."""
    return field(1, version) + field(7, graph() if of is None else of) + field(8, field(2, operators)) + behind


def model_file(synthesis: bytes) -> bytes:
    """A model file whose id and hashes are right, with another synthesis."""
    return write_model(dataclasses.replace(BASE, graphs=dict(BASE.graphs) | {"synthesis": synthesis}))


def with_arrays(**arrays: Any) -> bytes:
    """A model file whose id and hashes are right, with other arrays, or more."""
    return write_model(dataclasses.replace(BASE, arrays=dict(BASE.arrays) | arrays))


def with_manifest(change: Any, *, base: ModelFile = BASE, **members: bytes) -> bytes:
    """A model file with its manifest changed, by a function of the dict or to some text, and further members."""
    with zipfile.ZipFile(io.BytesIO(write_model(base))) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(contents.pop("manifest.json"))
    for name, data in members.items():
        contents[name] = data
        manifest["members"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if callable(change):
        change(manifest)
        text = json.dumps(manifest).encode()
    else:
        text = change
    return zipped({"manifest.json": text, **contents})


def zipped(contents: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these members, the same at any time of day."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in contents.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = method
            archive.writestr(info, data)
    return out.getvalue()
