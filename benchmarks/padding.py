"""What flat padding behind a picture's last blocks saves, against repeating its last row and column.

    python benchmarks/padding.py --data FOLDER [--side 400] [--count 20] [--qualities 20 50 75]

Pictures are made smaller to `--side` pixels on their longer side. The other padding is had by repeating the edge before
coding: sides that are multiples of 64 are not padded again. PSNR is that of the picture alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import isthmus
from isthmus.codec.hyperprior import adaptive_quality
from isthmus.codec.hyperprior.layout import HYPER_BLOCK
from isthmus.metrics.distortion import psnr
from isthmus.sources.folders import walk


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--side", type=int, default=400)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--qualities", type=int, nargs="+", default=[20, 50, 75])
    options = parser.parse_args()
    model = isthmus.load_model(options.model)
    adaptive_quality.QUALITY_PER_OCTAVE = 0  # padding must not change what a quality means
    pictures = []
    for path in walk(options.data).files[: options.count]:
        with Image.open(path) as image:
            small = image.convert("RGB")
        small.thumbnail((options.side, options.side), Image.Resampling.LANCZOS)
        pictures.append(np.asarray(small))
    for quality in options.qualities:
        ratios, gains = [], []
        for picture in pictures:
            rows, columns = picture.shape[:2]
            more = [(0, -rows % HYPER_BLOCK), (0, -columns % HYPER_BLOCK), (0, 0)]
            flat, edge = (model.encode(one, quality=quality) for one in (picture, np.pad(picture, more, mode="edge")))
            ratios.append(len(flat) / len(edge))
            gains.append(psnr(model.decode(flat), picture) - psnr(model.decode(edge)[:rows, :columns], picture))
        print(
            f"quality {quality}, {len(pictures)} pictures: bytes {100 * (np.mean(ratios) - 1):+.2f} % "
            f"(worst {100 * (np.max(ratios) - 1):+.2f} %), PSNR {np.mean(gains):+.3f} dB"
        )


if __name__ == "__main__":
    main()
