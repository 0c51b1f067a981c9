"""Who may ask, and what a page may do."""

from __future__ import annotations

import asyncio
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from isthmus.studio.app import STATIC, build_app
from isthmus.studio.html import PAGES
from isthmus.studio.serving import is_open_to_others, listen
from isthmus.studio.settings import StudioSettings
from tests.studio.conftest import HOME, TOKEN

ADDRESSES = ["/", "/train", "/code", "/packs", "/models", "/static/studio.css", "/compress/pictures", "/nothing"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_nothing_is_shown_without_the_token(stranger, address):
    """Neither pages nor their files nor answers."""
    answer = stranger.get(address)
    assert answer.status_code == 403
    assert "studio.css" not in answer.text


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", TOKEN[:-1], "é", "%00"])
def test_a_wrong_token_is_refused(stranger, token):
    """However near it is to the right one."""
    assert stranger.get("/", params={"token": token}).status_code == 403


def test_the_token_becomes_a_cookie_that_no_script_and_no_other_site_gets(stranger):
    """And it leaves the address, so that it stays out of the history."""
    answer = stranger.get(f"/code?token={TOKEN}&model=a")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/code?model=a"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert stranger.get("/").status_code == 200


def test_the_way_in_never_leads_to_another_host(stranger):
    """An address that begins with two slashes names a host."""
    for path in ("//example.org/", "/\\example.org", "///example.org"):
        answer = stranger.get(f"{HOME}{path}?token={TOKEN}")
        location = answer.headers.get("location", "/")
        assert not re.match(r"[/\\]{2}|https?:", location), location


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "example.org:8765",
        "127.0.0.1:80",
        "127.0.0.1",
        "localhost.example.org:8765",
        "",
        "[",
        "a@127.0.0.1:8765",
    ],
)
def test_another_host_name_is_refused(client, host):
    """A name that someone made to point at this machine."""
    assert client.get("/", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "[::1]:8765"])
def test_this_machines_own_names_are_taken(client, host):
    """Whichever of them the person types."""
    assert client.get("/", headers={"Host": host, "Origin": f"http://{host}"}).status_code == 200


@pytest.mark.parametrize("origin", ["http://example.org", "http://127.0.0.1:1", "https://127.0.0.1:8765", "null", ""])
def test_a_request_of_another_page_is_refused(client, origin):
    """Even with the cookie, even if it only reads."""
    assert client.post("/compress/pictures", headers={"Origin": origin}, content=b"x").status_code == 403
    assert client.get("/compress/pictures", headers={"Origin": origin}).status_code == 403


def test_what_changes_something_says_where_it_comes_from(stranger):
    """A request without an origin only reads."""
    stranger.get(f"/?token={TOKEN}")
    assert stranger.post("/compress/pictures", content=b"x").status_code == 403
    assert stranger.delete("/models/installed/x").status_code == 403
    assert stranger.get("/compress/pictures").status_code == 200
    assert stranger.get("/compress/pictures", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_every_answer_has_the_policy(client, stranger):
    """Refusals and errors too: no script but the studio's own, no frame around it, nothing kept by caches."""
    for answer in (client.get("/"), client.get("/nothing"), client.get("/static/studio.js"), stranger.get("/")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_pages_hold_no_script_or_style_of_their_own_and_name_no_other_host():
    """So that the policy can be strict, and nothing comes from the network."""
    for path in [*PAGES.glob("*.html"), *STATIC.iterdir()]:
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://", text), path.name
        if path.suffix == ".html":
            assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", text), path.name
            assert re.findall(r"<script(?![^>]*\ssrc=)", text) == [], path.name
        if path.suffix == ".js":
            assert not re.search(r"\binnerHTML\b|\bouterHTML\b|insertAdjacentHTML|document\.write|\beval\(", text), (
                path.name
            )


def test_a_page_weighs_little(client):
    """Everything that a first visit loads, 150 kB at most."""
    for name, address in (
        ("compress", "/"),
        ("train", "/train"),
        ("code", "/code"),
        ("packs", "/packs"),
        ("models", "/models"),
    ):
        seen, waiting = {"/static/studio.css", "/static/icon.svg"}, [f"/static/{name}.js"]
        while waiting:
            module = waiting.pop()
            seen.add(module)
            found = re.findall(r'from "\./([\w-]+\.js)"', client.get(module).text)
            waiting += [f"/static/{one}" for one in found if f"/static/{one}" not in seen]
        assert len(client.get(address).content) + sum(len(client.get(one).content) for one in seen) < 150_000


def test_it_listens_on_this_machine_alone_unless_it_is_told_otherwise():
    """And knows when others can reach it."""
    assert StudioSettings().host == "127.0.0.1"
    assert not is_open_to_others(StudioSettings())
    assert not is_open_to_others(StudioSettings(host="localhost"))
    assert is_open_to_others(StudioSettings(host="0.0.0.0"))  # noqa: S104
    assert is_open_to_others(StudioSettings(host="mybox"))


def test_opened_to_others_it_answers_to_addresses_and_still_not_to_foreign_names(settings):
    """Which is what keeps out pages that point a name of theirs at it."""
    everywhere = replace(settings, host="0.0.0.0")  # noqa: S104 - nothing is bound
    with TestClient(build_app(everywhere), follow_redirects=False) as client:
        for host, status in (("192.168.1.7:8765", 303), ("127.0.0.1:8765", 303), ("example.org:8765", 403)):
            assert client.get(f"http://{host}/?token={TOKEN}", headers={"Host": host}).status_code == status


def test_tokens_are_long_and_never_the_same():
    """Whoever starts it twice has two."""
    tokens = {StudioSettings().token for _ in range(50)}
    assert len(tokens) == 50
    assert min(map(len, tokens)) >= 32


def test_small_answers_are_sent_at_once(settings):
    """Connections have TCP_NODELAY: without it each move of a slider waits 40 ms for an acknowledgement."""

    async def has_no_delay() -> bool:
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def look(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            found.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with listen(replace(settings, port=0)) as listening:
            async with await asyncio.start_server(look, sock=listening):
                _, writer = await asyncio.open_connection(*listening.getsockname())
                writer.close()
                return bool(await found)

    with ThreadPoolExecutor(1) as thread:  # a loop of its own: the browser's tests leave one running in this thread
        assert thread.submit(asyncio.run, has_no_delay()).result(timeout=60)
