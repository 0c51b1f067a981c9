"""How soon the studio answers, in Debian's chromium, and the screenshots of docs/studio.md.

    python benchmarks/studio.py --picture PHOTOGRAPH [--figures docs/figures]

Trains two small models on drawn digits, packs a million pictures of 8×8, and opens each page as a person would. Times
are those that a person sees: from the input to the picture on the screen.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from isthmus.sources.glyphs import draw_glyphs

PORT = 8931
REPEATS = 60
MILLION = 1_000_000
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-gpu", "--disable-dev-shm-usage"]
MODEL = Path(__file__).parent.parent / "tests" / "golden" / "v2" / "golden.isthmus"
MOVE = """async ([selector, values, pause]) => {
  const slider = document.querySelector(selector), times = [];
  for (const value of values) {
    const before = document.body.dataset.shown, start = performance.now();
    slider.value = value;
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    while (document.body.dataset.shown === before) await new Promise((next) => setTimeout(next, 1));
    times.push(Number(document.body.dataset.shown) - start);
    await new Promise((next) => setTimeout(next, pause));
  }
  return times;
}"""
WEIGHT = """[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  .filter((one) => one.entryType === 'navigation' || one.name.includes('/static/'))
  .reduce((sum, one) => sum + one.decodedBodySize, 0)"""
MAPPED = """document.querySelector('#map-note').textContent.includes('600 samples') &&
  document.querySelectorAll('#sliders input').length === 32"""
ALL_TOLD = """document.querySelectorAll('#numbers tr').length === 3 &&
  !document.querySelector('#numbers').textContent.includes('…')"""
DIGITS_SHOWN = """document.querySelector('#about').textContent.includes('20,000') &&
  document.querySelector('#gallery').dataset.whole === 'true'"""
CURVES = """document.querySelectorAll('#chart polyline').length === 2 &&
  !document.querySelector('#pictures').hidden"""
SCROLL = """async (share) => {
  const box = document.querySelector('#gallery'), start = performance.now();
  box.dataset.whole = 'false';
  box.scrollTop = box.scrollHeight * share;
  while (box.dataset.whole !== 'true') await new Promise((next) => setTimeout(next, 1));
  return performance.now() - start;
}"""


def main() -> None:
    """Measure, print, and draw where that is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--picture", type=Path, required=True)
    parser.add_argument("--figures", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _prepare(folder, options.picture)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            start = time.perf_counter()
            running, address = _start(folder)
            try:
                page.goto(address)
                print(f"start to first paint: {1000 * (time.perf_counter() - start):.0f} ms")
                _look_at_all(page, address.partition("?")[0], folder, options)
            finally:
                running.terminate()
                running.wait(20)
                browser.close()


def _look_at_all(page: Page, home: str, folder: Path, options: Any) -> None:
    _measure_weight(page, home)
    _measure_compress(page, home, folder, options)
    _measure_code(page, home, options)
    _measure_gallery(page, home, options)
    if options.figures:
        _draw_rest(page, home, options.figures)


def _prepare(folder: Path, picture: Path) -> None:
    (folder / "data").mkdir()
    shutil.copy(MODEL, folder / "data" / "golden.isthmus")
    blobs = np.clip(128 + 60 * np.random.default_rng(0).normal(size=(2000, 4, 4)).repeat(2, 1).repeat(2, 2), 0, 255)
    header = b"\0\0\x08\x03" + b"".join(side.to_bytes(4, "big") for side in (MILLION, 8, 8))
    (folder / "images-idx3-ubyte").write_bytes(header + blobs.astype(np.uint8).tobytes() * (MILLION // 2000))
    _isthmus("pack", folder / "images-idx3-ubyte", "-o", folder / "data" / "million.isthpack", "--model", MODEL)
    for code in (32, 8):
        run = folder / "runs" / f"digits-{code}"
        words = ["--epochs", "12", "--set", f"model.code={code}", "--set", "data.count=10000", "--pictures"]
        _isthmus("train", "glyphs-dense", "-o", run, *words)
    trained = folder / "runs" / "digits-32" / "model.isthmus"
    _isthmus("pack", _digits(folder), "-o", folder / "data" / "digits.isthpack", "--model", trained)
    shutil.copy(trained, folder / "data" / "digits.isthmus")
    with Image.open(picture) as image:
        whole = image.convert("RGB")
    whole.save(folder / "photograph.png")
    whole.resize((1000, 1000), Image.Resampling.LANCZOS).save(folder / "megapixel.png")
    whole.resize((4000, 3000), Image.Resampling.LANCZOS).save(folder / "twelve.png")


def _digits(folder: Path) -> Path:
    pixels = draw_glyphs("0123456789", 20_000, seed=3).pictures[:, :, :, 0]
    path = folder / "digits-idx3-ubyte"
    path.write_bytes(b"\0\0\x08\x03" + b"".join(side.to_bytes(4, "big") for side in pixels.shape) + pixels.tobytes())
    return path


def _isthmus(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "isthmus", *map(str, words)], check=True, capture_output=True)


def _start(folder: Path) -> tuple[subprocess.Popen[str], str]:
    words = [
        "studio",
        "--no-browser",
        "--port",
        str(PORT),
        "--data",
        str(folder / "data"),
        "--runs",
        str(folder / "runs"),
    ]
    environment = os.environ | {"XDG_DATA_HOME": str(folder / "user")}
    running = subprocess.Popen(
        [sys.executable, "-m", "isthmus", *words], stdout=subprocess.PIPE, text=True, env=environment
    )
    found = re.search(r"http\S+", running.stdout.readline() if running.stdout else "")
    if found is None:
        raise SystemExit("the studio did not start")
    return running, found[0]


def _measure_weight(page: Page, home: str) -> None:
    for name in ("", "train", "code", "packs", "models"):
        page.goto(home + name)
        page.wait_for_timeout(800)
        print(f"weight of /{name}: {page.evaluate(WEIGHT) / 1000:.1f} kB")


def _measure_compress(page: Page, home: str, folder: Path, options: Any) -> None:
    page.goto(home)
    if options.figures:
        page.set_input_files("#files", [str(folder / "photograph.png"), str(folder / "megapixel.png")])
        until(page, ALL_TOLD)
        _save(page, options.figures / "studio-compress.png")
        for _ in range(2):
            page.click("#tray button.bare")
            page.wait_for_timeout(300)
    page.set_input_files("#files", str(folder / "megapixel.png"))
    page.select_option("#rival", "")
    until(page, "document.querySelector('#get-file').href")
    page.wait_for_timeout(2500)
    values = [str(30 + 7 * step % 60) for step in range(REPEATS)]
    _print("quality slider, 1 megapixel", page.evaluate(MOVE, ["#quality", values, 0]))
    page.click("#tray button.bare")
    start = time.perf_counter()
    page.set_input_files("#files", str(folder / "twelve.png"))
    shown = page.evaluate("document.body.dataset.shown")
    until(page, f"document.body.dataset.shown !== '{shown}'")
    first = time.perf_counter() - start
    until(page, "document.querySelector('#numbers td:last-child').textContent.endsWith('s')")
    whole = time.perf_counter() - start
    print(f"12 megapixels: first decoded view {first:.1f} s, all decoded {whole:.1f} s after the file was given")
    page.click("#tray button.bare")


def _measure_code(page: Page, home: str, options: Any) -> None:
    page.goto(home + "code")
    page.select_option("#model", label="digits-32 (run)")
    until(page, MAPPED)
    page.wait_for_timeout(1500)
    low, high = (float(page.get_attribute("#sliders input", name) or 0) for name in ("min", "max"))
    values = [str(low + (high - low) * (0.1 + 0.8 * (7 * step % 60) / 60)) for step in range(3 * REPEATS)]
    _print("slider of a code, 28×28", page.evaluate(MOVE, ["#sliders input", values, 5]))
    if options.figures:
        page.click("#sample")
        box = page.locator("#map").bounding_box() or {}
        page.mouse.click(box["x"] + 0.45 * box["width"], box["y"] + 0.4 * box["height"])
        page.wait_for_timeout(600)
        _save(page, options.figures / "studio-code.png", full_page=True)


def _measure_gallery(page: Page, home: str, options: Any) -> None:
    page.goto(home + "packs")
    page.click("#folder")
    start = time.perf_counter()
    page.click("dialog button:has-text('million.isthpack')")
    until(page, "document.querySelector('#gallery').dataset.whole === 'true'")
    print(f"gallery of {MILLION:,}: first screen {1000 * (time.perf_counter() - start):.0f} ms")
    _print("gallery: scrolled to another screen", [page.evaluate(SCROLL, share / 41) for share in range(1, 41)])
    if options.figures:
        page.click("#folder")
        page.click("dialog button:has-text('digits.isthpack')")
        until(page, DIGITS_SHOWN)
        page.wait_for_timeout(800)
        _save(page, options.figures / "studio-packs.png")


def _draw_rest(page: Page, home: str, figures: Path) -> None:
    page.goto(home + "train")
    until(page, CURVES)
    page.wait_for_timeout(600)
    _save(page, figures / "studio-train.png")
    page.goto(home + "models")
    page.wait_for_timeout(800)
    _save(page, figures / "studio-models.png")


def _save(page: Page, path: Path, *, full_page: bool = False) -> None:
    """In 256 colours: a page has few, and the repository keeps every version."""
    with Image.open(io.BytesIO(page.screenshot(full_page=full_page))) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


def _print(name: str, times: list[float]) -> None:
    ordered = sorted(times)
    worst = ordered[int(0.95 * (len(ordered) - 1))]
    print(f"{name}: median {statistics.median(ordered):.0f} ms, 95th {worst:.0f} ms of {len(ordered)}")


def until(page: Page, expression: str, seconds: float = 120) -> None:
    """Wait for an expression of the page to be true."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        if time.monotonic() > end:
            raise SystemExit(f"it never came: {expression}")
        time.sleep(0.01)


if __name__ == "__main__":
    main()
