"""The recipes and the few settings that the page offers, with the meaning that the settings' own sources give them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from isthmus.learn.recipes.explained import meanings
from isthmus.learn.recipes.loading import load_recipe, recipe_names

OFFERED = (
    "model.code", "model.hidden", "training.batch_size", "training.learning_rate", "noise.kind", "noise.amount",
    "rate.weight",
)  # fmt: skip
"""Keys of the form; every other one can be written as KEY=VALUE."""
QUICK_START = "glyphs-dense"
"""The recipe that is chosen first: no download, a minute."""


@dataclass(frozen=True)
class Offered:
    """A setting of the form."""

    key: str
    meaning: str


def can_train() -> bool:
    """Whether the packages of the extra "train" are there; they are not loaded."""
    return all(find_spec(name) is not None for name in ("torch", "lightning_fabric", "onnx"))


def offered_settings() -> list[Offered]:
    """The settings of the form."""
    return [Offered(key, meanings(key.split(".")[0])[key.split(".")[1]]) for key in OFFERED]


def recipes() -> list[dict[str, Any]]:
    """Every recipe: name, summary, data, epochs, and the values of the settings of the form."""
    found = []
    for name in recipe_names():
        recipe = load_recipe(name)
        values = {}
        for key in OFFERED:
            section, field = key.split(".")
            value = getattr(getattr(recipe, section), field)
            values[key] = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        found.append(
            {
                "name": name,
                "summary": recipe.summary,
                "data": recipe.data.source,
                "epochs": recipe.training.epochs,
                "values": values,
            }
        )
    return sorted(found, key=lambda recipe: recipe["name"] != QUICK_START)
