"""`isthmus recipes`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.options import AsJson

if TYPE_CHECKING:
    from isthmus.learn.recipes.explained import Explained

EXAMPLE = "Example: isthmus recipes digits-dense"


def recipes(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Explain each setting of this recipe, or of a .toml file."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the named experiments, or the settings of one."""
    from isthmus.cli.output import print_json, say
    from isthmus.learn.recipes.loading import load_recipe, recipe_names, recipe_to_table
    from isthmus.learn.recipes.photo import DENOISE, DENOISE_SUMMARY, OWN, OWN_SUMMARY, PHOTO, PHOTO_SUMMARY

    timed = {PHOTO: PHOTO_SUMMARY, OWN: OWN_SUMMARY, DENOISE: DENOISE_SUMMARY}
    if name in timed:
        _explain_timed(name, timed[name], as_json=as_json)
        return
    if name is not None:
        _explain(name, as_json=as_json)
        return
    loaded = [load_recipe(known) for known in recipe_names()]
    if as_json:
        print_json({"recipes": [recipe_to_table(recipe) for recipe in loaded]})
        return
    width = max(len(recipe.name) for recipe in loaded)
    for own, summary in ((OWN, OWN_SUMMARY), (PHOTO, PHOTO_SUMMARY), (DENOISE, DENOISE_SUMMARY)):
        say(f"{own:{width}}  {summary}")
    for recipe in loaded:
        say(f"{recipe.name:{width}}  {recipe.summary}")
    say("'isthmus train RECIPE' runs one, 'isthmus recipes NAME' explains its settings, --set KEY=VALUE changes one.")


def _explain(name: str, *, as_json: bool) -> None:
    from isthmus.learn.recipes.explained import explain
    from isthmus.learn.recipes.loading import load_recipe

    recipe = load_recipe(name)
    _tell(name, recipe.name, recipe.summary, explain(recipe), as_json=as_json)


def _explain_timed(name: str, summary: str, *, as_json: bool) -> None:
    """Of a recipe without a file, whose settings are those of its training."""
    from isthmus.learn.denoiser.settings import Training as OfDenoiser
    from isthmus.learn.hyperprior.own.settings import NOT_SET, OwnTraining
    from isthmus.learn.hyperprior.training.settings import Training as OfPhoto
    from isthmus.learn.recipes.explained import explain_training
    from isthmus.learn.recipes.photo import DENOISE, OWN

    kind = {OWN: OwnTraining, DENOISE: OfDenoiser}.get(name, OfPhoto)
    settings = explain_training(kind, leaves=NOT_SET if kind is OwnTraining else ())
    _tell(name, name, summary, settings, as_json=as_json)


def _tell(asked: str, name: str, summary: str, settings: list[Explained], *, as_json: bool) -> None:
    from isthmus.cli.output import print_json, say

    if as_json:
        print_json({"name": name, "summary": summary, "settings": [asdict(one) for one in settings]})
        return
    say(f"{name}: {summary}")
    for one in settings:
        value, default = _written(one.value), _written(one.default)
        told = [f"default {default}"] if value != default else []
        told += [one.range] if one.range else []
        say(f"{one.key}={value}" + (f"  ({'; '.join(told)})" if told else ""))
        say(f"    {one.meaning}")
    say(f"'isthmus train {asked} --set KEY=VALUE' changes one.")


def _written(value: object) -> str:
    """As --set and a command line write it."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
