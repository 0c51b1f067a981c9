"""How far the SSIMULACRA2 of a photograph is from the quality that was asked for.

    python benchmarks/quality_reached.py --data FOLDER [--model photo] [--every 1] [--qualities 30 40 50 60 70 80 90]

With --every 20, only every 20th file by name: those that training holds aside.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import isthmus
from isthmus.imaging.reading import read_picture
from isthmus.metrics.ssimulacra2 import ssimulacra2
from isthmus.sources.folders import walk


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--qualities", type=float, nargs="+", default=[30, 40, 50, 60, 70, 80, 90])
    options = parser.parse_args()
    model = isthmus.load_model(options.model)
    pictures = [read_picture(path).pixels for path in sorted(walk(options.data).files)[:: options.every]]
    reached = np.array(
        [
            [ssimulacra2(pixels, model.decode(model.encode(pixels, quality=quality))) for quality in options.qualities]
            for pixels in pictures
        ]
    )  # (pictures, qualities)
    apart = np.abs(reached - options.qualities)
    for quality, scores, each in zip(options.qualities, reached.T, apart.T, strict=True):
        low, middle, high = np.percentile(scores, [10, 50, 90])
        print(f"quality {quality:3g}: {middle:.1f} [{low:.1f} to {high:.1f}], apart {each.mean():.2f} in the mean")
    worst = np.sort(apart.ravel())[-max(1, apart.size // 10) :]
    print(f"all: apart {apart.mean():.2f} in the mean, the worst tenth {worst.mean():.2f} and from {worst[0]:.2f} on")


if __name__ == "__main__":
    main()
