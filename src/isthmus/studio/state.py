"""All that a running studio holds, made when it starts and found through each request."""

from __future__ import annotations

import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from starlette.requests import Request

from isthmus.studio.settings import StudioSettings

if TYPE_CHECKING:  # loaded when a page first needs them: the first paint does not wait for NumPy and ONNX Runtime
    from isthmus.studio.code.workbench import Workbench
    from isthmus.studio.compress.comparisons import Comparisons
    from isthmus.studio.packs.galleries import Galleries
    from isthmus.studio.shelf import Shelf
    from isthmus.studio.train.runs import Runs
    from isthmus.studio.tray import Tray

QUICK, SLOW = 4, 2
QUICK_PIXELS = 4_000_000


class Studio:
    """The parts of a studio.

    Attributes:
        settings: how it was started.
        quick: threads of work that answers while a slider moves.
        slow: threads of long work, so that it never takes those.
        watching: threads that wait for runs.
        quick_pixels: the largest picture that counts as quick.

    Args:
        settings: how it is started.
    """

    def __init__(self, settings: StudioSettings) -> None:
        self.settings, self.quick_pixels = settings, QUICK_PIXELS
        self.quick, self.slow = anyio.CapacityLimiter(QUICK), anyio.CapacityLimiter(SLOW)
        self.watching = anyio.CapacityLimiter(64)
        self._temporary = tempfile.TemporaryDirectory(prefix="isthmus-studio-")
        self.folder = Path(self._temporary.name)

    def close(self) -> None:
        """Remove what was sent to it."""
        self._temporary.cleanup()

    @cached_property
    def tray(self) -> Tray:
        """Pictures that were sent."""
        from isthmus.studio.tray import Tray

        return Tray(self.folder, self.settings.limits)

    @cached_property
    def shelf(self) -> Shelf:
        """Models."""
        from isthmus.studio.shelf import Shelf

        return Shelf(self.settings.runs, self.settings.data)

    @cached_property
    def comparisons(self) -> Comparisons:
        """What the compress page keeps."""
        from isthmus.studio.compress.comparisons import Comparisons

        return Comparisons(self.tray, self.shelf.load, self.folder)

    @cached_property
    def workbench(self) -> Workbench:
        """What the page of the code keeps."""
        from isthmus.studio.code.workbench import Workbench

        return Workbench(self.shelf, self.settings.data)

    @cached_property
    def runs(self) -> Runs:
        """Runs of training."""
        from isthmus.studio.train.runs import Runs

        return Runs(self.settings.runs)

    @cached_property
    def galleries(self) -> Galleries:
        """Packs that are open."""
        from isthmus.studio.packs.galleries import Galleries

        return Galleries(self.folder, self.settings)


def studio(request: Request) -> Studio:
    """The studio that a request is for."""
    state: Studio = request.app.state.studio
    return state
