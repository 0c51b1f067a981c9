"""The README's figure: crops of photographs in Isthmus and others at equal bytes, Isthmus with no more than they.

    python benchmarks/photo_crop.py --pictures kodim21.png kodim20.png --crops 250,130,256,256 60,40,256,256 \
        -o docs/figures/photo-crop.png

The second row is of strong edges on a smooth ground, where what a codec adds beside edges is seen first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt

import isthmus
from isthmus.codec.targets import LEARNED
from isthmus.evaluate.codec import Codec, Pixels
from isthmus.evaluate.codecs import CodecSpec, build_codec
from isthmus.imaging.reading import read_picture
from isthmus.metrics.ssimulacra2 import ssimulacra2

OTHERS = ("avif-444", "jxl")


def largest_within(limit: int, codec: Codec, pixels: Pixels) -> bytes:
    """The file of the highest quality with at most `limit` bytes."""
    low, high, best = 0, len(codec.scale), b""
    while low < high:
        middle = (low + high) // 2
        data = codec.encode(pixels, codec.scale[middle])
        if len(data) <= limit:
            low, best = middle + 1, max(best, data, key=len)
        else:
            high = middle
    if not best:
        raise SystemExit(f"no quality of {codec.info.name} gives {limit} bytes")
    return best


def panels(pixels: Pixels, *, bits_per_pixel: float, model: str) -> list[tuple[str, int, Pixels]]:
    """(name, bytes, pixels) of the original, of Isthmus and of the others."""
    limit = int(bits_per_pixel * pixels[..., 0].size / 8)
    others = []
    for codec in (build_codec(CodecSpec(name)) for name in OTHERS):
        data = largest_within(limit, codec, pixels)
        others.append((codec.info.label.split(" 4:4:4")[0], len(data), codec.decode(data)))
    least = min(size for _, size, _ in others)
    data = isthmus.encode(pixels, target_bytes=least, model=model, coding=LEARNED)
    return [("Original", pixels.size, pixels), ("Isthmus", len(data), isthmus.decode(data)), *others]


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=Path, nargs="+", required=True)
    parser.add_argument("--crops", nargs="+", required=True, help="X,Y,W,H of each")
    parser.add_argument("--bpp", type=float, default=0.2)
    parser.add_argument("--model", default="photo")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    rows = len(options.pictures)
    figure, axes = plt.subplots(rows, 4, figsize=(4 * 3.1, 3.55 * rows), layout="constrained", squeeze=False)
    for path, crop, row in zip(options.pictures, options.crops, axes, strict=True):
        pixels = read_picture(path).pixels
        x, y, width, height = (int(part) for part in crop.split(","))
        shown = panels(pixels, bits_per_pixel=options.bpp, model=options.model)
        for axis, (name, size, one) in zip(row, shown, strict=True):
            axis.imshow(one[y : y + height, x : x + width], interpolation="nearest")
            score = "" if one is pixels else f"\nSSIMULACRA2 {ssimulacra2(pixels, one):.1f}"
            axis.set_title(f"{name}: {size:,} bytes{score}", fontsize=11)
            axis.axis("off")
            print(path.name, name, size, score.strip(), flush=True)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.output, dpi=100, pil_kwargs={"optimize": True}, bbox_inches="tight")


if __name__ == "__main__":
    main()
