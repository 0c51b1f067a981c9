"""The addresses of the page on which a code is touched."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from isthmus.errors import UsageError
from isthmus.imaging.noise import KINDS
from isthmus.studio.answers import as_json, in_thread, number, read_body, read_json
from isthmus.studio.code.workbench import SPRITE_COLUMNS, Bench, Samples
from isthmus.studio.frame import page
from isthmus.studio.html import options
from isthmus.studio.state import Studio, studio
from isthmus.values import Picture

DECIMALS = 5


async def show(request: Request) -> Response:
    """The page; where there is no plain model it says how to get one."""
    state = studio(request)
    models = await in_thread(state.shelf.plain)
    return page(
        "code",
        models=options(
            ((one.key, f"{one.name} ({one.place})") for one in models), chosen=request.query_params.get("model")
        ),
        noises=options((kind, "none" if kind == "none" else kind.replace("-", " ")) for kind in KINDS),
        with_models="true" if models else "false",
    )


async def describe(request: Request) -> Response:
    """A model's sizes, its noise, the data that it learnt from."""
    bench = await _bench(request)
    height, width = bench.spec.size or (0, 0)
    return as_json(
        {
            "name": bench.model.name,
            "height": height,
            "width": width,
            "channels": bench.spec.channels,
            "numbers": bench.numbers,
            "shape": list(bench.shape),
            "quality": bench.model.file.default_quality,
            "noise": bench.noise,
            "source": bench.source,
        }
    )


async def encode(request: Request) -> Response:
    """Pixels, with noise or without: their code, what comes back of it, the bytes of its file."""
    state, bench, query = studio(request), await _bench(request), request.query_params
    quality = number(query, "quality", low=1, high=100, default=bench.model.file.default_quality)
    kind, amount = query.get("noise", "none"), number(query, "amount", low=0.001, high=1, default=0.1)
    seed = int(number(query, "seed", low=0, high=2**31, default=0))
    body = await read_body(request, state.settings.limits.json_bytes)

    def work() -> dict[str, Any]:
        picture = bench.picture(body)
        if kind != "none":
            picture = bench.noisy(picture, kind, amount, seed)
        return _answer(bench, bench.code_of(picture), quality) | {"input": _text(picture.pixels)}

    return as_json(await in_thread(work, limiter=state.quick))


async def decode(request: Request) -> Response:
    """A code, or a point of the map: the picture that it stands for and the bytes of its file."""
    state, bench = studio(request), await _bench(request)
    message = await read_json(request, 4 * state.settings.limits.json_bytes)
    quality = number(message, "quality", low=1, high=100, default=bench.model.file.default_quality)

    def work() -> dict[str, Any]:
        if "code" in message:
            return _answer(bench, _code(bench, message["code"]), quality)
        x, y = (number(message, name, low=-1e9, high=1e9) for name in ("x", "y"))
        source, kind = str(message.get("source", "")), str(message.get("map", "pca"))
        return _answer(bench, bench.code_at(source, state.workbench.data, kind, x, y), quality)

    return as_json(await in_thread(work, limiter=state.quick))


async def fit_picture(request: Request) -> Response:
    """A picture file at the model's size, as pixels to go on with."""
    state, bench = studio(request), await _bench(request)
    body = await read_body(request, state.settings.limits.picture_bytes)
    picture: Picture = await in_thread(bench.fitted, body, limiter=state.slow)
    return as_json({"pixels": _text(picture.pixels)})


async def samples(request: Request) -> Response:
    """Pictures with codes, their points on a map, and the range of each number."""
    state, bench, query = studio(request), await _bench(request), request.query_params
    source, kind = query.get("source", ""), query.get("map", "pca")

    def work() -> dict[str, Any]:
        found: Samples = bench.samples(source, state.workbench.data)
        points = bench.map(source, state.workbench.data, kind)
        return {
            "points": np.round(points, 4).tolist(),
            "labels": None if found.labels is None else found.labels.tolist(),
            "low": np.round(found.codes.min(axis=0), DECIMALS).tolist(),
            "high": np.round(found.codes.max(axis=0), DECIMALS).tolist(),
            "columns": SPRITE_COLUMNS,
        }

    return as_json(await in_thread(work, limiter=state.slow))


async def sprite(request: Request) -> Response:
    """All samples in one PNG."""
    state, bench = studio(request), await _bench(request)
    source = request.query_params.get("source", "")
    data = await in_thread(bench.sprite, source, state.workbench.data, limiter=state.slow)
    return Response(data, media_type="image/png")


async def sample(request: Request) -> Response:
    """One sample's pixels and code."""
    state, bench = studio(request), await _bench(request)
    source = request.query_params.get("source", "")
    found = await in_thread(bench.samples, source, state.workbench.data, limiter=state.slow)
    index = int(number(request.query_params, "index", low=0, high=len(found.pictures) - 1))
    return as_json({"pixels": _text(found.pictures[index]), "code": np.round(found.codes[index], DECIMALS).tolist()})


async def _bench(request: Request) -> Bench:
    state: Studio = studio(request)
    return await in_thread(state.workbench.bench, request.path_params["key"], limiter=state.quick)


def _code(bench: Bench, values: Any) -> NDArray[np.float32]:
    """A code of a message.

    Raises:
        UsageError: not so many finite numbers.
    """
    try:
        code = np.asarray(values, np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError("a code is a list of numbers") from error
    if code.shape != (bench.numbers,) or not np.isfinite(code).all():
        raise UsageError(f"a code of {bench.model.name} is {bench.numbers} finite numbers")
    return code


def _answer(bench: Bench, code: NDArray[np.float32], quality: float) -> dict[str, Any]:
    data = bench.file_of(code, quality)
    return {
        "code": [round(value, DECIMALS) for value in code.tolist()],
        "pixels": _text(bench.decode(code)),
        "bytes": len(data),
    }


def _text(pixels: NDArray[np.uint8]) -> str:
    return base64.b64encode(pixels.tobytes()).decode()


ROUTES = [
    Route("/code", show),
    Route("/code/{key}", describe),
    Route("/code/{key}/encode", encode, methods=["POST"]),
    Route("/code/{key}/decode", decode, methods=["POST"]),
    Route("/code/{key}/fit", fit_picture, methods=["POST"]),
    Route("/code/{key}/samples", samples),
    Route("/code/{key}/sprite", sprite),
    Route("/code/{key}/sample", sample),
]
