"""What routes share: bodies within limits, errors as a line of JSON, work in threads that ends when nobody waits."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import anyio
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from isthmus.errors import IsthmusError, LimitError, ModelNotFoundError, UsageError

Result = TypeVar("Result")
Check = Callable[[], None]
"""Called between two steps of long work: raises `GoneError` where nobody waits for it any more."""

BAD_REQUEST, NOT_FOUND, TOO_LARGE, GONE = 400, 404, 413, 499


class GoneError(Exception):
    """Whoever asked has left."""


class NotThereError(IsthmusError, LookupError):
    """A page asks for something that is not there (any more)."""


def as_answer(request: Request, error: Exception) -> Response:
    """An error of Isthmus as JSON: one line that says what was found and what to do."""
    del request
    status = BAD_REQUEST
    if isinstance(error, NotThereError | ModelNotFoundError):
        status = NOT_FOUND
    elif isinstance(error, LimitError):
        status = TOO_LARGE
    return JSONResponse({"error": " ".join(str(error).split())}, status_code=status)


def as_silence(request: Request, error: Exception) -> Response:
    """The answer to someone who has left."""
    del request, error
    return Response(status_code=GONE)


def as_json(value: Any) -> JSONResponse:
    """JSON in which a number that is none, such as the PSNR of equal pictures, is null."""
    return JSONResponse(finite(value))


def finite(value: Any) -> Any:
    """The same with None for infinities and NaN, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return value


async def read_body(request: Request, limit: int) -> bytes:
    """A whole body.

    Raises:
        LimitError: more than `limit` bytes; no more were read.
    """
    parts, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        _check_size(size, limit)
        parts.append(chunk)
    return b"".join(parts)


async def save_body(request: Request, path: Path, limit: int) -> int:
    """A whole body into a new file; its bytes. Nothing is left of one that is too large or breaks off.

    Raises:
        LimitError: more than `limit` bytes.
    """
    size = 0
    try:
        async with await anyio.open_file(path, "xb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                _check_size(size, limit)
                await file.write(chunk)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return size


async def read_json(request: Request, limit: int) -> dict[str, Any]:
    """A JSON object.

    Raises:
        UsageError: something else.
        LimitError: too long.
    """
    body = await read_body(request, limit)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the message is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UsageError("the message is not a JSON object")
    return value


async def in_thread(
    work: Callable[..., Result], *arguments: Any, limiter: anyio.CapacityLimiter | None = None
) -> Result:
    """Work that computes or waits for a disk, beside the loop that answers."""
    return await to_thread.run_sync(lambda: work(*arguments), limiter=limiter)


async def while_wanted(request: Request, work: Callable[[Check], Result], limiter: anyio.CapacityLimiter) -> Result:
    """Work in a thread that is told when the browser no longer waits; the body was read before.

    Raises:
        GoneError: it does not.
    """
    gone = threading.Event()

    def check() -> None:
        if gone.is_set():
            raise GoneError

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone.set()

    def guarded() -> Result:
        check()
        return work(check)

    outcome: list[Result] = []
    failure: list[Exception] = []
    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        try:
            outcome.append(await to_thread.run_sync(guarded, limiter=limiter))
        except Exception as error:  # raised again outside of the group, which would wrap it
            failure.append(error)
        group.cancel_scope.cancel()
    if failure:
        raise failure[0]
    return outcome[0]


def number(values: Any, name: str, *, low: float, high: float, default: float | None = None) -> float:
    """A number of a query or a message.

    Raises:
        UsageError: missing without a default, none, or out of range.
    """
    text = values.get(name)
    if text in (None, ""):
        if default is not None:
            return default
        raise UsageError(f"{name} is missing")
    try:
        value = float(text)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"{name} is a number, not {str(text)[:40]!r}") from error
    if not low <= value <= high:
        raise UsageError(f"{name} is from {low:g} to {high:g}, not {value:g}")
    return value


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise LimitError(f"more than {limit >> 20 or 1} MiB were sent: that is the limit")
