"""Recipes from TOML files and `KEY=VALUE` settings, with a misspelt key answered by the nearest one."""

from __future__ import annotations

import dataclasses
import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

from isthmus.errors import InputError, UsageError
from isthmus.imaging.noise import NoiseSettings
from isthmus.learn.recipes.settings import (
    AugmentationSettings,
    CodingSettings,
    DataSettings,
    ModelSettings,
    RateSettings,
    Recipe,
    TrainingSettings,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")

FOLDER = Path(__file__).parent
SECTIONS: dict[str, type[Any]] = {
    "data": DataSettings,
    "model": ModelSettings,
    "training": TrainingSettings,
    "rate": RateSettings,
    "coding": CodingSettings,
    "noise": NoiseSettings,
    "augmentation": AugmentationSettings,
}


def recipe_names() -> list[str]:
    """The recipes that ship, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_recipe(name: str, settings: Sequence[str] = ()) -> Recipe:
    """A shipped recipe, or a TOML file of one's own, changed by settings.

    Args:
        name: a shipped name, or a path that ends in .toml.
        settings: "KEY=VALUE" each; the key is "section.field", or the field alone where one section has it.

    Raises:
        UsageError: no such recipe or key (the nearest is named), or a value that cannot be.
        InputError: the file cannot be read.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not name.endswith(".toml") and name not in recipe_names():
        raise UsageError(f"no recipe {name!r}{nearest(name, recipe_names())}; 'isthmus recipes' lists them")
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise InputError(f"cannot read the recipe {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    recipe = recipe_from_table(table, default_name=path.stem)
    return change_recipe(recipe, dict(split_setting(setting) for setting in settings))


def recipe_from_table(table: Mapping[str, Any], *, default_name: str = "") -> Recipe:
    """A recipe from its TOML table (or the manifest's copy of it)."""
    known = ["name", "summary", *SECTIONS]
    for key in table:
        if key not in known:
            raise UsageError(f"a recipe has no {key!r}{nearest(key, known)}")
    sections = {}
    for section, kind in SECTIONS.items():
        values = table.get(section, {})
        if not isinstance(values, Mapping):
            raise UsageError(f"{section} is a table of settings, not {values!r}")
        names = [field.name for field in dataclasses.fields(kind)]
        for key in values:
            if key not in names:
                raise UsageError(f"{section} has no setting {key!r}{nearest(key, names)}")
        sections[section] = kind(**{key: typed_value(kind, section, key, value) for key, value in values.items()})
    return Recipe(name=str(table.get("name", default_name)), summary=str(table.get("summary", "")), **sections)


def recipe_to_table(recipe: Recipe) -> dict[str, Any]:
    """The opposite of `recipe_from_table`, for JSON."""
    table: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(recipe)))
    return table


def change_recipe(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe with some settings changed; values may be text, as a command line has it.

    Raises:
        UsageError: no such key (the nearest is named), or a value that cannot be.
    """
    for key, value in changes.items():
        section, field = _find(key)
        typed = typed_value(SECTIONS[section], section, field, value)
        recipe = dataclasses.replace(
            recipe, **{section: dataclasses.replace(getattr(recipe, section), **{field: typed})}
        )
    return recipe


def changed_settings(before: Settings, settings: Sequence[str], *, recipe: str) -> Settings:
    """Some values of a recipe's own dataclass changed.

    Args:
        before: the dataclass.
        settings: "KEY=VALUE" each; a key may have "training." in front.
        recipe: for messages.

    Raises:
        UsageError: no such key (the nearest is named), or a value that cannot be.
    """
    names = [field.name for field in dataclasses.fields(before)]
    changes = {}
    for setting in settings:
        key, value = split_setting(setting)
        field = key.removeprefix("training.")
        if field not in names:
            raise UsageError(f"{recipe} has no setting {key!r}{nearest(field, names)}")
        changes[field] = typed_value(type(before), "training", field, value)
    return dataclasses.replace(before, **changes)


def all_keys() -> list[str]:
    """Every "section.field"."""
    return [f"{name}.{field.name}" for name, kind in SECTIONS.items() for field in dataclasses.fields(kind)]


def _find(key: str) -> tuple[str, str]:
    """Section and field of a key, with or without its section."""
    matches = [full for full in all_keys() if full == key or full.split(".")[1] == key]
    if len(matches) == 1:
        section, field = matches[0].split(".")
        return section, field
    if matches:
        raise UsageError(f"{key!r} is a setting of several sections: {', '.join(matches)}")
    raise UsageError(f"no setting {key!r}{nearest(key, [*all_keys(), *(full.split('.')[1] for full in all_keys())])}")


def split_setting(setting: str) -> tuple[str, str]:
    """Key and value of "KEY=VALUE".

    Raises:
        UsageError: it has no such form.
    """
    key, equals, value = setting.partition("=")
    if not equals or not key:
        raise UsageError(f"a setting is KEY=VALUE, not {setting!r}")
    return key.strip(), value.strip()


def nearest(word: str, choices: Sequence[str]) -> str:
    """The end of a message: what was probably meant, or nothing."""
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    return f": did you mean {close[0]!r}?" if close else ""


def typed_value(kind: type[Any], section: str, field: str, value: Any) -> Any:
    """A value as the field's type; text is parsed."""
    wanted = get_type_hints(kind)[field]
    name = f"{section}.{field}"
    try:
        if get_origin(wanted) is tuple:
            parts = value.split(",") if isinstance(value, str) else list(value)
            return tuple(_number(get_args(wanted)[0], part) for part in parts if part != "")
        return str(value) if wanted is str else _number(wanted, value)
    except (TypeError, ValueError) as error:
        described = "whole numbers, separated by commas" if get_origin(wanted) is tuple else _described(wanted)
        raise UsageError(f"{name} is {described}, not {value!r}") from error


def _number(wanted: type[Any], value: Any) -> Any:
    if isinstance(value, bool) or (wanted is int and isinstance(value, float) and value != int(value)):
        raise ValueError(value)
    return wanted(value.replace("_", "") if isinstance(value, str) else value)


def _described(wanted: type[Any]) -> str:
    return {int: "a whole number", float: "a number", str: "a text"}[wanted]
