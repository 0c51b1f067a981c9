"""Decoding against CompressAI's mbt2018-mean, the learned codec whose time the photo codec is measured by.

    pip install compressai torchvision
    python benchmarks/mbt2018_mean.py --data FOLDER [--qualities 60 90] [--threads 2]

Both decode each picture in turns, three times. CompressAI's weights are random: they are no download, and what its
layers cost does not depend on them. What its entropy coder costs does: random weights code few symbols.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import isthmus
from isthmus.sources.folders import walk

TURNS = 3


def seconds(work: Callable[[], object]) -> float:
    """Of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@torch.no_grad()
def main() -> None:
    """Measure and print."""
    from compressai.zoo import image_models

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--qualities", type=int, nargs="+", default=[60, 90])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    theirs = image_models["mbt2018-mean"](quality=4, pretrained=False).eval()
    theirs.update()
    ours = isthmus.load_model(options.model, threads=options.threads)
    times: dict[str, list[float]] = {}
    for path in walk(options.data).files:
        with Image.open(path) as image:
            picture = np.array(image.convert("RGB"))
        pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        coded = theirs.compress(pixels)
        works: dict[str, Callable[[], object]] = {
            "mbt2018-mean": partial(theirs.decompress, coded["strings"], coded["shape"])
        }
        for quality in options.qualities:
            file = ours.encode(picture, quality=quality)
            works[f"{options.model}, quality {quality}"] = partial(ours.decode, file)
        turns = [{name: seconds(work) for name, work in works.items()} for _ in range(TURNS)]
        for name in works:
            times.setdefault(name, []).append(statistics.median(turn[name] for turn in turns))
    slow = statistics.median(times["mbt2018-mean"])
    for name, each in times.items():
        print(f"{name}: {1000 * statistics.median(each):.1f} ms, 1/{slow / statistics.median(each):.1f}")


if __name__ == "__main__":
    main()
