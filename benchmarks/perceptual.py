"""The photo codec against others at equal Butteraugli and ColorVideoVDP, neither of which it was trained for.

    python benchmarks/perceptual.py --data FOLDER [--model photo] [--against avif-444 jxl webp] [--every 1]
        [--measure butteraugli cvvdp] [--butteraugli butteraugli_main]

Butteraugli is its 3-norm by libjxl's tool (Debian's libjxl-devtools); ColorVideoVDP is `pip install cvvdp`, which wants
the torchvision that belongs to the PyTorch installed. BD-rates are means over single pictures.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from isthmus.evaluate.codec import Codec, Pixels
from isthmus.evaluate.codecs import CodecSpec, build_codec
from isthmus.imaging.reading import read_picture
from isthmus.metrics.bd_rate import Curve, bd_rate
from isthmus.sources.folders import walk
from isthmus.zoo.finding import find_by_name

QUALITIES = {None: (20, 35, 50, 62, 74, 84, 92, 97), "jxl": (30, 50, 65, 76, 84, 89, 93, 96)}
"""Of the models and codecs, where levels of high quality count."""
Level = Callable[[Pixels, Pixels], float]


def butteraugli(command: str) -> Level:
    """Minus the 3-norm, so that higher is better."""

    def level(first: Pixels, second: Pixels) -> float:
        with tempfile.TemporaryDirectory() as folder:
            paths = [str(Path(folder, name)) for name in ("first.png", "second.png")]
            for pixels, path in zip((first, second), paths, strict=True):
                Image.fromarray(pixels).save(path, compress_level=1)
            said = subprocess.run([command, *paths], check=True, capture_output=True, text=True).stdout
        found = re.search(r"3-norm: ([\d.]+)", said)
        if found is None:
            raise SystemExit(f"{command} names no 3-norm: {said}")
        return -float(found[1])

    return level


def cvvdp() -> Level:
    """Just objectionable differences, 10 at best, on the display that the package takes to be usual."""
    import pycvvdp

    metric = pycvvdp.cvvdp(display_name="standard_fhd")
    return lambda first, second: float(metric.predict(second, first, dim_order="HWC")[0])


def curve(codec: Codec, pixels: Pixels, levels: list[Level]) -> list[Curve]:
    """One for each level."""
    rates, reached = [], []
    for quality in QUALITIES.get(codec.info.name, QUALITIES[None]):
        data = codec.encode(pixels, quality)
        shown = codec.decode(data)
        rates.append(8 * len(data) / (pixels.shape[0] * pixels.shape[1]))
        reached.append([level(pixels, shown) for level in levels])
    return [Curve(tuple(rates), tuple(column)) for column in zip(*reached, strict=True)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--against", nargs="+", default=["avif-444", "jxl", "webp"])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--measure", nargs="+", choices=("butteraugli", "cvvdp"), default=["butteraugli"])
    parser.add_argument("--butteraugli", default="butteraugli_main", help="the tool")
    options = parser.parse_args()
    levels = [cvvdp() if name == "cvvdp" else butteraugli(options.butteraugli) for name in options.measure]
    model = build_codec(CodecSpec(options.model, model=find_by_name(options.model)))
    others = [build_codec(CodecSpec(name)) for name in options.against]
    changes: dict[tuple[str, str], list[float]] = {}
    for path in sorted(walk(options.data).files)[:: options.every]:
        pixels = read_picture(path).pixels.squeeze()
        ours = curve(model, pixels, levels)
        for other in others:
            for name, anchor, test in zip(options.measure, curve(other, pixels, levels), ours, strict=True):
                percent = bd_rate(anchor, test).percent
                if percent is not None:
                    changes.setdefault((name, other.info.label), []).append(percent)
        print(path.name, {key: round(values[-1], 1) for key, values in changes.items()}, flush=True)
    for (name, label), values in changes.items():
        fewer = np.mean(np.array(values) < 0)
        print(f"{name} against {label}: {np.mean(values):+.1f} %; {fewer:.0%} of {len(values)} need fewer bytes")


if __name__ == "__main__":
    main()
