"""What a folder of shards holds, in JSON: the plan that all shards share, and each one's counts and checksum."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isthmus.container.atomic import write_file
from isthmus.errors import FormatError, InputError, TruncatedError, UnsupportedVersionError, UsageError

MANIFEST = "manifest.json"
FORMAT = "isthmus-shards"
VERSION = 1


@dataclass(frozen=True)
class ShardPlan:
    """What all shards share: the same plan and sources give the same bytes.

    Attributes:
        model_id: of the model, hexadecimal.
        quality: 1 to 100.
        shard_size: sources of a shard.
        sources: in all.
    """

    model_id: str
    quality: int
    shard_size: int
    sources: int

    def __post_init__(self) -> None:
        if self.shard_size < 1:
            raise UsageError(f"a shard has 1 picture or more, not {self.shard_size}")

    @property
    def shards(self) -> int:
        """How many."""
        return -(-self.sources // self.shard_size)


@dataclass(frozen=True)
class ShardFacts:
    """What a shard came to.

    Attributes:
        file: its name; empty where none of its sources could be packed, so that there is no file.
        pictures: in it.
        rejected: sources that are not.
        bytes: of the file.
        source_bytes: that its pictures took before.
        sha256: of the file, hexadecimal.
    """

    file: str
    pictures: int
    rejected: int
    bytes: int
    source_bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A plan and its shards, in order."""

    plan: ShardPlan
    shards: tuple[ShardFacts, ...]

    def total(self, fact: str) -> int:
        """The sum of a fact over all shards: "pictures", "rejected", "bytes" or "source_bytes"."""
        return sum(getattr(shard, fact) for shard in self.shards)


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write it, replacing an earlier one.

    Raises:
        OutputError: the place cannot be written.
    """
    totals = {fact: manifest.total(fact) for fact in ("pictures", "rejected", "bytes", "source_bytes")}
    value = {"format": FORMAT, "version": VERSION, **asdict(manifest.plan), **totals}
    shards = ",\n".join(f"  {json.dumps(asdict(shard))}" for shard in manifest.shards)
    head = json.dumps(value, indent=1).removesuffix("\n}")
    write_file(path, f'{head},\n "shards": [\n{shards}\n ]\n}}\n'.encode(), force=True)


def read_manifest(path: Path) -> Manifest:
    """Read one, and see that each shard lies beside it with as many bytes as it says.

    Raises:
        InputError: it cannot be read.
        FormatError: or one of its subclasses: not a manifest, or a shard that is missing or of another length.
    """
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise FormatError(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise FormatError(f"{path} is not a manifest of shards")
    if value.get("version") != VERSION:
        raise UnsupportedVersionError(f"{path} has version {value.get('version')!r}, this release reads {VERSION}")
    try:
        plan = ShardPlan(**{key: value[key] for key in ShardPlan.__dataclass_fields__})
        shards = tuple(
            ShardFacts(**{key: one[key] for key in ShardFacts.__dataclass_fields__}) for one in value["shards"]
        )
        manifest = Manifest(plan, shards)
        names = {shard.file: shard.bytes for shard in shards if shard.file}
        bytes.fromhex(plan.model_id)
        is_whole = all(value[fact] == manifest.total(fact) for fact in ("pictures", "rejected", "bytes"))
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path} does not say what a manifest says: {error}") from error
    if not is_whole:
        raise FormatError(f"{path}: its totals are not those of its shards")
    for name, size in names.items():
        _check_shard(path.parent, name, size)
    return manifest


def _check_shard(folder: Path, name: str, size: int) -> None:
    if not isinstance(name, str) or Path(name).name != name:
        raise FormatError(f"the manifest names a shard {name!r}, which is not a file's name")
    try:
        found = (folder / name).stat().st_size
    except OSError as error:
        raise TruncatedError(f"{folder / name} cannot be read, but the manifest names it: {error.strerror}") from error
    if found != size:
        raise TruncatedError(f"{folder / name} has {found} bytes where the manifest says {size}: pack it again")
