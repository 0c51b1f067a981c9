"""The photo codec on a folder of pictures, by real file bytes: curve, BD-rates against published points, and times.

    python benchmarks/photo.py --model FILE.isthmus --data FOLDER [--reference kodak_rd.csv]

For the whole comparison with other codecs there is `isthmus evaluate`; this one is quick and says where the time goes.
"""

from __future__ import annotations

import argparse
import csv
import io
import statistics
import time
from pathlib import Path

import bjontegaard
import numpy as np
from PIL import Image

import isthmus

QUALITIES = (1, 14, 27, 40, 52, 64, 76, 88, 100)
ANCHORS = {
    "WebP m6": [{"format": "WEBP", "quality": q, "method": 6} for q in (5, 20, 40, 60, 75, 85, 92, 97)],
    "AVIF s6 4:4:4": [
        {"format": "AVIF", "quality": q, "speed": 6, "subsampling": "4:4:4"} for q in (15, 28, 40, 52, 62, 72, 82, 90)
    ],
}
Curve = list[tuple[float, float]]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Of two uint8 pictures, in dB."""
    return float(-10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2) / 255**2))


def bd_rate(anchor: Curve, test: Curve) -> float:
    """Percent; negative: `test` needs less. Over the common range of PSNR."""
    (rate_a, psnr_a), (rate_t, psnr_t) = zip(*sorted(anchor), strict=True), zip(*sorted(test), strict=True)
    options = {"method": "pchip", "require_matching_points": False, "min_overlap": 0}
    return float(bjontegaard.bd_rate(rate_a, psnr_a, rate_t, psnr_t, **options))


def anchor_curve(pictures: list[np.ndarray], settings: list[dict]) -> Curve:
    """Mean (bits per pixel, PSNR) at each setting."""
    curve = []
    for options in settings:
        points = []
        for picture in pictures:
            buffer = io.BytesIO()
            Image.fromarray(picture).save(buffer, **options)
            back = np.asarray(Image.open(buffer).convert("RGB"))
            points.append((8 * buffer.tell() / picture[..., 0].size, psnr(picture, back)))
        curve.append(tuple(np.mean(points, 0)))
    return curve


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--anchors", action="store_true", help="measure WebP and AVIF in the same run")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    model = isthmus.load_model(options.model, threads=options.threads)
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(options.data.rglob("*.png"))]
    model.decode(model.encode(pictures[0]))
    curve, encode, decode = [], [], []
    for quality in QUALITIES:
        points = []
        for picture in pictures:
            start = time.perf_counter()
            data = model.encode(picture, quality=quality)
            middle = time.perf_counter()
            back = model.decode(data)
            encode.append(middle - start)
            decode.append(time.perf_counter() - middle)
            points.append((8 * len(data) / picture[..., 0].size, psnr(picture, back)))
        curve.append(tuple(np.mean(points, 0)))
    print(" ".join(f"{rate:.4f}/{quality:.2f}" for rate, quality in curve))
    anchors = {name: anchor_curve(pictures, settings) for name, settings in ANCHORS.items()} if options.anchors else {}
    if options.reference:
        with options.reference.open() as lines:
            for row in csv.DictReader(lines):
                anchors.setdefault(row["codec"], []).append((float(row["bits_per_pixel"]), float(row["psnr_db"])))
    for name, anchor in anchors.items():
        if len(anchor) > 3:
            print(f"BD-rate against {name}: {bd_rate(anchor, curve):+.1f} %")
    print(f"encode {1e3 * statistics.median(encode):.1f} ms, decode {1e3 * statistics.median(decode):.1f} ms (medians)")


if __name__ == "__main__":
    main()
