"""Finds a model file by name, path or id, in the one order that every command follows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import platformdirs

from isthmus.container import model_file
from isthmus.container.atomic import exists_already, write_file
from isthmus.container.model_archive import MAX_MODEL_BYTES
from isthmus.container.model_file import ModelFile, read_decoded_ids
from isthmus.errors import InputError, IsthmusError, ModelNotFoundError, OutputError, UsageError

SUFFIX = ".isthmus"
SHIPPED = Path(__file__).parent


def models_folder() -> Path:
    """The user's own models."""
    return Path(platformdirs.user_data_dir("isthmus")) / "models"


def known_models() -> Iterator[tuple[str, Path]]:
    """("shipped" or "installed", path) of every model that is found without a path, in the order of the search."""
    for place, folder in (("shipped", SHIPPED), ("installed", models_folder())):
        for path in sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: path.stem):
            yield place, path


def find_by_name(name: str | Path) -> Path:
    """The model file of a path, or of a shipped or installed name.

    Raises:
        ModelNotFoundError: neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    for _, known in known_models():
        if known.stem == str(name):
            return known
    names = ", ".join(known.stem for _, known in known_models()) or "none"
    raise ModelNotFoundError(
        f"no model {str(name)!r}: it is no file, and the shipped and installed models are: {names}", wanted=str(name)
    )


def find_by_id(model_id: bytes, *, beside: Path | None = None) -> Path:
    """The model file that a picture file names by its id.

    Args:
        model_id: 8 bytes.
        beside: the picture file's folder, searched last: a model there is a stranger's. It is taken where it is the
            one of the id, not where it only says that it decodes its pictures, and where its checks pass.

    Raises:
        ModelNotFoundError: in none of the places, which the message lists.
    """
    standing_in = None  # a model of the id itself goes before one that says that it decodes its pictures
    for _, path in known_models():
        own, *others = read_decoded_ids(path) or (None,)
        if own == model_id:
            return path
        if standing_in is None and model_id in others:
            standing_in = path
    if standing_in is not None:
        return standing_in
    refused = ""
    for path in sorted(beside.glob(f"*{SUFFIX}")) if beside is not None else ():
        if read_decoded_ids(path)[:1] != (model_id,):  # what a stranger's model says of others is not believed
            continue
        try:
            read_model(path)
        except IsthmusError as error:
            refused = f"; {path} says that it is the model, but: {error}"
            continue
        return path
    folder = f"the file's folder ({beside})" if beside is not None else "the file's folder (none: read from memory)"
    raise ModelNotFoundError(
        f"no model with the id {model_id.hex()}: looked at --model, the shipped models, "
        f"{models_folder()} and {folder}; 'isthmus models add FILE' installs one{refused}",
        wanted=model_id.hex(),
    )


def read_model(path: Path) -> ModelFile:
    """Read a model file, whole or a difference to a shipped or installed one; see `container.model_file.read_model`.

    Raises:
        ModelNotFoundError: no such file, or no base of it.
        FormatError: damaged.
    """
    return model_file.read_model(path, find_base=_base_model)


def parse_model(data: bytes, *, name: str) -> ModelFile:
    """The same of a file's bytes; `name` is for the messages."""
    return model_file.parse_model(data, name=name, find_base=_base_model)


def _base_model(model_id: bytes) -> ModelFile:
    """The shipped or installed model of exactly an id: one that only decodes its pictures has other weights.

    Raises:
        ModelNotFoundError: there is none.
    """
    for _, path in known_models():
        if read_decoded_ids(path)[:1] == (model_id,):
            return model_file.read_model(path)
    raise ModelNotFoundError(f"no model with the id {model_id.hex()}", wanted=model_id.hex())


def install(source: Path, *, name: str | None = None, force: bool = False) -> Path:
    """Check a model file and copy it into the user's models folder, under the model's own name or another.

    Raises:
        InputError: it cannot be read.
        FormatError: it is no model.
        OutputError: a model of that name is there already.
        UsageError: the name is no file name.
    """
    try:
        with source.open("rb") as file:
            data = file.read(MAX_MODEL_BYTES + 1)  # one more is refused
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}") from error
    model = parse_model(data, name=source.name)
    target = _installed_path(model.name if name is None else name)
    write_file(target, data, force=force)
    return target


def check_free(name: str, *, force: bool = False) -> None:
    """Say before long work that its model could not be installed under a name.

    Raises:
        OutputError: a model of that name is there already, and `force` is false.
        UsageError: the name is no file name.
    """
    target = _installed_path(name)
    if not force and target.exists():
        raise exists_already(target)


def shadowing(path: Path) -> Path | None:
    """The model that is found in place of an installed one by its name, such as a shipped one; None where none is."""
    found = find_by_name(path.stem)
    return None if found == path else found


def uninstall(name: str) -> Path:
    """Remove a model from the user's models folder.

    Raises:
        ModelNotFoundError: no such model there.
        UsageError: the name is no file name.
        OutputError: it cannot be removed.
    """
    target = _installed_path(name)
    if not target.is_file():
        raise ModelNotFoundError(f"no installed model {name!r} in {models_folder()}", wanted=name)
    try:
        target.unlink()
    except OSError as error:
        raise OutputError(f"cannot remove {target}: {error.strerror}") from error
    return target


def _installed_path(name: str) -> Path:
    """Where a model of that name lies, or would; a name never leads out of the folder."""
    if not name or name.startswith(".") or Path(name).name != name or "\\" in name:
        raise UsageError(f"a model's name is a plain file name, not {name!r}")
    return models_folder() / f"{name}{SUFFIX}"
