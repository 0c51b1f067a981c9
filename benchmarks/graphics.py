"""Thirty drawn graphics: bytes beside AVIF and lossless WebP at equal SSIMULACRA2; and how photographs are coded.

    python benchmarks/graphics.py [--photos FOLDER] [--odd FOLDER] [--model photo] [--only text]

For each graphic and quality 60 and 90: the coding, the score, and the bytes as a share of the better of AVIF (speed 6,
4:4:4, between its qualities by interpolation) and WebP (lossless, method 6). Then --lossless against that WebP. For
photographs the share that the model codes, and the time of choosing; for odd pictures which of them stay below a score
of 70 at quality 90. `--only none` leaves the drawn ones out.
"""

from __future__ import annotations

import argparse
import io
import time
from pathlib import Path

import numpy as np
from PIL import Image

import isthmus
from drawn_graphics import drawn_graphics
from isthmus.codec.api import decode_picture
from isthmus.codec.codings import score
from isthmus.container.image_header import read_header
from isthmus.errors import IsthmusError
from isthmus.imaging.reading import as_picture, read_picture
from isthmus.sources.folders import walk

QUALITIES = (60, 90)
LOW = 70
LARGEST = 3 << 21
"""Values of the odd pictures that are tried."""
AVIF_QUALITIES = (20, 35, 50, 60, 70, 78, 85, 90, 95, 100)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--odd", type=Path)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    model = isthmus.load_model(options.model)
    shares, beyond = [], []
    for name, image in drawn_graphics():
        if options.only in name:
            shares += _at_qualities(name, image, model)
            beyond.append(_lossless(image, model))
    if shares:
        print(f"share of the better one: median {np.median(shares):.3f}, worst {max(shares):.3f}")
        print(f"--lossless beyond WebP: {max(beyond)} bytes at most, every pixel equal")
    if options.odd:
        _odd(options.odd, model)
    if options.photos:
        _photographs(sorted(options.photos.glob("*.*")), model)


def _at_qualities(name: str, image: Image.Image, model: isthmus.Model) -> list[float]:
    picture = as_picture(image)
    points = sorted(_avif(image, quality) for quality in AVIF_QUALITIES)
    scores, sizes = np.maximum.accumulate([one for one, _ in points]), np.log([size for _, size in points])
    shares = []
    for quality in QUALITIES:
        start = time.perf_counter()
        data = isthmus.encode(image, quality=quality, model=model)
        seconds = time.perf_counter() - start
        reached = score(picture, decode_picture(data, model=model), "ssimulacra2")
        avif = float(np.exp(np.interp(reached, scores, sizes))) if reached <= scores[-1] else np.inf
        shares.append(len(data) / min(avif, len(_webp(image))))
        coding = read_header(data).format or "learned"
        print(f"{name:12} {quality:3} {coding:8} {len(data):7} bytes {reached:6.2f} {shares[-1]:6.3f} {seconds:5.1f} s")
    return shares


def _avif(image: Image.Image, quality: int) -> tuple[float, int]:
    """Score, as it looks on white or on black, and bytes."""
    out = io.BytesIO()
    image.save(out, "AVIF", quality=quality, speed=6, subsampling="4:4:4")
    picture = as_picture(image)
    with Image.open(out) as opened:
        return score(picture, as_picture(opened), "ssimulacra2"), len(out.getvalue())


def _webp(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", lossless=True, quality=100, method=6)
    return out.getvalue()


def _lossless(image: Image.Image, model: isthmus.Model) -> int:
    """Bytes beyond WebP's."""
    data = model.encode(image, lossless=True, exact=True)
    if not np.array_equal(isthmus.decode(data), np.asarray(image)):
        raise SystemExit("a lossless picture came back with other pixels")
    return len(model.encode(image, lossless=True)) - len(_webp(image))


def _odd(folder: Path, model: isthmus.Model) -> None:
    """Whatever can be read below a folder, once each: those with the same pixels count as one."""
    seen, low = set(), 0
    for path in walk(folder).files:
        try:
            picture = read_picture(path, depth=8, frame=0)
        except IsthmusError:
            continue
        key = picture.pixels.tobytes() + (b"" if picture.alpha is None else picture.alpha.tobytes())
        if key in seen or picture.pixels.size > LARGEST:
            continue
        seen.add(key)
        data = isthmus.encode(picture, quality=90, model=model)
        reached = score(picture, decode_picture(data, model=model), "ssimulacra2")
        if reached < LOW:
            low += 1
            print(f"{path.name}: {picture}, {read_header(data).format or 'learned'}, {reached:.2f}", flush=True)
    print(f"{len(seen)} odd pictures, {low} below {LOW} at quality 90")


def _photographs(paths: list[Path], model: isthmus.Model) -> None:
    learned, times, beyond = 0, np.zeros(2), []
    for path in paths:
        picture = read_picture(path)
        best = [np.inf, np.inf]
        for _ in range(5):
            for place, coding in enumerate(("auto", "learned")):
                start = time.perf_counter()
                data = isthmus.encode(picture, quality=60, coding=coding, model=model)
                best[place] = min(best[place], time.perf_counter() - start)
                learned += place == 0 and read_header(data).format is None
        times += best
        exact = model.encode(picture, lossless=True)
        with Image.open(path) as image:
            beyond.append(len(exact) - len(_webp(image.convert("RGB"))))
    share = learned / 5 / len(paths)
    print(f"{len(paths)} photographs: {share:.1%} learned, choosing takes {times[0] / times[1]:.3f} of the time")
    print(f"--lossless beyond WebP: {max(beyond)} bytes at most")


if __name__ == "__main__":
    main()
