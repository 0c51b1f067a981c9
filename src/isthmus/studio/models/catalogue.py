"""What is installed, with figures; what a file needs."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from isthmus.description import describe
from isthmus.errors import FormatError, IsthmusError, OutputError, UsageError
from isthmus.studio.compress.comparisons import stem_of
from isthmus.zoo.finding import SUFFIX, install, known_models, uninstall

SHOWN = (
    "name",
    "kind",
    "model_id",
    "bytes",
    "takes",
    "latent_channels",
    "default_quality",
    "metrics",
    "licence",
    "recipe",
    "data",
)


def catalogue() -> list[dict[str, Any]]:
    """Every shipped and installed model; one that cannot be read says why."""
    rows = []
    for place, path in known_models():
        row: dict[str, Any] = {"file": path.stem, "place": place}
        try:
            facts = describe(path)
            rows.append(row | {key: facts.get(key) for key in SHOWN})
        except IsthmusError as error:
            rows.append(row | {"error": str(error)})
    return rows


def add(path: Path, name: str) -> dict[str, Any]:
    """Install a model file that was sent, and remove that file.

    Args:
        path: where it was written.
        name: what to call it; a model of that name is not replaced.

    Raises:
        FormatError: it is no model.
        OutputError: a model of that name is there already.
    """
    try:
        facts = describe(path)
        if facts["format"] != "isthmus":
            raise FormatError(f"{name} is no model: it is a .{facts['format']} file")
        if stem_of(name) in [known.stem for _, known in known_models()]:
            raise OutputError(
                f"there is a model {stem_of(name)} already: remove it first, or give the file another name"
            )
        installed = install(path, name=stem_of(name))
        return {"file": installed.stem}
    finally:
        path.unlink(missing_ok=True)


def remove(name: str) -> None:
    """Remove an installed model.

    Raises:
        ModelNotFoundError: there is none of that name.
        UsageError: the name is none.
    """
    if not name:
        raise UsageError("which model?")
    uninstall(name)


def need_of(path: Path) -> dict[str, Any]:
    """Which model a .isth, .isthpack or .isthmus file that was sent needs, or is; the file is removed.

    Raises:
        FormatError: none of these, or damaged.
    """
    try:
        facts = describe(path)
    finally:
        path.unlink(missing_ok=True)
    if facts["format"] == "isthmus":
        return {"format": "isthmus", "model_id": facts["model_id"], "name": facts["name"], "is_there": True}
    model = facts.get("model")
    found = "" if model is None else Path(model).stem if str(model).endswith(SUFFIX) else str(model)
    return {"format": facts["format"], "model_id": facts["model_id"], "name": found, "is_there": model is not None}


def new_path(folder: Path) -> Path:
    """Where a file that is sent may be written."""
    return folder / secrets.token_hex(16)
