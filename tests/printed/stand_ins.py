"""Small files by the names that the pages use, so that what they print runs as it is printed."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import isthmus
from isthmus.sources.glyphs import draw_glyphs
from tests.conftest import GOLDEN, ROOT

DIGITS = "0123456789"


def stock(folder: Path) -> None:
    """Make what needs no training.

    digits/ noisy/ 8×8 PNG files of digits, and the same with noise
    photo.jpg      of 640×480 pixels; photos/ with a folder cats/, album/ and pictures/, of 176×128
    photo.isth     photo.jpg in a file; damaged.isth, a wrong byte in one of its three tiles
    run/           with the golden model, which takes these digits; compressed/, digits by it
    photos.isthpack
    """
    _digit_files(folder, 8)
    _photographs(folder)
    (folder / "run").mkdir()
    shutil.copy(GOLDEN / "golden.isthmus", folder / "run" / "model.isthmus")
    model = isthmus.load_model(folder / "run" / "model.isthmus")
    (folder / "compressed").mkdir()
    for path in (folder / "digits").iterdir():
        with Image.open(path) as image:
            (folder / "compressed" / f"{path.stem}.isth").write_bytes(model.encode(np.asarray(image)))
    run_in(folder, "isthmus pack photos/ -o photos.isthpack")


def stock_for_training(folder: Path) -> None:
    """What `stock` makes, and what training needs or leaves.

    mnist/         the four IDX files, of 600 and 60 drawn digits: a path goes before the name of the set
    digits/ noisy/ of 28×28 pixels
    run/ small/    a run of a denoising recipe, which compresses as well
    """
    stock(folder)
    for name in ("digits", "noisy", "run"):
        shutil.rmtree(folder / name)
    _digit_files(folder, 28)
    (folder / "mnist").mkdir()
    for part, count in (("train", 600), ("t10k", 60)):
        drawn = draw_glyphs(DIGITS, count, seed=count)
        assert drawn.labels is not None
        for name, array in (("images-idx3", drawn.pictures[..., 0]), ("labels-idx1", drawn.labels.astype(np.uint8))):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            (folder / "mnist" / f"{part}-{name}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))
    run_in(folder, "isthmus train digits-denoise-dense --data mnist -o run --epochs 2")
    shutil.copytree(folder / "run", folder / "small")


def _digit_files(folder: Path, side: int) -> None:
    random = np.random.default_rng(5)
    for name, share in (("digits", 0.0), ("noisy", 0.1)):
        (folder / name).mkdir()
        for index, drawn in enumerate(draw_glyphs(DIGITS, 12, seed=1).pictures[..., 0]):
            digit = np.asarray(Image.fromarray(drawn).resize((side, side)))
            noise = random.integers(0, 256, digit.shape, np.uint8)
            noisy = np.where(random.random(digit.shape) < share, noise, digit)
            Image.fromarray(noisy).save(folder / name / f"{index}.png")


def _photographs(folder: Path) -> None:
    (folder / "photos" / "cats").mkdir(parents=True)
    (folder / "pictures").mkdir()
    (folder / "album").mkdir()
    names = ("photos/a.jpg", "photos/b.jpg", "photos/cats/c.jpg", "album/d.jpg", "pictures/e.png", "pictures/f.png")
    for index, name in enumerate(names):
        _photograph(128, 176, seed=index).save(folder / name)
    photo = _photograph(480, 640, seed=9)
    photo.save(folder / "photo.jpg")
    (folder / "photo.isth").write_bytes(isthmus.encode(photo, quality=60))
    damaged = bytearray(isthmus.encode(_photograph(96, 1120, seed=10), quality=40))  # wide enough for tiles
    damaged[-(len(damaged) // 4)] ^= 0xFF
    (folder / "damaged.isth").write_bytes(damaged)


def _photograph(rows: int, columns: int, *, seed: int) -> Image.Image:
    """Soft random colours with a little grain: what no one takes for a drawing."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (rows // 16, columns // 16, 3), np.uint8))
    soft = np.asarray(coarse.resize((columns, rows), Image.Resampling.BICUBIC))
    return Image.fromarray(np.clip(soft + random.normal(0, 6, soft.shape), 0, 255).astype(np.uint8))


def run_in(folder: Path, command: str) -> str:
    """Run a line as a shell does, with `isthmus` and `python` of this interpreter.

    Returns:
        What it printed, on both streams.

    Raises:
        AssertionError: it failed.
    """
    programs = folder.parent / "bin"
    if not programs.exists():
        programs.mkdir()
        for name, arguments in (("python", ""), ("isthmus", "-m isthmus ")):
            (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
            (programs / name).chmod(0o755)
    paths = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=os.environ | paths, capture_output=True, text=True, timeout=600
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{command}\nends with {done.returncode}:\n{said}"
    return said
