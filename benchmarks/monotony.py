"""Whether bytes and PSNR of the photo codec never fall as the quality rises from 1 to 100, picture by picture.

python benchmarks/monotony.py --data FOLDER [--model photo] [--jobs 2]
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

import isthmus
from isthmus.imaging.reading import read_picture
from isthmus.metrics.distortion import psnr
from isthmus.sources.folders import walk


def steps(path: Path, model: str) -> tuple[np.ndarray, np.ndarray]:
    """(99,) changes of bytes and of PSNR from one quality to the next."""
    codec, picture = isthmus.load_model(model, threads=1), read_picture(path).pixels
    files = [codec.encode(picture, quality=quality) for quality in range(1, 101)]
    levels = [psnr(codec.decode(data), picture) for data in files]
    return np.diff([len(data) for data in files]), np.diff(levels)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    paths = walk(options.data).files
    with ProcessPoolExecutor(options.jobs) as pool:
        for path, (sizes, levels) in zip(paths, pool.map(partial(steps, model=options.model), paths), strict=True):
            falls = f"bytes fall {np.sum(sizes < 0)} times, PSNR {np.sum(levels < 0)} times"
            print(f"{path.name}: {falls}; steps of {levels.min():.2f} to {levels.max():.2f} dB", flush=True)


if __name__ == "__main__":
    main()
