"""A studio without a port: requests go straight to the application, as its own page sends them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("starlette", reason="the extra studio is not installed")
from starlette.testclient import TestClient

from isthmus.studio.app import build_app
from isthmus.studio.settings import StudioSettings
from tests.conftest import GOLDEN

HOME = "http://127.0.0.1:8765"
TOKEN = "a-token-of-the-tests"  # noqa: S105 - it opens nothing


def png(pixels: np.ndarray) -> bytes:
    """A picture file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def photograph(height: int = 64, width: int = 96, *, seed: int = 0) -> np.ndarray:
    """(height, width, 3) uint8: smooth, with some noise."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    waves = np.stack([np.sin(rows / 9 + k) + np.cos(columns / 13 - k) for k in range(3)], axis=2)
    return np.clip(128 + 50 * waves + random.normal(0, 4, waves.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def data(tmp_path):
    """The folder that the studio may see, and beside it one that it may not."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "golden.isthmus").write_bytes((GOLDEN / "golden.isthmus").read_bytes())
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "hidden.isthpack").write_bytes(b"not for pages")
    return folder


@pytest.fixture
def settings(tmp_path, data):
    """Of the studio of the tests."""
    return StudioSettings(token=TOKEN, data=data, runs=tmp_path / "runs")


@pytest.fixture
def stranger(settings):
    """Someone who knows the address, and no token."""
    with TestClient(build_app(settings), base_url=HOME, follow_redirects=False) as client:
        yield client


@pytest.fixture
def client(settings):
    """A page of the studio: it has the cookie, and says where it comes from."""
    with TestClient(build_app(settings), base_url=HOME, headers={"Origin": HOME}, follow_redirects=False) as client:
        assert client.get(f"/?token={TOKEN}").status_code == 303
        yield client
