"""PSNR of noisy digits before and after denoising: trained models, a median filter, total variation, BM3D.

    python benchmarks/denoising.py --data FOLDER-OF-MNIST --model FILE... [--count 1000]

Each pixel is replaced by a random value with probability 0.1, as in the recipe digits-denoise. PSNR is that of the mean
squared error over all digits. The filters' settings are those that are best on the same number of training digits. BM3D
is measured where the package bm3d is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.model import load_model
from isthmus.imaging.noise import NoiseSettings, add_noise
from isthmus.learn.data.loading import load_data
from isthmus.learn.recipes.settings import DataSettings
from isthmus.values import PictureSpec

NOISE = NoiseSettings("impulse", 0.1)
Values = NDArray[np.float64]  # (count, rows, columns) in [0, 1]
Filter = Callable[[Values, float], Values]


def median(noisy: Values, size: float) -> Values:
    """A median filter of a side in pixels."""
    from scipy.ndimage import median_filter

    return median_filter(noisy, size=(1, int(size), int(size)))


def total_variation(noisy: Values, weight: float) -> Values:
    """scikit-image's total-variation denoising (Chambolle)."""
    from skimage.restoration import denoise_tv_chambolle

    return np.stack([denoise_tv_chambolle(digit, weight=weight) for digit in noisy])


def bm3d(noisy: Values, sigma: float) -> Values:
    """Block matching and 3-D filtering; digits are padded to 40×40, as its blocks ask for."""
    from bm3d import bm3d as run

    padded = np.pad(noisy, ((0, 0), (6, 6), (6, 6)))
    return np.stack([np.asarray(run(digit, sigma_psd=sigma)) for digit in padded])[:, 6:-6, 6:-6]


FILTERS: dict[str, tuple[Filter, tuple[float, ...]]] = {
    "median filter, side": (median, (2, 3, 5)),
    "total variation, weight": (total_variation, (0.05, 0.1, 0.2, 0.3, 0.5)),
    "BM3D, sigma": (bm3d, (0.1, 0.15, 0.2, 0.3)),
}


def psnr(values: NDArray[np.floating], clean: NDArray[np.floating]) -> float:
    """In dB, of values in [0, 1]."""
    return float(-10 * np.log10(np.mean((np.clip(values, 0, 1) - clean) ** 2)))


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="../shared/data/mnist")
    parser.add_argument("--model", nargs="+", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    data = load_data(options.data, DataSettings(), PictureSpec(1, 28, 28), seed=0)
    clean, tuning = (part.pictures[: options.count] for part in (data.test, data.train))
    noisy = add_noise(clean, NOISE, np.random.default_rng(1))
    values, truth = noisy[..., 0] / 255, clean[..., 0] / 255
    before = psnr(values, truth)
    print(f"| method | PSNR | gain |\n|---|---|---|\n| noisy | {before:.2f} dB | |")
    for path in options.model:
        model = load_model(path)
        after = psnr(model.pictures_of(model.latents(noisy)), clean / 255)
        print(f"| Isthmus {model.name} | {after:.2f} dB | {after - before:+.2f} dB |")
    tuned, wanted = add_noise(tuning, NOISE, np.random.default_rng(2))[:200, ..., 0] / 255, tuning[:200, ..., 0] / 255
    for name, (run, choices) in FILTERS.items():
        if name.startswith("BM3D") and importlib.util.find_spec("bm3d") is None:
            print("| BM3D | not installed | |")
            continue
        best = max(choices, key=lambda choice: psnr(run(tuned, choice), wanted))
        after = psnr(run(values, best), truth)
        print(f"| {name} {best:g} | {after:.2f} dB | {after - before:+.2f} dB |")


if __name__ == "__main__":
    main()
