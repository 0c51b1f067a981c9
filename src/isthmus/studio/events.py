"""Server-Sent Events: work in a thread that reports as it goes on, and stops when the page closes the stream."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
from anyio import to_thread
from anyio.streams.memory import MemoryObjectSendStream
from starlette.responses import StreamingResponse

from isthmus.errors import IsthmusError
from isthmus.studio.answers import Check, GoneError, finite

logger = logging.getLogger(__name__)

Report = Callable[[str, dict[str, Any]], None]
"""Sends an event: its name and its facts."""
WAITING = 64
"""Events that may wait for a slow reader before the work waits too."""


def event(name: str, facts: dict[str, Any]) -> str:
    """One event as it stands in the stream."""
    return f"event: {name}\ndata: {json.dumps(finite(facts))}\n\n"


def stream(work: Callable[[Report, Check], None], limiter: anyio.CapacityLimiter) -> StreamingResponse:
    """The events of work in a thread; an error of Isthmus is the event "failed", the end is "end"."""
    return StreamingResponse(_events(work, limiter), media_type="text/event-stream")


async def _events(work: Callable[[Report, Check], None], limiter: anyio.CapacityLimiter) -> AsyncIterator[str]:
    gone = threading.Event()
    into, out = anyio.create_memory_object_stream[str](WAITING)

    def check() -> None:
        if gone.is_set():
            raise GoneError

    async def run() -> None:
        async with into:
            try:
                await to_thread.run_sync(_guarded, work, into, check, limiter=limiter)
            except GoneError:
                return
            except IsthmusError as error:
                await into.send(event("failed", {"error": " ".join(str(error).split())}))
            except Exception:
                logger.exception("a page's work failed")
                await into.send(event("failed", {"error": "this should not have happened: the studio's log says more"}))
            await into.send(event("end", {}))

    yield "retry: 3600000\n\n"  # a page that wants to go on asks anew
    async with anyio.create_task_group() as group:
        group.start_soon(run)
        try:
            async with out:
                async for one in out:
                    yield one
        finally:
            gone.set()  # before the group waits for the thread


def _guarded(work: Callable[[Report, Check], None], into: MemoryObjectSendStream[str], check: Check) -> None:
    def report(name: str, facts: dict[str, Any]) -> None:
        check()
        try:
            anyio.from_thread.run(into.send, event(name, facts))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise GoneError from error

    check()
    work(report, check)
