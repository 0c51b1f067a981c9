"""What a studio is started with, and the limits that hold for all that a browser sends."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What is refused before memory or disk is asked for.

    Attributes:
        picture_bytes: of one picture file.
        pictures: in the tray at once.
        tray_bytes: of all picture files in the tray.
        model_bytes: of one model file.
        pack_bytes: of one pack.
        packs: that were sent and are open at once.
        json_bytes: of one message.
        selection: pictures of a pack in one zip.
    """

    picture_bytes: int = 128 * MIB
    pictures: int = 1000
    tray_bytes: int = 1024 * MIB
    model_bytes: int = 256 * MIB
    pack_bytes: int = 1024 * MIB
    packs: int = 8
    json_bytes: int = MIB
    selection: int = 10_000


@dataclass(frozen=True)
class StudioSettings:
    """How a studio is reached and what it may see.

    Attributes:
        host: the address that it listens on.
        port: its port.
        data: the folder of this machine whose pictures, packs and models the page may open; None for none.
        runs: where training leaves its runs.
        token: who knows it may enter.
        limits: of what a browser sends.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    data: Path | None = None
    runs: Path = Path("runs")
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    limits: Limits = Limits()

    @property
    def address(self) -> str:
        """What a browser on this machine opens."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared, not bound
        name = f"[{host}]" if ":" in host else host
        return f"http://{name}:{self.port}/?token={self.token}"
