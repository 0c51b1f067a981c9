"""What each setting of a recipe means, and what it may be: for people who change one."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Collection
from dataclasses import dataclass, fields
from functools import cache
from itertools import pairwise
from typing import Any

from isthmus.imaging.noise import KINDS as NOISES
from isthmus.learn.recipes import settings
from isthmus.learn.recipes.loading import SECTIONS
from isthmus.learn.recipes.settings import Recipe

RANGES: dict[str, str] = {
    "data.count": "above 0",
    "data.held_out": "above 0, below 1",
    "data.validation": "0 to below 1",
    "data.take": "0 or more",
    "data.side": "0 or more",
    "model.kind": ", ".join(settings.KINDS),
    "model.height": "above 0",
    "model.width": "above 0",
    "model.channels": "1 or 3",
    "model.hidden": "numbers with commas, each 0 or more",
    "model.decoder_hidden": "numbers with commas, each 0 or more",
    "model.blocks": "1 or more where it counts",
    "model.patch": "2 to 32",
    "model.code": "above 0",
    "model.pooling": "1 or 2",
    "model.code_kernel": "1 or more",
    "model.decoder": ", ".join(settings.DECODERS),
    "model.tile": "0 to 256",
    "model.overlap": "even, 0 to half of model.tile",
    "model.activation": ", ".join(settings.ACTIVATIONS),
    "model.code_activation": ", ".join((*settings.ACTIVATIONS, "linear")),
    "model.output": ", ".join(settings.OUTPUTS),
    "model.initial_weights": ", ".join(settings.INITIAL_WEIGHTS),
    "training.epochs": "above 0",
    "training.batch_size": "above 0",
    "training.loss": ", ".join(settings.LOSSES),
    "training.optimiser": ", ".join(settings.OPTIMISERS),
    "training.learning_rate": "above 0",
    "training.weight_decay": "0 or more",
    "training.momentum": "0 or more",
    "training.rho": "0 or more",
    "training.schedule": ", ".join(settings.SCHEDULES),
    "training.warm_up_steps": "0 or more",
    "training.precision": ", ".join(settings.PRECISIONS),
    "training.patience": "0 or more",
    "rate.weight": "0 or more",
    "coding.default_quality": "1 to 100",
    "coding.default_excess": "above 0",
    "coding.qualities_per_octave": "above 0",
    "coding.weight_bits": "0, or 2 to 16",
    "noise.kind": ", ".join(NOISES),
    "noise.amount": "above 0, at most 1",
    "augmentation.virtual_count": "0 or more",
    "augmentation.share": "0 to 1",
    "augmentation.flip": "0 to 1",
    "augmentation.rotation": "0 or more",
    "augmentation.scale": "0 to 1",
    "augmentation.shift": "0 or more",
    "augmentation.brightness": "0 to 1",
}
"""What a value may be, of every setting that is not any text; a test holds the settings' own checks to it."""


@dataclass(frozen=True)
class Explained:
    """A setting: its key, its value in a recipe and without one, what it may be ("" for any text), what it means."""

    key: str
    value: object
    default: object
    range: str
    meaning: str


def explain(recipe: Recipe) -> list[Explained]:
    """Every setting of a recipe, section by section."""
    return [
        Explained(
            f"{section}.{field.name}",
            getattr(getattr(recipe, section), field.name),
            field.default,
            RANGES.get(f"{section}.{field.name}", ""),
            meanings(section)[field.name],
        )
        for section, kind in SECTIONS.items()
        for field in fields(kind)
    ]


def explain_training(kind: type[Any], *, leaves: Collection[str] = ()) -> list[Explained]:
    """Every setting of a dataclass that says how a recipe without a file is trained.

    Args:
        kind: the dataclass.
        leaves: fields that are no settings.
    """
    said = meanings_of(kind)
    return [
        Explained(f"training.{field.name}", field.default, field.default, "", said[field.name])
        for field in fields(kind)
        if field.name not in leaves
    ]


@cache
def meanings(section: str) -> dict[str, str]:
    """The sentence under each field of a section's dataclass."""
    return meanings_of(SECTIONS[section])


def meanings_of(kind: type[object]) -> dict[str, str]:
    """The sentence under each field of a dataclass."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef)).body
    found = {}
    for field, below in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            found[field.target.id] = " ".join(str(ast.literal_eval(below.value)).split())
    return found
