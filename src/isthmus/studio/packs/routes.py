"""The addresses of the packs page."""

from __future__ import annotations

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from isthmus.errors import UsageError
from isthmus.studio.answers import as_json, in_thread, number, read_json, save_body, while_wanted
from isthmus.studio.frame import page
from isthmus.studio.packs.galleries import LARGEST_CELL, MOST_OF_SHEET
from isthmus.studio.state import studio

FAR = 1 << 40


async def show(request: Request) -> Response:
    """The page."""
    return page("packs", has_data="true" if studio(request).settings.data is not None else "false")


async def open_pack(request: Request) -> Response:
    """A pack below the data folder, or one that is sent."""
    state = studio(request)
    name = request.query_params.get("path")
    if name is not None:
        key = await in_thread(state.galleries.open_below_data, name, limiter=state.slow)
    else:
        path = state.galleries.new_path()
        await save_body(request, path, state.settings.limits.pack_bytes)
        key = await in_thread(state.galleries.open_sent, path, limiter=state.slow)
    return as_json(await in_thread(state.galleries.describe, key, limiter=state.slow))


async def sheet(request: Request) -> Response:
    """Pictures of a pack, side by side in one bitmap."""
    state, query, key = studio(request), request.query_params, request.path_params["key"]
    first = int(number(query, "first", low=0, high=FAR))
    count = int(number(query, "count", low=1, high=MOST_OF_SHEET))
    side = int(number(query, "side", low=8, high=LARGEST_CELL, default=96))
    data, width, height = await while_wanted(
        request, lambda check: state.galleries.sheet(key, first, count, side, check), state.quick
    )
    return Response(data, media_type="image/bmp", headers={"X-Cell": f"{width},{height}"})


async def picture(request: Request) -> Response:
    """One picture."""
    state, index = studio(request), request.path_params["index"]
    data = await in_thread(state.galleries.png, request.path_params["key"], index, limiter=state.quick)
    return Response(data, media_type="image/png")


async def facts(request: Request) -> Response:
    """What there is to say of one picture."""
    state, index = studio(request), request.path_params["index"]
    return as_json(await in_thread(state.galleries.facts, request.path_params["key"], index, limiter=state.quick))


async def find(request: Request) -> Response:
    """Pictures by name."""
    state, key = studio(request), request.path_params["key"]
    text = request.query_params.get("name", "")[:1024]
    found = await while_wanted(request, lambda check: state.galleries.find(key, text, check), state.slow)
    return as_json({"found": found})


async def download(request: Request) -> Response:
    """Chosen pictures: one as it is, several as a zip."""
    state, key = studio(request), request.path_params["key"]
    message = await read_json(request, state.settings.limits.json_bytes)
    chosen = message.get("indices")
    if not isinstance(chosen, list) or not chosen or any(not isinstance(one, int) for one in chosen):
        raise UsageError("choose one picture or more")
    form = "isth" if message.get("form") == "isth" else "png"
    path = await while_wanted(request, lambda check: state.galleries.zip_of(key, chosen, form, check), state.slow)
    return FileResponse(
        path,
        filename="pictures.zip",
        media_type="application/zip",
        background=BackgroundTask(path.unlink, missing_ok=True),
    )


ROUTES = [
    Route("/packs", show),
    Route("/packs", open_pack, methods=["POST"]),
    Route("/packs/{key}/sheet", sheet),
    Route("/packs/{key}/find", find),
    Route("/packs/{key}/download", download, methods=["POST"]),
    Route("/packs/{key}/pictures/{index:int}", picture),
    Route("/packs/{key}/pictures/{index:int}/facts", facts),
]
