"""The addresses of the compress page."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from isthmus.errors import UsageError
from isthmus.imaging.windows import Window
from isthmus.studio.answers import as_json, in_thread, number, save_body, while_wanted
from isthmus.studio.compress.comparisons import rivals
from isthmus.studio.compress.judging import error_map, scores
from isthmus.studio.compress.wishes import QUALITY, Wish
from isthmus.studio.events import stream
from isthmus.studio.frame import page
from isthmus.studio.html import options
from isthmus.studio.state import studio
from isthmus.studio.tray import as_bitmap, as_facts, media_type

NAME_LENGTH = 200
FAR = 1 << 20


async def show(request: Request) -> Response:
    """The page."""
    state = studio(request)
    models = await in_thread(state.shelf.for_pictures)
    found = await in_thread(rivals)
    return page(
        "compress",
        models=options((one.key, one.name) for one in models),
        rivals=options([("", "the original alone"), *found], chosen=found[0][0] if found else ""),
    )


async def list_pictures(request: Request) -> Response:
    """The tray."""
    return as_json({"pictures": [as_facts(one) for one in studio(request).tray.all()]})


async def add_picture(request: Request) -> Response:
    """One picture file into the tray; its name is what people call it."""
    state = studio(request)
    path = state.tray.new_path()
    await save_body(request, path, state.settings.limits.picture_bytes)
    name = request.query_params.get("name", "picture")[:NAME_LENGTH]
    return as_json(as_facts(await in_thread(state.tray.add, path, name, limiter=state.slow)))


async def remove_picture(request: Request) -> Response:
    """One picture out of the tray."""
    await in_thread(studio(request).tray.remove, request.path_params["key"])
    return as_json({})


async def thumbnail(request: Request) -> Response:
    """A small PNG of a picture."""
    data = studio(request).tray.thumbnail(request.path_params["key"])
    return Response(data, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


async def original(request: Request) -> Response:
    """A picture's pixels as they are compared."""
    state, key = studio(request), request.path_params["key"]

    def make() -> bytes:
        picture = state.tray.opaque(key)
        return as_bitmap(picture.pixels, picture.icc)

    data = await in_thread(make, limiter=state.quick)
    return Response(data, media_type=media_type(data))


async def events(request: Request) -> Response:
    """Code and decode a picture, told as it goes on."""
    state, query = studio(request), request.query_params
    wish = Wish(query.get("wish", ""), number(query, "value", low=-1000, high=1e12))
    focus = (
        int(number(query, "row", low=0, high=FAR, default=0)),
        int(number(query, "column", low=0, high=FAR, default=0)),
    )
    sent = state.tray.get(query.get("picture", ""))
    is_quick = sent.is_photograph and sent.width * sent.height <= state.quick_pixels and wish.kind == QUALITY
    work = partial(state.comparisons.run, sent.id, query.get("codec", ""), wish, focus)
    return stream(work, state.quick if is_quick else state.slow)


async def pixels(request: Request) -> Response:
    """A part of a decoded picture, or of the map of its error."""
    state, query = studio(request), request.query_params
    judged = state.comparisons.get(request.path_params["key"])
    whole = Window(0, 0, judged.picture.height, judged.picture.width)
    x, y = (int(number(query, name, low=0, high=FAR, default=0)) for name in ("x", "y"))
    width = int(number(query, "width", low=1, high=FAR, default=whole.width))
    height = int(number(query, "height", low=1, high=FAR, default=whole.height))
    part = Window(y, x, height, width).overlap(whole)
    if part is None:
        raise UsageError("this part lies outside of the picture")
    wants_error = query.get("as") == "error"

    def make() -> bytes:
        if wants_error:
            return as_bitmap(error_map(judged))
        return as_bitmap(judged.pixels[part.inside(whole)], state.tray.opaque(judged.picture_id).icc)

    data = await in_thread(make, limiter=state.quick)
    return Response(data, media_type=media_type(data))


async def score(request: Request) -> Response:
    """PSNR and SSIMULACRA2 of a decoded picture."""
    state = studio(request)
    judged = state.comparisons.get(request.path_params["key"])
    return as_json(await while_wanted(request, lambda check: scores(judged), state.slow))


async def download(request: Request) -> Response:
    """A file, or what it decodes to."""
    state, key = studio(request), request.path_params["key"]
    make = state.comparisons.png if request.url.path.endswith("/png") else state.comparisons.full_file
    name, data = await in_thread(make, key, limiter=state.slow)
    return attachment(data, name)


async def zip_events(request: Request) -> Response:
    """All pictures to files in one zip, told as it goes on."""
    state, query = studio(request), request.query_params
    wish = Wish(query.get("wish", ""), number(query, "value", low=-1000, high=1e12))
    return stream(partial(state.comparisons.zip_all, query.get("model", ""), wish), state.slow)


async def zip_file(request: Request) -> Response:
    """A finished zip."""
    path = studio(request).comparisons.zip_path(request.path_params["key"])
    return FileResponse(path, filename="isthmus.zip", media_type="application/zip")


def attachment(data: bytes, name: str) -> Response:
    """A download; the name is harmless, but may hold letters that a header does not."""
    from urllib.parse import quote

    headers = {"Content-Disposition": f"attachment; filename*=utf-8''{quote(name)}"}
    return Response(data, media_type="application/octet-stream", headers=headers)


ROUTES = [
    Route("/", show),
    Route("/compress/pictures", list_pictures),
    Route("/compress/pictures", add_picture, methods=["POST"]),
    Route("/compress/pictures/{key}", remove_picture, methods=["DELETE"]),
    Route("/compress/pictures/{key}/thumbnail", thumbnail),
    Route("/compress/pictures/{key}/original", original),
    Route("/compress/events", events),
    Route("/compress/results/{key}/pixels", pixels),
    Route("/compress/results/{key}/score", score),
    Route("/compress/results/{key}/file", download),
    Route("/compress/results/{key}/png", download),
    Route("/compress/zip", zip_events),
    Route("/compress/zips/{key}", zip_file),
]
