"""Each test picture's PSNR by a trained recipe, as its network and as its files give it back; for docs/recipes.md.

    python benchmarks/recipe_psnr.py --data FOLDER [--side N] MODEL [MODEL ...]

FOLDER is what the recipes were trained with. --side cuts the middle N by N pixels out of each picture.
"""

from __future__ import annotations

import argparse

import numpy as np

from isthmus.codec.model import load_model
from isthmus.learn.data.loading import load_data
from isthmus.learn.experiment import picture_spec
from isthmus.learn.recipes.loading import recipe_from_table
from isthmus.metrics.distortion import psnr

BATCH = 50


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--side", type=int)
    parser.add_argument("models", nargs="+")
    options = parser.parse_args()
    for path in options.models:
        model = load_model(path)
        recipe = recipe_from_table(model.file.facts["recipe"])
        pictures = load_data(options.data, recipe.data, picture_spec(recipe), seed=0).test.pictures
        if options.side:
            top, left = ((length - options.side) // 2 for length in pictures.shape[1:3])
            pictures = pictures[:, top : top + options.side, left : left + options.side]
        network, coded, sizes = [], [], []
        for start in range(0, len(pictures), BATCH):
            part = pictures[start : start + BATCH]
            back = np.clip(model.pictures_of(model.latents(part)), 0, 1)
            network += list(-10 * np.log10(np.mean((back - part / 255.0) ** 2, axis=(1, 2, 3))))
            files = [model.encode(picture) for picture in part]
            coded += [psnr(model.decode(data).reshape(one.shape), one) for data, one in zip(files, part, strict=True)]
            sizes += [len(data) for data in files]
        through = f"through files {np.mean(coded):.2f} dB, {np.mean(sizes):.0f} bytes"
        each = " ".join(f"{value:.2f}" for value in network[:5])
        print(f"{path}, {len(pictures)} pictures: mean {np.mean(network):.2f} dB, {through}; the first: {each}")


if __name__ == "__main__":
    main()
