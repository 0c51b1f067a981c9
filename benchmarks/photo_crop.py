"""The README's figure: a crop of a picture in Isthmus, AVIF and JPEG at equal bytes, Isthmus with no more than they.

python benchmarks/photo_crop.py --picture kodim21.png -o docs/figures/photo-crop.png
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import isthmus
from isthmus.metrics.distortion import psnr

AVIF = {"format": "AVIF", "speed": 6, "subsampling": "4:4:4"}
JPEG = {"format": "JPEG", "optimize": True, "subsampling": "4:2:0"}


def largest_within(limit: int, encode: Callable[[int], bytes]) -> bytes:
    """The file of the highest quality from 1 to 100 with at most `limit` bytes."""
    fitting = [data for data in (encode(quality) for quality in range(1, 101)) if len(data) <= limit]
    if not fitting:
        raise SystemExit(f"no quality gives {limit} bytes")
    return max(fitting, key=len)


def pillow_file(picture: Image.Image, settings: dict[str, object], quality: int) -> bytes:
    """With Pillow's encoder."""
    out = io.BytesIO()
    picture.save(out, quality=quality, **settings)
    return out.getvalue()


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--picture", type=Path, required=True)
    parser.add_argument("--bpp", type=float, default=0.2)
    parser.add_argument("--crop", default="250,130,256,256", help="X,Y,W,H")
    parser.add_argument("--model", default="photo")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    picture = Image.open(options.picture).convert("RGB")
    pixels = np.asarray(picture)
    limit = int(options.bpp * pixels[..., 0].size / 8)
    others = []
    for name, settings in (("AVIF", AVIF), ("JPEG", JPEG)):
        file = largest_within(limit, lambda quality, s=settings: pillow_file(picture, s, quality))
        others.append((name, len(file), np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))))
    model = isthmus.load_model(options.model)
    data = isthmus.encode(pixels, target_bytes=min(size for _, size, _ in others), model=model)
    ours = ("Isthmus", len(data), isthmus.decode(data, model=model))
    panels = [("Original", 3 * pixels[..., 0].size, pixels), ours, *others]
    x, y, width, height = (int(part) for part in options.crop.split(","))
    figure, axes = plt.subplots(1, len(panels), figsize=(3.1 * len(panels), 3.6), layout="constrained")
    for axis, (name, size, shown) in zip(axes, panels, strict=True):
        axis.imshow(shown[y : y + height, x : x + width], interpolation="nearest")
        exact = "" if name == "Original" else f"\n{psnr(shown, pixels):.2f} dB"
        axis.set_title(f"{name}: {size:,} bytes{exact}", fontsize=11)
        axis.axis("off")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.output, dpi=100, pil_kwargs={"optimize": True}, bbox_inches="tight")
    print(", ".join(f"{name} {size} bytes {psnr(shown, pixels):.2f} dB" for name, size, shown in panels[1:]))


if __name__ == "__main__":
    main()
