"""`isthmus recipes`."""

from __future__ import annotations

from isthmus.cli.options import AsJson

EXAMPLE = "Example: isthmus recipes"


def recipes(as_json: AsJson = False) -> None:
    """List the named experiments."""
    from isthmus.cli.output import print_json, say
    from isthmus.learn.recipes.loading import load_recipe, recipe_names, recipe_to_table
    from isthmus.learn.recipes.photo import PHOTO, PHOTO_SUMMARY

    loaded = [load_recipe(name) for name in recipe_names()]
    if as_json:
        print_json({"recipes": [recipe_to_table(recipe) for recipe in loaded]})
        return
    width = max(len(recipe.name) for recipe in loaded)
    say(f"{PHOTO:{width}}  {PHOTO_SUMMARY}")
    for recipe in loaded:
        say(f"{recipe.name:{width}}  {recipe.summary}")
    say("isthmus train RECIPE runs one; --set section.key=value changes it (isthmus recipes --json shows every key).")
