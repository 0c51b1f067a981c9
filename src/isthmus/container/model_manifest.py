"""What a model file's manifest says, each value of the type and within the bounds that the format has."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isthmus.container.image_header import MODEL_ID_BYTES
from isthmus.errors import FormatError, LimitError, UnsupportedVersionError, UsageError
from isthmus.values import MAX_PIXELS, QUALITIES, LatentSpec, PictureSpec

FORMAT = "isthmus model"
VERSION = 2
DIFFERENCE_VERSION = 3
"""Of a model that is stored as the difference to another one."""
READ_VERSIONS = (1, 2, 3)
ARRAY_TYPES = ("<f4", "<i4", "<u2", "|u1", "|i1", "<i2")
MAX_DECODED_IDS = 16
MAX_CHANNELS = 1 << 16
MAX_STRIDE = 1 << 12
MAX_RANK = 8
_DIGEST_DIGITS = 64
_NAME_LETTERS = 200


@dataclass(frozen=True)
class ModelManifest:
    """A manifest, checked.

    Attributes:
        version: of the format.
        id: as it is announced.
        decodes: ids of other models whose pictures the model decodes.
        name: what people call it.
        kind: how its symbols are coded.
        picture: the pictures that it takes.
        latents: the latents that it makes.
        default_quality: 1 to 100.
        arrays: type and shape of each array, by name; of a difference those that it has anew.
        base: id of the model that this is a difference to; empty where it is whole.
        members: length and SHA-256, hexadecimal, of each member, by name.
        facts: for people.
    """

    version: int
    id: bytes
    decodes: tuple[bytes, ...]
    name: str
    kind: str
    picture: PictureSpec
    latents: LatentSpec
    default_quality: int
    arrays: Mapping[str, tuple[str, tuple[int, ...]]]
    members: dict[str, tuple[int, str]]
    facts: Mapping[str, Any]
    base: bytes = b""

    @property
    def decoded_ids(self) -> tuple[bytes, ...]:
        """Ids of the models whose pictures it decodes, its own first."""
        return self.id, *self.decodes


def parse_manifest(data: bytes, name: str) -> ModelManifest:
    """A manifest out of its JSON; `name` is for the messages.

    Raises:
        FormatError: not JSON, or not what the format says.
        UnsupportedVersionError: of a version that this release does not know.
    """
    try:
        value = json.loads(data, parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{name}: manifest.json is not JSON: {error or type(error).__name__}") from error
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise FormatError(f"{name} is a zip file, but no model: its manifest is of another format")
    version = value.get("version")
    if not isinstance(version, int) or version not in READ_VERSIONS:
        raise UnsupportedVersionError(
            f"{name} has format version {version!r}, this release reads versions 1 to {READ_VERSIONS[-1]}: "
            "update isthmus"
        )
    try:
        return _manifest(value, version)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        kind = type(error) if isinstance(error, FormatError) else FormatError
        said = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise kind(f"{name}: its manifest is not what the format says: {said}") from error


def _manifest(value: dict[str, Any], version: int) -> ModelManifest:
    decoding = value["decoding"]
    picture, latents = decoding["picture"], decoding["latents"]
    height, width = (_side(picture[side], side) for side in ("height", "width"))
    if height is not None and width is not None and height * width > MAX_PIXELS:
        raise LimitError(f"it is for pictures of {width}×{height} pixels, above the limit of {MAX_PIXELS}")
    decodes = value.get("decodes", [])
    if not isinstance(decodes, list) or len(decodes) > MAX_DECODED_IDS:
        raise FormatError(f"decodes is no list of at most {MAX_DECODED_IDS} ids")
    return ModelManifest(
        version=version,
        id=_hexadecimal(value["id"], 2 * MODEL_ID_BYTES, "id"),
        decodes=tuple(_hexadecimal(one, 2 * MODEL_ID_BYTES, "decodes") for one in decodes),
        name=_text(value["name"], "name"),
        kind=_text(decoding["kind"], "kind"),
        picture=PictureSpec(_whole(picture["channels"], "channels", 1, 3), height, width),
        latents=LatentSpec(
            _whole(latents["channels"], "latent channels", 1, MAX_CHANNELS),
            _whole(latents["stride"], "stride", 0, MAX_STRIDE),
        ),
        default_quality=_whole(value["default_quality"], "default_quality", 1, QUALITIES),
        arrays={_text(name, "array"): _array(name, entry) for name, entry in _object(decoding["arrays"]).items()},
        members={_text(name, "member"): _member(entry) for name, entry in _object(value["members"]).items()},
        facts=_object(value["facts"]),
        base=_hexadecimal(value["base"], 2 * MODEL_ID_BYTES, "base") if version == DIFFERENCE_VERSION else b"",
    )


def _no_number(text: str) -> float:
    raise UsageError(f"{text} is no number that it may hold")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, whose names are there once."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise UsageError("a name is there twice")
    for one in value.values():
        if isinstance(one, float) and not math.isfinite(one):
            raise UsageError("a number is beyond what numbers are")
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FormatError(f"it has {_shown(value)} where names and values are expected")
    return value


def _whole(value: Any, what: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise FormatError(f"{what} is a whole number from {least} to {most}, not {_shown(value)}")
    return value


def _side(value: Any, what: str) -> int | None:
    return None if value is None else _whole(value, what, 1, MAX_PIXELS)


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= _NAME_LETTERS or not value.isprintable():
        raise FormatError(f"{what} is a text of at most {_NAME_LETTERS} letters, not {_shown(value)}")
    return value


def _hexadecimal(value: Any, digits: int, what: str) -> bytes:
    if not isinstance(value, str) or len(value) != digits:
        raise FormatError(f"{what} has {digits} hexadecimal digits, not {_shown(value)}")
    try:
        return bytes.fromhex(value)
    except ValueError as error:
        raise FormatError(f"{what} has {digits} hexadecimal digits, not {_shown(value)}") from error


def _array(name: str, entry: Any) -> tuple[str, tuple[int, ...]]:
    dtype, shape = entry["dtype"], entry["shape"]
    if dtype not in ARRAY_TYPES or not isinstance(shape, list) or len(shape) > MAX_RANK:
        raise FormatError(f"array {name} has the type {_shown(dtype)} and shape {_shown(shape)}")
    return dtype, tuple(_whole(side, f"a side of the array {name}", 0, MAX_PIXELS) for side in shape)


def _member(entry: Any) -> tuple[int, str]:
    return _whole(entry["bytes"], "bytes", 0, MAX_PIXELS), _hexadecimal(entry["sha256"], _DIGEST_DIGITS, "sha256").hex()


def _shown(value: Any) -> str:
    """A foreign value, short enough for a message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
