"""Who may ask: a token, the studio's own Host and Origin; and what a page may do: a strict content policy."""

from __future__ import annotations

import ipaddress
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isthmus.studio.settings import StudioSettings

SAFE_METHODS = frozenset({"GET", "HEAD"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """Answers what is not allowed, before any route sees it; adds the headers to every answer.

    Args:
        app: what answers the rest.
        settings: token, host and port.
    """

    def __init__(self, app: ASGIApp, settings: StudioSettings) -> None:
        self._app, self._settings = app, settings
        self.cookie = f"isthmus-studio-{settings.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # a web socket, which no page opens
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer = self._answer(Request(scope)) or self._app
        await answer(scope, receive, send_with_headers)

    def _answer(self, request: Request) -> Response | None:
        """A refusal, or the way in; None where the request is in order."""
        headers = request.headers
        if not self._is_own_host(headers.get("host", "")):
            return _refused("This address is not the studio's: open the one that it printed when it started.")
        if not _is_own_origin(request.method, headers):
            return _refused("The request comes from another page.")
        offered = request.query_params.get("token")
        if offered is not None and self._is_token(offered):
            return self._let_in(request)
        if offered is not None or not self._has_cookie(headers):
            return _refused("Open the address that isthmus studio printed when it started: it ends in a token.")
        return None

    def _let_in(self, request: Request) -> Response:
        """The token goes into a cookie, and out of the address."""
        rest = urlencode([(key, value) for key, value in request.query_params.multi_items() if key != "token"])
        path = "/" + request.url.path.lstrip("/\\")  # never a host of its own
        answer = RedirectResponse(f"{path}?{rest}" if rest else path, status_code=303)
        answer.set_cookie(self.cookie, self._settings.token, httponly=True, samesite="strict", path="/")
        return answer

    def _has_cookie(self, headers: Headers) -> bool:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        return found is not None and self._is_token(found.value)

    def _is_token(self, offered: str) -> bool:
        return secrets.compare_digest(offered.encode("utf-8", "replace"), self._settings.token.encode())

    def _is_own_host(self, host: str) -> bool:
        """Names can be made to point here by anyone (DNS rebinding): only this machine's own, and plain addresses."""
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname or "", parts.port or 80
        except ValueError:
            return False
        if parts.path or parts.query or "@" in host or port != self._settings.port:
            return False
        if name in ("localhost", self._settings.host.lower()):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not ipaddress.ip_address(_numeric(self._settings.host)).is_loopback


def _numeric(host: str) -> str:
    """The host if it is an address; a name other than localhost stands for one that others reach."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return "127.0.0.1" if host == "localhost" else "0.0.0.0"  # noqa: S104 - compared, not bound


def _is_own_origin(method: str, headers: Headers) -> bool:
    """What changes something names the page that it comes from, and that page is the studio's."""
    origin, own = headers.get("origin"), f"http://{headers.get('host', '')}"
    if origin is not None:
        return origin == own
    if method not in SAFE_METHODS:
        return False
    is_navigation = headers.get("sec-fetch-mode") == "navigate"
    return is_navigation or headers.get("sec-fetch-site", "none") in ("same-origin", "none")


def _refused(why: str) -> Response:
    page = (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Isthmus studio</title>"
        f"<h1>Not allowed</h1><p>{why}</p></html>"
    )
    return HTMLResponse(page, status_code=403)
