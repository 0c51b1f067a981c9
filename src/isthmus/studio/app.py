"""The application: routes of all pages behind the guard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from isthmus.errors import IsthmusError
from isthmus.studio.answers import GoneError, as_answer, as_silence
from isthmus.studio.security import Guard
from isthmus.studio.settings import StudioSettings
from isthmus.studio.state import Studio

STATIC = Path(__file__).parent / "static"


def build_app(settings: StudioSettings) -> Starlette:
    """The studio as an ASGI application.

    Args:
        settings: how it is reached and what it may see.
    """
    state = Studio(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        state.close()

    app = Starlette(
        routes=_routes(),
        middleware=[Middleware(Guard, settings=settings)],
        exception_handlers={IsthmusError: as_answer, GoneError: as_silence, ClientDisconnect: as_silence},
        lifespan=lifespan,
    )
    app.state.studio = state
    return app


def _routes() -> list[BaseRoute]:
    from isthmus.studio.code.routes import ROUTES as CODE
    from isthmus.studio.compress.routes import ROUTES as COMPRESS
    from isthmus.studio.folder_routes import ROUTES as FOLDERS
    from isthmus.studio.models.routes import ROUTES as MODELS
    from isthmus.studio.packs.routes import ROUTES as PACKS
    from isthmus.studio.train.routes import ROUTES as TRAIN

    return [*COMPRESS, *TRAIN, *CODE, *PACKS, *MODELS, *FOLDERS, Mount("/static", StaticFiles(directory=STATIC))]
