"""A pack behind an http address is read by ranges, without a package for that."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from isthmus.errors import InputError
from isthmus.packs.pack import Pack
from tests.conftest import GOLDEN_1

PACK = (GOLDEN_1 / "two.isthpack").read_bytes()


class _Ranges(BaseHTTPRequestHandler):
    """Gives ranges of one file; all of it where the path says so."""

    def do_GET(self):
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
        if self.path == "/none":
            self.send_error(404)
            return
        if self.path == "/whole":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(PACK)
            return
        start, end = int(asked[1]), min(int(asked[2]), len(PACK) - 1)
        part = PACK[start : end + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{end}/{len(PACK)}")
        self.end_headers()
        self.wfile.write(part[: len(part) // 2] if self.path == "/cut" else part)

    def log_message(self, *_):
        """Silent."""


@pytest.fixture(scope="module")
def address():
    """Of a server of this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Ranges) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_pictures_of_a_pack_behind_an_address_are_those_of_the_file(address):
    """By position and by name."""
    model = GOLDEN_1 / "golden.isthmus"
    with Pack(f"{address}/two.isthpack", model=model) as far, Pack(GOLDEN_1 / "two.isthpack", model=model) as near:
        assert list(far.names) == list(near.names)
        for place in range(len(near)):
            assert np.array_equal(far[place], near[place])


@pytest.mark.parametrize(("path", "message"), [("none", "404"), ("whole", "no ranges"), ("cut", "cannot be read|came")])
def test_servers_that_cannot_help_are_named(address, path, message):
    """In one line."""
    with pytest.raises(InputError, match=message):
        Pack(f"{address}/{path}")
    with pytest.raises(InputError, match="cannot be read"):
        Pack("http://127.0.0.1:9/none.isthpack")
