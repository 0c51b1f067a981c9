"""The addresses of the train page."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from isthmus.errors import UsageError
from isthmus.studio.answers import Check, NotThereError, as_json, in_thread, number, read_json
from isthmus.studio.events import Report, stream
from isthmus.studio.folders import inside
from isthmus.studio.frame import page
from isthmus.studio.html import element, joined, options
from isthmus.studio.state import Studio, studio
from isthmus.studio.train.processes import Asked
from isthmus.studio.train.runs import Runs
from isthmus.studio.train.settings_shown import can_train, offered_settings, recipes

SECONDS_BETWEEN_LOOKS = 0.3
OWN_SOURCES = ("", "glyphs", "mnist")
MOST_WATCHED = 12


async def show(request: Request) -> Response:
    """The page."""
    state = studio(request)
    names = await in_thread(recipes)
    fields = joined(
        element(
            "label",
            element("span", one.key),
            element("input", name=one.key, autocomplete="off"),
            element("small", one.meaning),
        )
        for one in offered_settings()
    )
    return page(
        "train",
        recipes=options((one["name"], one["name"]) for one in names),
        settings=fields,
        can_train="true" if can_train() else "false",
        has_data="true" if state.settings.data is not None else "false",
        runs_folder=str(state.settings.runs),
    )


async def list_recipes(request: Request) -> Response:
    """All recipes with the values of their settings."""
    del request
    return as_json({"recipes": await in_thread(recipes)})


async def list_runs(request: Request) -> Response:
    """All runs of the folder."""
    state = studio(request)
    found = await in_thread(state.runs.all, limiter=state.watching)
    return as_json({"runs": [vars(run) for run in found]})


async def start(request: Request) -> Response:
    """Start a run or a sweep."""
    state = studio(request)
    if not can_train():
        raise UsageError("training needs more packages: pip install 'isthmus[train]'")
    message = await read_json(request, state.settings.limits.json_bytes)
    asked = _asked(state, message)
    return as_json({"name": await in_thread(state.runs.start, asked)})


async def stop(request: Request) -> Response:
    """Ask a run to end."""
    state = studio(request)
    await in_thread(state.runs.stop, request.query_params.get("run", ""))
    return as_json({})


async def go_on(request: Request) -> Response:
    """Start a stopped run again where it was."""
    state, query = studio(request), request.query_params
    epochs = int(number(query, "epochs", low=0, high=1e6, default=0))
    await in_thread(state.runs.go_on, query.get("run", ""), epochs)
    return as_json({})


async def events(request: Request) -> Response:
    """The runs of the query, as they grow: an event "run" whenever one of them has something new."""
    state = studio(request)
    names = request.query_params.getlist("run")[:MOST_WATCHED]
    return stream(partial(_watch, state.runs, names), state.watching)


async def picture(request: Request) -> Response:
    """The ten pictures of an epoch."""
    state, query = studio(request), request.query_params
    epoch = int(number(query, "epoch", low=1, high=1e6))
    data = await in_thread(state.runs.picture, query.get("run", ""), epoch)
    return Response(data, media_type="image/png")


def _watch(runs: Runs, names: list[str], report: Report, check: Check) -> None:
    """Until the page goes: a stream that says nothing would not notice that."""
    seen: dict[str, Any] = {}
    while True:
        for name in names:
            try:
                mark = runs.mark(name)
                if seen.get(name) != mark:
                    seen[name] = mark
                    report("run", runs.shown(name))
            except NotThereError:
                if name in seen:
                    del seen[name]
                    report("gone", {"name": name})
        check()
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _asked(state: Studio, message: dict[str, Any]) -> Asked:
    """What a form asks for, all of it as text.

    Raises:
        UsageError: something else.
    """
    settings = message.get("settings", [])
    if not isinstance(settings, list) or any(not isinstance(one, str) or one.startswith("-") for one in settings):
        raise UsageError("settings are a list of KEY=VALUE")
    recipe, data, vary = (str(message.get(name, "")) for name in ("recipe", "data", "vary"))
    if recipe not in [one["name"] for one in recipes()]:
        raise UsageError(f"no recipe {recipe[:40]!r}")
    source = data if data in OWN_SOURCES else str(inside(state.settings.data, data))
    return Asked(
        recipe=recipe,
        data=source,
        epochs=int(number(message, "epochs", low=0, high=1e6, default=0)),
        settings=tuple(settings),
        vary=vary.lstrip("-"),
        seed=int(number(message, "seed", low=0, high=2**31, default=0)),
    )


ROUTES = [
    Route("/train", show),
    Route("/train/recipes", list_recipes),
    Route("/train/runs", list_runs),
    Route("/train/start", start, methods=["POST"]),
    Route("/train/stop", stop, methods=["POST"]),
    Route("/train/go-on", go_on, methods=["POST"]),
    Route("/train/events", events),
    Route("/train/picture", picture),
]
