"""The studio on its port: bound before anything is printed, closed with Ctrl-C."""

from __future__ import annotations

import ipaddress
import socket
import webbrowser
from threading import Timer

import uvicorn

from isthmus.errors import OutputError
from isthmus.studio.app import build_app
from isthmus.studio.settings import StudioSettings

SECONDS_TO_OPEN = 0.2
SECONDS_TO_CLOSE = 1


def listen(settings: StudioSettings) -> socket.socket:
    """The open port.

    Raises:
        OutputError: it is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # named as TCP, since asyncio sends small answers at once (TCP_NODELAY) on such sockets alone: else they wait 40 ms
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((settings.host, settings.port))
        opened.listen(128)
    except OSError as error:
        opened.close()
        raise OutputError(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}; --port N takes another"
        ) from error
    return opened


def serve(settings: StudioSettings, listening: socket.socket, *, open_browser: bool) -> None:
    """Answer until Ctrl-C."""
    config = uvicorn.Config(
        build_app(settings),
        log_level="warning",
        access_log=False,  # addresses hold the token
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=SECONDS_TO_CLOSE,  # streams of events never end by themselves
    )
    if open_browser:
        opener = Timer(SECONDS_TO_OPEN, webbrowser.open, [settings.address])
        opener.daemon = True
        opener.start()
    uvicorn.Server(config).run(sockets=[listening])


def is_open_to_others(settings: StudioSettings) -> bool:
    """Whether other machines can reach it."""
    if settings.host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        return True
