"""What `isthmus info` says of a file, without decoding it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isthmus.container.image_file import ImageFile, read_image
from isthmus.container.image_header import ALPHA, EXIF, ICC, MAGIC, XMP
from isthmus.container.pack_file import MAGIC as PACK_MAGIC
from isthmus.container.pack_file import MODEL, read_layout
from isthmus.container.pack_table import PackTable
from isthmus.errors import FormatError, InputError, ModelNotFoundError, UsageError
from isthmus.packs.manifest import MANIFEST, read_manifest
from isthmus.packs.opening import open_ranges
from isthmus.packs.stored_pictures import ALPHA as ALPHA_BIT
from isthmus.packs.stored_pictures import coding_of, count_codings, picture_size
from isthmus.values import MODE_NAMES
from isthmus.zoo.finding import find_by_id, parse_model

RUN_MODEL = "model.isthmus"
"""What a run's folder holds once it has finished."""


def describe(path: Path) -> dict[str, Any]:
    """Facts of a .isth, .isthpack or .isthmus file, by name; checksums are checked, but for those of a pack's blocks.

    Of a manifest of shards, or the folder that holds it: sums; the shards' lengths are checked, they are not read.
    Of the folder of a finished run: its model.

    Raises:
        InputError: it cannot be read, or is a folder of other things.
        FormatError: none of the three, or damaged.
    """
    if path.is_dir():
        is_run = (path / RUN_MODEL).is_file() and not (path / MANIFEST).is_file()
        if not is_run and not (path / MANIFEST).is_file():
            raise InputError(
                f"{path} is a folder of neither a finished run ({RUN_MODEL}) nor shards ({MANIFEST}): "
                f"name its files, as in {path / '*.isth'}"
            )
        path = path / (RUN_MODEL if is_run else MANIFEST)
    try:
        with path.open("rb") as file:
            start = file.read(len(PACK_MAGIC))
        data = start if start == PACK_MAGIC else path.read_bytes()  # a pack is mapped, whatever its size
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if not data:
        raise InputError(f"{path} is empty")
    if data[:4] == b"PK\x03\x04":
        return _describe_model(data, path)
    if data[: len(PACK_MAGIC)] == PACK_MAGIC:
        return _describe_pack(path)
    if data[:1] == b"{":
        return _describe_shards(path)
    if data[:1] == MAGIC[:1] or data[1:5] == MAGIC[1:5]:
        return _describe_image(data, path)
    raise FormatError(f"{path} is none of .isth, .isthpack, .isthmus and a manifest of shards", offset=0)


def pictures_of_pack(path: Path) -> list[dict[str, Any]]:
    """Name, size, payload and class of every picture of a pack; none is decoded.

    Raises:
        UsageError: it is no pack.
        InputError: it cannot be read.
        FormatError: damaged.
    """
    read, size = open_ranges(str(path))
    if read(0, min(size, len(PACK_MAGIC))) != PACK_MAGIC:
        raise UsageError(f"{path} is no pack: there is nothing to list")
    layout = read_layout(read, size)
    table = layout.table
    sizes = (picture_size(layout.header, table, place) for place in range(len(table)))
    labels = table.labels.tolist() if table.labels is not None else [None] * len(table)
    columns = zip(table.names, sizes, table.lengths.tolist(), labels, _forms(table), strict=True)
    return [
        {
            "name": name,
            "width": width,
            "height": height,
            "payload_bytes": length,
            "label": label,
            "coding": coding_of(form) or "unknown",
        }
        for name, (width, height), length, label, form in columns
    ]


def _describe_image(data: bytes, path: Path) -> dict[str, Any]:
    image = read_image(data)
    return {
        "format": "isth",
        "width": image.width,
        "height": image.height,
        "mode": MODE_NAMES[3 if image.neutral else image.channels],
        "coding": image.format or "learned",
        "quality": image.quality,
        "asked_for": str(image.asked or f"quality {image.quality}"),
        "bytes": len(data),
        "payload_bytes": sum(len(tile) for tile in image.tiles),
        "bpp": 8 * len(data) / (image.width * image.height),
        "tiles": len(image.tiles),
        "alpha_bytes": _length(image, ALPHA),
        "icc_bytes": _length(image, ICC),
        "exif_bytes": _length(image, EXIF),
        "xmp_bytes": _length(image, XMP),
        "model_id": image.model_id.hex() if image.format is None else None,
        "model": _model_of(image.model_id, path) if image.format is None else None,
    }


def _length(image: ImageFile, kind: int) -> int | None:
    """Bytes of a section, None where there is none."""
    section = image.sections.get(kind)
    return None if section is None else len(section)


def _describe_pack(path: Path) -> dict[str, Any]:
    read, size = open_ranges(str(path))
    layout = read_layout(read, size)
    header, count = layout.header, len(layout.table)
    labels, payload_bytes = layout.table.labels, int(layout.table.lengths.sum(dtype="int64"))
    return {
        "format": "isthpack",
        "pictures": count,
        "size": f"{header.size[0]}×{header.size[1]}" if header.size else "various",
        "mode": MODE_NAMES[header.channels],
        "quality": header.quality,
        "bytes": size,
        "bytes_per_picture": size / max(1, count),
        "payload_bytes": payload_bytes,
        "payload_bytes_per_picture": payload_bytes / max(1, count),
        "codings": count_codings(_forms(layout.table)),
        "with_alpha": sum(1 for form in _forms(layout.table) if form & ALPHA_BIT),
        "model_bytes": header.section_lengths.get(MODEL),
        "source_bytes": layout.source_bytes,
        "ratio": layout.source_bytes / size,
        "classes": len(set(labels.tolist())) if labels is not None else None,
        "model_id": header.model_id.hex(),
        "model": _model_of(header.model_id, path) or ("within" if MODEL in header.section_lengths else None),
    }


def _forms(table: PackTable) -> list[int]:
    """How the payload of each picture is to be read."""
    return [0] * len(table) if table.forms is None else table.forms.tolist()


def _describe_shards(path: Path) -> dict[str, Any]:
    manifest = read_manifest(path)
    plan, size, pictures = manifest.plan, manifest.total("bytes"), manifest.total("pictures")
    return {
        "format": "shards",
        "shards": sum(1 for shard in manifest.shards if shard.file),
        "shard_size": plan.shard_size,
        "pictures": pictures,
        "rejected": manifest.total("rejected"),
        "quality": plan.quality,
        "bytes": size,
        "bytes_per_picture": size / max(1, pictures),
        "source_bytes": manifest.total("source_bytes"),
        "ratio": manifest.total("source_bytes") / max(1, size),
        "model_id": plan.model_id,
        "model": _model_of(bytes.fromhex(plan.model_id), path),
    }


def _model_of(model_id: bytes, path: Path) -> str | None:
    """Where the model of an id is."""
    try:
        return str(find_by_id(model_id, beside=path.resolve().parent))
    except ModelNotFoundError:
        return None


def _describe_model(data: bytes, path: Path) -> dict[str, Any]:
    model = parse_model(data, name=path.name)
    return {
        "format": "isthmus",
        "name": model.name,
        "kind": model.kind,
        "model_id": model.id.hex(),
        "bytes": len(data),
        "takes": str(model.picture),
        "latent_channels": model.latents.channels,
        "default_quality": model.default_quality,
        "graphs": {name: len(graph) for name, graph in model.graphs.items()},
        **{key: value for key, value in model.facts.items() if key != "recipe"},
        "recipe": model.recipe.get("name"),
    }
