"""How far flat colours, which no photograph holds, come back from a photo codec.

    python benchmarks/flat_colours.py [--model photo]

For each quality, the largest difference in grey levels of each of 15 colours: 64x64 pixels, and one.
"""

from __future__ import annotations

import argparse

import numpy as np

import isthmus

COLOURS = (
    (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255), (255, 128, 0), (128, 0, 255),
    (10, 200, 30), (200, 30, 30), (20, 20, 160), (250, 200, 10), (255, 255, 255), (128, 128, 128), (0, 0, 0),
)  # fmt: skip


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="photo")
    model = isthmus.load_model(parser.parse_args().model)
    for quality in (30, 60, 90, 100):
        for side in (64, 1):
            errors = []
            for colour in COLOURS:
                picture = np.full((side, side, 3), colour, np.uint8)
                shown = np.asarray(model.decode(model.encode(picture, quality=quality)), np.int32)
                errors.append(int(np.abs(shown - picture).max()))
            print(f"quality {quality:3}, {side:2}x{side:<2} mean {np.mean(errors):4.1f} worst {max(errors)}: {errors}")


if __name__ == "__main__":
    main()
