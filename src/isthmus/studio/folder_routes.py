"""What of this machine a page may open, as a list: folders, and files of a kind."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from isthmus.studio.answers import as_json, in_thread
from isthmus.studio.folders import entries
from isthmus.studio.state import studio

SUFFIXES = {"packs": ".isthpack", "models": ".isthmus"}


async def list_folder(request: Request) -> Response:
    """Folders below a folder, and files of a kind."""
    state, query = studio(request), request.query_params
    suffix = SUFFIXES.get(query.get("kind", ""))
    found = await in_thread(lambda: entries(state.settings.data, query.get("path", ""), suffix=suffix))
    return as_json({"entries": [vars(entry) for entry in found]})


ROUTES = [Route("/folders", list_folder)]
