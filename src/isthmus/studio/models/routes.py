"""The addresses of the models page."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from isthmus.studio.answers import as_json, in_thread, save_body
from isthmus.studio.frame import page
from isthmus.studio.models.catalogue import add, catalogue, need_of, new_path, remove
from isthmus.studio.state import studio
from isthmus.zoo.finding import models_folder


async def show(request: Request) -> Response:
    """The page."""
    del request
    return page("models", folder=str(models_folder()))


async def list_models(request: Request) -> Response:
    """What is installed."""
    del request
    return as_json({"models": await in_thread(catalogue)})


async def add_model(request: Request) -> Response:
    """Install a model that is sent."""
    state = studio(request)
    path = new_path(state.folder)
    await save_body(request, path, state.settings.limits.model_bytes)
    return as_json(await in_thread(add, path, request.query_params.get("name", "model"), limiter=state.slow))


async def remove_model(request: Request) -> Response:
    """Remove an installed model."""
    await in_thread(remove, request.path_params["name"])
    return as_json({})


async def need(request: Request) -> Response:
    """Which model a file needs."""
    state = studio(request)
    path = new_path(state.folder)
    await save_body(request, path, state.settings.limits.pack_bytes)
    return as_json(await in_thread(need_of, path, limiter=state.slow))


ROUTES = [
    Route("/models", show),
    Route("/models/installed", list_models),
    Route("/models/installed", add_model, methods=["POST"]),
    Route("/models/installed/{name}", remove_model, methods=["DELETE"]),
    Route("/models/need", need, methods=["POST"]),
]
