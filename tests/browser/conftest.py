"""A studio on a port of its own, and Debian's Chromium to look at it; without one of them these tests are skipped."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("starlette", reason="the extra studio is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.conftest import GOLDEN
from tests.studio.conftest import photograph

CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-gpu", "--disable-dev-shm-usage"]


class Studio:
    """A running `isthmus studio`."""

    def __init__(self, folder, data, port=None):
        self.folder, self.runs, self.data = folder, folder / "runs", data
        self.port = port or _free_port()
        environment = os.environ | {"XDG_DATA_HOME": str(folder / "user"), "XDG_CACHE_HOME": str(folder / "cache")}
        command = ["studio", "--no-browser", "--port", str(self.port), "--data", str(data), "--runs", str(self.runs)]
        with (folder / "errors.txt").open("a") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "isthmus", *command],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
            )
        self.address = re.search(r"http\S+", self.process.stdout.readline())[0]
        self.home = self.address.partition("?")[0]

    def end(self):
        """As Ctrl-C or the system does."""
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def until(page, expression, seconds=180):
    """Wait for an expression of the page to be true: the page's policy forbids Playwright's own way."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"it never came: {expression}; {page.inner_text('#message')}"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def chromium():
    """One browser for all tests."""
    if CHROMIUM is None:
        pytest.skip("Debian's chromium is not installed (apt-get install chromium)")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def studio(tmp_path_factory):
    """A studio whose data folder holds a model, a pack of 20,000 pictures and two photographs."""
    folder = tmp_path_factory.mktemp("studio")
    data = folder / "data"
    data.mkdir()
    (data / "golden.isthmus").write_bytes((GOLDEN / "golden.isthmus").read_bytes())
    for index in range(2):
        Image.fromarray(photograph(160, 240, seed=index)).save(data / f"holiday {index}.png")
    pixels = np.random.default_rng(0).integers(0, 256, (20_000, 8, 8), np.uint8)
    header = b"\x00\x00\x08\x03" + b"".join(side.to_bytes(4, "big") for side in pixels.shape)
    (folder / "small-idx3-ubyte").write_bytes(header + pixels.tobytes())
    words = [
        "pack",
        str(folder / "small-idx3-ubyte"),
        "-o",
        str(data / "small.isthpack"),
        "--model",
        str(data / "golden.isthmus"),
    ]
    subprocess.run([sys.executable, "-m", "isthmus", *words], check=True, capture_output=True)
    words = ["train", "glyphs-dense", "-o", str(folder / "runs" / "digits"), "--epochs", "3", "--pictures"]
    settings = ["data.count=2000", "model.hidden=64", "model.code=12"]
    words += [word for setting in settings for word in ("--set", setting)]
    subprocess.run([sys.executable, "-m", "isthmus", *words], check=True, capture_output=True)
    running = Studio(folder, data)
    yield running
    running.end()
    assert "Traceback" not in (folder / "errors.txt").read_text()


@pytest.fixture
def page(chromium, studio):
    """A fresh page that was let in; whatever its console complains of fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 860})
    shown = context.new_page()
    complaints = []
    shown.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    shown.on("pageerror", lambda error: complaints.append(str(error)))
    shown.goto(studio.address)
    yield shown
    context.close()
    assert [text for text in complaints if "status of 4" not in text] == []
