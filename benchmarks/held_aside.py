"""Writes the photographs that `photo` was never trained on, to compare codecs on: every 20th of its set, by name.

    python benchmarks/held_aside.py --data PHOTOS -o FOLDER [--side 448]
    isthmus evaluate --model photo --data FOLDER --against webp,avif-444 --metrics ssim --threads 1 -o comparison

They are AVIF files of high quality themselves, so each is cut at an odd place: else AVIF would meet its own blocks.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from isthmus.imaging.reading import read_picture
from isthmus.imaging.writing import to_pillow
from isthmus.learn.data.crops import HELD_ASIDE_EVERY
from isthmus.sources.folders import walk
from isthmus.values import Picture

TOP, LEFT = 37, 53


def main() -> None:
    """Cut and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--side", type=int, default=448)
    options = parser.parse_args()
    options.output.mkdir(parents=True)
    for path in sorted(walk(options.data).files)[::HELD_ASIDE_EVERY]:
        pixels = read_picture(path).pixels[TOP : TOP + options.side, LEFT : LEFT + options.side]
        to_pillow(Picture(pixels)).save(options.output / f"{path.stem}.png")


if __name__ == "__main__":
    main()
