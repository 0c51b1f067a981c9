"""How far flat colours and patterns, which no photograph holds, come back from a photo codec.

    python benchmarks/flat_colours.py [--model photo] [--coding auto]

For each quality, the largest difference in grey levels of each of 15 colours: 64x64 pixels, and one; then of patterns,
with their bytes and coding; and the SSIMULACRA2 of noise.
"""

from __future__ import annotations

import argparse

import numpy as np

import isthmus
from isthmus.container.image_header import read_header
from isthmus.metrics.ssimulacra2 import ssimulacra2

COLOURS = (
    (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255), (255, 128, 0), (128, 0, 255),
    (10, 200, 30), (200, 30, 30), (20, 20, 160), (250, 200, 10), (255, 255, 255), (128, 128, 128), (0, 0, 0),
)  # fmt: skip


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="photo")
    parser.add_argument("--coding", default="auto")
    options = parser.parse_args()
    model = isthmus.load_model(options.model)
    for quality in (30, 60, 90, 100):
        for side in (64, 1):
            errors = []
            for colour in COLOURS:
                picture = np.full((side, side, 3), colour, np.uint8)
                shown = _there_and_back(picture, quality, model, options.coding)[1]
                errors.append(int(np.abs(shown - picture).max()))
            print(f"quality {quality:3}, {side:2}x{side:<2} mean {np.mean(errors):4.1f} worst {max(errors)}: {errors}")
    for name, picture in _patterns():
        for quality in (90, 100):
            data, shown = _there_and_back(picture, quality, model, options.coding)
            error, coding = np.abs(shown - picture).max(), read_header(data).format or "learned"
            told = f"{name:18} quality {quality:3} {coding:8} {len(data):6} bytes, largest error {error:3}"
            print(told + f", SSIMULACRA2 {ssimulacra2(picture, shown.astype(np.uint8)):.1f}", flush=True)


def _there_and_back(picture, quality, model, coding):
    data = isthmus.encode(picture, quality=quality, model=model, coding=coding)
    return data, np.asarray(isthmus.decode(data, model=model), np.int32)


def _patterns():
    """Each (rows, columns, 3) uint8."""
    ramp = np.arange(256, dtype=np.uint8)
    yield "1-pixel chequers", np.tile(np.array([[[0] * 3, [255] * 3], [[255] * 3, [0] * 3]], np.uint8), (64, 64, 1))
    yield "1-pixel columns", np.tile(np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8), (128, 64, 1))
    yield "grey gradient", np.broadcast_to(ramp[None, :, None], (128, 256, 3)).copy()
    across, down = np.broadcast_to(ramp, (256, 256)), np.broadcast_to(ramp[:, None], (256, 256))
    yield "colour gradient", np.dstack([across, down, np.full_like(across, 90)])
    random = np.random.default_rng(0)
    yield "noise", random.integers(0, 256, (256, 256, 3), np.uint8)
    yield "noise, 20 levels", np.clip(random.normal(128, 20, (256, 256, 3)), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
