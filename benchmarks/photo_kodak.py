"""Estimated rates and PSNR of a training run's averaged weights on Kodak, and BD-rates against other codecs' real files.

    python benchmarks/photo_kodak.py --run FOLDER --kodak FOLDER --reference kodak_rd.csv --cache FILE

Rates here are the entropy model's estimate with thrifty rounding; files are measured by `photo_files.py`.
"""

import argparse
import csv
import io
import json
import time
from pathlib import Path

import bjontegaard
import numpy as np
import torch
from PIL import Image

from isthmus.learn.loop.photo_crops import to_pixels
from isthmus.learn.models.photo_codec import PhotoCodec
from isthmus.learn.models.photo_prior import thrifty_thresholds
from isthmus.learn.models.photo_transforms import TransformStart

PLACES = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0)
ANCHORS = {
    "webp": [{"format": "WEBP", "quality": q, "method": 6} for q in (5, 20, 40, 60, 75, 85, 92, 97)],
    "avif": [
        {"format": "AVIF", "quality": q, "speed": 6, "subsampling": "4:4:4"} for q in (15, 28, 40, 52, 62, 72, 82, 90)
    ],
}


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Of two uint8 pictures, in dB."""
    return float(-10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2) / 255**2))


def anchor_curves(pictures: list[np.ndarray], cache: Path) -> dict[str, list[tuple[float, float]]]:
    """Mean (bits per pixel, PSNR) of each anchor's settings, computed once."""
    if cache.exists():
        return {name: [tuple(point) for point in curve] for name, curve in json.loads(cache.read_text()).items()}
    curves = {}
    for name, settings in ANCHORS.items():
        curve = []
        for options in settings:
            points = []
            for picture in pictures:
                buffer = io.BytesIO()
                Image.fromarray(picture).save(buffer, **options)
                back = np.asarray(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB"))
                points.append((8 * buffer.tell() / picture[..., 0].size, psnr(picture, back)))
            curve.append(tuple(np.mean(points, 0).tolist()))
        curves[name] = curve
    cache.write_text(json.dumps(curves))
    return curves


def load_average(path: Path) -> PhotoCodec:
    """The averaged model of a checkpoint."""
    saved = torch.load(path, weights_only=False)
    model = PhotoCodec(saved["settings"], TransformStart(**saved["start"])).eval().requires_grad_(False)
    model.load_state_dict(saved["average"])
    print("step", saved["step"])
    return model


@torch.no_grad()
def model_curve(model: PhotoCodec, pictures: list[np.ndarray], *, quantise: bool) -> list[tuple[float, float]]:
    """Mean (bits per pixel, PSNR) at each place."""
    curve = []
    for place in PLACES:
        points = []
        for picture in pictures:
            output = model(
                to_pixels(picture[None]), torch.tensor([place]), quantise=quantise, thresholds=thrifty_thresholds()
            )
            back = ((output.reconstruction[0].permute(1, 2, 0) + 0.5) * 255).round().clamp(0, 255).byte().numpy()
            points.append((float(output.latent_bits + output.hyper_bits) / picture[..., 0].size, psnr(picture, back)))
        curve.append(tuple(np.mean(points, 0).tolist()))
    return curve


def bd_rate(anchor: list[tuple[float, float]], test: list[tuple[float, float]]) -> float:
    """Percent; negative: `test` needs less. Only the part of the curves that overlaps counts."""
    (rate_a, psnr_a), (rate_t, psnr_t) = zip(*sorted(anchor), strict=True), zip(*sorted(test), strict=True)
    return float(
        bjontegaard.bd_rate(
            rate_a, psnr_a, rate_t, psnr_t, method="pchip", require_matching_points=False, min_overlap=0
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--kodak", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--quantise", action="store_true")
    parser.add_argument("--pictures", type=int, default=24)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(arguments.kodak.rglob("*.png"))]
    curves = anchor_curves(pictures, arguments.cache)
    with arguments.reference.open() as lines:
        for row in csv.DictReader(lines):
            curves.setdefault(row["codec"], []).append((float(row["bits_per_pixel"]), float(row["psnr_db"])))
    test = model_curve(
        load_average(arguments.run / "checkpoint.pt"), pictures[: arguments.pictures], quantise=arguments.quantise
    )
    print(time.strftime("%H:%M"), " ".join(f"{rate:.4f}/{quality:.2f}" for rate, quality in test))
    for name, curve in curves.items():
        if name in ("webp", "avif") or "VTM" in name:
            print(f"{name}: {bd_rate(curve, test):+.2f} %")


if __name__ == "__main__":
    main()
