"""What `isthmus info` says of a file, without decoding it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isthmus.container.image_file import MAGIC, read_image
from isthmus.container.model_file import parse_model
from isthmus.errors import FormatError, InputError, ModelNotFoundError
from isthmus.values import MODE_NAMES
from isthmus.zoo.finding import find_by_id


def describe(path: Path) -> dict[str, Any]:
    """Facts of a .isth or .isthmus file, by name; every checksum in it is checked.

    Raises:
        InputError: it cannot be read.
        FormatError: neither of the two, or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if not data:
        raise InputError(f"{path} is empty")
    if data[:4] == b"PK\x03\x04":
        return _describe_model(data, path)
    if data[:1] == MAGIC[:1] or data[1:5] == MAGIC[1:5]:
        return _describe_image(data, path)
    raise FormatError(f"{path} is neither a .isth picture nor a .isthmus model", offset=0)


def _describe_image(data: bytes, path: Path) -> dict[str, Any]:
    image = read_image(data)
    try:
        model: str | None = str(find_by_id(image.model_id, beside=path.resolve().parent))
    except ModelNotFoundError:
        model = None
    return {
        "format": "isth",
        "width": image.width,
        "height": image.height,
        "mode": MODE_NAMES[image.channels],
        "quality": image.quality,
        "bytes": len(data),
        "payload_bytes": sum(len(tile) for tile in image.tiles),
        "bpp": 8 * len(data) / (image.width * image.height),
        "tiles": len(image.tiles),
        "alpha_bytes": len(image.alpha) if image.alpha is not None else None,
        "icc_bytes": len(image.icc) if image.icc is not None else None,
        "exif_bytes": len(image.exif) if image.exif is not None else None,
        "model_id": image.model_id.hex(),
        "model": model,
    }


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
        "recipe": model.facts.get("recipe", {}).get("name"),
    }
