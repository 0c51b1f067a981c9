"""The n-th input of a seed: what kind of file it is, how it was made, and its bytes."""

from __future__ import annotations

import dataclasses
import io
import json
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from isthmus.container import image_file
from isthmus.container.image_file import read_image, write_image
from isthmus.container.model_file import read_model, write_model
from isthmus.container.pack_file import read_layout
from isthmus.values import MAX_PIXELS
from tests.conftest import GOLDEN, GOLDEN_1
from tests.container.hostile import BASE, model_file, with_manifest
from tests.fuzz import mutations

IMAGES = ("plain-75", "extras-50", "noise-100", "colour-1", "grey-50", "tiled-1", "tiled-75")
PACKS = ("pack-2", "pack-2-model", "two", "pack-2-codings")
KINDS = ("isth", "isthpack", "isthmus", "exif")


@dataclass(frozen=True)
class Input:
    """One input.

    Attributes:
        kind: one of KINDS.
        data: its bytes; of EXIF the block alone.
        is_repaired: checksums were made right, so that other pixels are no wonder.
        original: what it was made of, for damage that must not change what comes out.
    """

    kind: str
    data: bytes
    is_repaired: bool
    original: bytes


class WrongError(Exception):
    """Something came out of an input that should not."""


def make(seed: int, number: int) -> Input:
    """The n-th input of a seed: always the same."""
    random = np.random.default_rng([seed, number])
    makers = (_damaged_image, _hostile_image, _damaged_pack, _hostile_pack, _damaged_model, _hostile_model, _exif)
    weights = np.array([3, 5, 3, 3, 2, 6, 2], float)
    return makers[random.choice(len(makers), p=weights / weights.sum())](random)


@cache
def images() -> list[bytes]:
    """Golden files of both kinds of models, and of both versions."""
    old = [(GOLDEN_1 / f"{name}-50.isth").read_bytes() for name in ("plain", "extras")]
    return [*((GOLDEN / f"{name}.isth").read_bytes() for name in IMAGES), *old]


@cache
def packs() -> list[bytes]:
    """Golden packs of both versions, one with its model."""
    return [(GOLDEN / f"{name}.isthpack").read_bytes() for name in PACKS]


@cache
def models() -> list[bytes]:
    """Golden models of both kinds."""
    return [(GOLDEN / f"{name}.isthmus").read_bytes() for name in ("golden", "golden-hyperprior")]


@cache
def exif_block() -> bytes:
    """A block with numbers, texts, fractions, and tags within tags."""
    exif = Image.Exif()
    exif.update({0x112: 6, 0x11A: 72.0, 0x128: 2, 0x10F: "Maker", 0x132: "2026:11:28 12:00:00", 0x13B: "Someone"})
    exif.get_ifd(0x8769).update({0x9003: "2026:11:28 12:00:00", 0x829A: 0.01, 0x9286: b"ASCII\0\0\0hello", 0xA002: 64})
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 12.0, 3.5), 29: "2026:11:28"})
    return exif.tobytes()


def _damaged_image(random: np.random.Generator) -> Input:
    original = images()[random.integers(len(images()))]
    return Input("isth", mutations.damaged(original, random, images()), is_repaired=False, original=original)


def _hostile_image(random: np.random.Generator) -> Input:
    original = images()[random.integers(len(images()))]
    if random.random() < 0.5:
        return Input(
            "isth", mutations.image_with_right_checksums(original, random), is_repaired=True, original=original
        )
    image = mutations.image_of_a_hostile_writer(read_image(original), random)
    if random.random() < 0.5 and image.width * image.height <= MAX_PIXELS:
        return Input("isth", write_image(image), is_repaired=True, original=original)
    padded, image_file.missing_bytes = image_file.missing_bytes, lambda pixels, size: 0
    try:
        return Input("isth", write_image(image), is_repaired=True, original=original)
    finally:
        image_file.missing_bytes = padded


def _damaged_pack(random: np.random.Generator) -> Input:
    original = packs()[random.integers(len(packs()))]
    return Input("isthpack", mutations.damaged(original, random, packs()), is_repaired=False, original=original)


def _hostile_pack(random: np.random.Generator) -> Input:
    original = packs()[random.integers(2)]
    layout = read_layout(lambda offset, length: original[offset : offset + length], len(original))
    head, index = layout.block_offsets.tolist()
    table = int.from_bytes(original[head + 10 : head + 14], "little")
    places = {"head": layout.start if layout.header.section_lengths == {} else head, "index": index, "table": table}
    if layout.header.section_lengths:  # the header ends before its sections, which stay as they are
        return Input("isthpack", mutations.damaged(original, random, packs()), is_repaired=False, original=original)
    return Input(
        "isthpack", mutations.pack_with_right_checksums(original, places, random), is_repaired=True, original=original
    )


def _damaged_model(random: np.random.Generator) -> Input:
    original = models()[random.integers(len(models()))]
    return Input("isthmus", mutations.damaged(original, random, models()), is_repaired=False, original=original)


def _hostile_model(random: np.random.Generator) -> Input:
    """Ids and hashes right: a graph, an array or the manifest is another."""
    kind = random.integers(4)
    base = BASE if random.random() < 0.5 else _photo()
    if kind < 2:
        name = str(random.choice(sorted(base.graphs)))
        graph = mutations.message_with_damage(base.graphs[name], random)
        changed = dataclasses.replace(base, graphs=dict(base.graphs) | {name: graph})
        return Input("isthmus", write_model(changed), is_repaired=True, original=b"")
    if kind == 2:
        name = str(random.choice(sorted(base.arrays)))
        raw = mutations.damaged(base.arrays[name].tobytes(), random, [b"\xff" * 8, bytes(8)])
        array = np.frombuffer(
            raw[: len(raw) // base.arrays[name].itemsize * base.arrays[name].itemsize], base.arrays[name].dtype
        )
        if array.size == base.arrays[name].size:
            array = array.reshape(base.arrays[name].shape)
        return Input(
            "isthmus",
            write_model(dataclasses.replace(base, arrays=dict(base.arrays) | {name: array})),
            is_repaired=True,
            original=b"",
        )
    text = json.dumps({"x": 0}).encode()

    def remember(manifest: dict[str, object]) -> None:
        nonlocal text
        text = json.dumps(manifest).encode()

    with_manifest(remember, base=base)
    return Input(
        "isthmus",
        with_manifest(mutations.damaged(text, random, [b"NaN", b"1e999", b"[[", b"null"]), base=base),
        is_repaired=True,
        original=b"",
    )


@cache
def _photo():
    return read_model(GOLDEN / "golden-hyperprior.isthmus")


def _exif(random: np.random.Generator) -> Input:
    return Input(
        "exif", mutations.damaged(exif_block(), random, [b"\xff" * 8, bytes(12)]), is_repaired=True, original=b""
    )


def jpeg_with(exif: bytes) -> bytes:
    """A JPEG of 8×8 grey pixels with a block of EXIF."""
    out = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(out, "JPEG", exif=exif[:60_000])
    return out.getvalue()


def graph_model(synthesis: bytes) -> bytes:
    """A model file of the golden one with another synthesis: for the corpus."""
    return model_file(synthesis)
