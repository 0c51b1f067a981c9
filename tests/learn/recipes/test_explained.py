"""What is said of settings is what their checks hold them to."""

from __future__ import annotations

import pytest

from isthmus.errors import UsageError
from isthmus.learn.recipes.explained import RANGES, explain
from isthmus.learn.recipes.loading import all_keys, change_recipe, load_recipe, recipe_names

TEXTS = {"data.source", "data.characters"}


def test_every_setting_has_a_meaning_and_a_range():
    """But those that are any text."""
    assert set(RANGES) | TEXTS == set(all_keys())
    for name in recipe_names():
        assert all(one.meaning for one in explain(load_recipe(name)))


@pytest.mark.parametrize("key", RANGES)
def test_what_is_outside_a_range_is_refused(key):
    """Just below, and above where it ends."""
    recipe, words = load_recipe("glyphs-dense"), RANGES[key]
    outside = {
        "above 0": [0], "0 or more": [-1], "0 to 1": [-1, 2], "above 0, below 1": [0, 1], "0 to below 1": [-1, 1],
        "above 0, at most 1": [0, 2], "1 to 100": [0, 101], "1 or 3": [0, 2, 4], "1 or 2": [0, 3],
        "0 to 256": [-1, 257],
    }.get(words, ["none of them"])  # fmt: skip
    if key in ("model.blocks", "model.patch", "model.code_kernel"):  # of kinds that this recipe is not
        kind = "conv" if key == "model.code_kernel" else "patches"
        recipe = change_recipe(recipe, {"model.height": 32, "model.width": 32, "model.hidden": "8", "model.code": 4})
        recipe = change_recipe(recipe, {"model.kind": kind})
        outside = [0]
    elif key == "model.overlap":
        outside = [3, -2]
    elif key.endswith("hidden"):
        outside = ["-1"]
    for value in outside:
        with pytest.raises(UsageError):
            change_recipe(recipe, {key: value})
