"""Bytes of a digit at one mean squared error, model files against JPEG, WebP and AVIF; for docs/recipes.md.

    python benchmarks/digit_bytes.py --data FOLDER-OF-MNIST --model FILE... [--mse 0.0085] [--count 1000]

Every codec gets the lowest of its qualities whose mean squared error over the digits is not above the wanted one. Bytes
are those of whole files, the mean over the digits; the models themselves are not counted.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.model import load_model
from isthmus.container.image_header import read_header
from isthmus.evaluate.codecs import CodecSpec, build_codec
from isthmus.learn.data.loading import load_data
from isthmus.learn.recipes.settings import DataSettings
from isthmus.values import PictureSpec

AGAINST = ("jpeg-444", "webp", "avif-444", "jxl")
Digits = NDArray[np.uint8]  # (count, rows, columns)
Measured = tuple[float, float, float]
"""Mean squared error of values in [0, 1], bytes of a file, bytes of its payload (nan where that is not known)."""


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="../shared/data/mnist")
    parser.add_argument("--model", nargs="+", type=Path, required=True)
    parser.add_argument("--mse", type=float, default=0.0085)
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    test = load_data(options.data, DataSettings(), PictureSpec(1, 28, 28), seed=0).test
    digits = test.pictures[: options.count, :, :, 0]
    print("| codec | quality | MSE | bytes | payload |\n|---|---|---|---|---|")
    for path in options.model:
        model = load_model(path)
        _row(f"Isthmus {model.name}", list(range(1, 101)), _of_model(path, digits), options.mse)
    for name in AGAINST:
        codec = build_codec(CodecSpec(name))
        _row(codec.info.label, list(codec.scale), _of_codec(name, digits), options.mse)


def _row(label: str, qualities: list[float], measure: Callable[[float], Measured], wanted: float) -> None:
    """The lowest quality that is good enough, by bisection: no codec's error rises with its quality by much."""
    low, high = 0, len(qualities) - 1
    while low < high:
        middle = (low + high) // 2
        if measure(qualities[middle])[0] <= wanted:
            high = middle
        else:
            low = middle + 1
    error, size, payload = measure(qualities[low])
    print(f"| {label} | {qualities[low]:g} | {error:.5f} | {size:.1f} | {payload:.1f} |")


def _of_model(path: Path, digits: Digits) -> Callable[[float], Measured]:
    model = load_model(path)

    def measure(quality: float) -> Measured:
        files = model.encode_batch(list(digits), quality=int(quality))
        payload = np.mean([sum(read_header(file).tile_lengths) for file in files])
        back = np.stack(model.decode_batch(files)).reshape(digits.shape)
        return _error(back, digits), float(np.mean([len(file) for file in files])), float(payload)

    return measure


def _of_codec(name: str, digits: Digits) -> Callable[[float], Measured]:
    codec = build_codec(CodecSpec(name))

    def measure(quality: float) -> Measured:
        files = [codec.encode(digit, quality) for digit in digits]
        back = np.stack([_grey(codec.decode(file)) for file in files])
        return _error(back, digits), float(np.mean([len(file) for file in files])), float("nan")

    return measure


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A grey picture that came back as RGB is the mean of its colours."""
    return pixels.mean(axis=2) if pixels.ndim == 3 else pixels.astype(np.float64)


def _error(back: NDArray[np.number], digits: Digits) -> float:
    return float(np.mean((back.astype(np.float64) - digits) ** 2) / 255**2)


if __name__ == "__main__":
    main()
