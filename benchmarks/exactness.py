"""Symbols of the shipped photo codec on every engine: all must be equal.

    python benchmarks/exactness.py --data FOLDER-OF-KODAK [--weights training/photo/weights.npz]

Files are written on ONNX Runtime with 2 threads and read with 1 and 2 threads on ONNX Runtime and OpenVINO, by the
NumPy reference and by the PyTorch networks that were trained; the last two are made of the weights that were exported.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import isthmus
from isthmus.codec.exact_networks import probe
from isthmus.codec.pipeline import read_image
from isthmus.entropy.exact import Integers, PriorNetworks, ReferenceNetworks
from isthmus.entropy.hyperprior import Hyperprior
from isthmus.learn.export.photo import load_average
from isthmus.learn.export.photo_layers import integer_layers
from isthmus.learn.models.photo_codec import PhotoCodec
from isthmus.learn.models.quality import knot_weights, position_of

QUALITIES = (15, 60, 95)


class TorchNetworks:
    """The trained networks, run in integers by PyTorch; see `entropy.exact.PriorNetworks`."""

    def __init__(self, model: PhotoCodec) -> None:
        self.model = model

    def begin(self, hyper: Integers, quality: int) -> TorchPasses:
        """See `PriorNetworks.begin`."""
        return TorchPasses(self.model, hyper, quality)


class TorchPasses:
    """See `entropy.exact.PriorPasses`."""

    def __init__(self, model: PhotoCodec, hyper: Integers, quality: int) -> None:
        self._passes = model.passes
        self._knots = knot_weights(torch.from_numpy(position_of(np.array([quality]))))
        self._features = model.hyper_synthesis(_tensor(hyper), self._knots, quantise=True)

    def first(self, positions: np.ndarray) -> tuple[Integers, Integers]:
        """Strong channels at even positions."""
        return self._finish(self._passes.first_pass(self._features, self._knots, quantise=True), positions)

    def second(self, positions: np.ndarray, read: np.ndarray, decoded: Integers) -> tuple[Integers, Integers]:
        """Strong channels at odd positions."""
        del read  # the network squashes by itself
        estimate = self._passes.estimate_second(self._features, _tensor(decoded) / 64, self._knots, quantise=True)
        return self._finish(estimate, positions)

    def third(self, positions: np.ndarray, read: np.ndarray) -> tuple[Integers, Integers]:
        """Weak channels at even positions."""
        layer, squashed = self._passes.third_context, _tensor(read) / 128
        self._context = _activated(layer(squashed, self._knots, quantise=True))
        estimate = self._passes.estimate_third(self._features, self._context, self._knots, quantise=True)
        return self._finish(estimate, positions)

    def fourth(self, positions: np.ndarray, read: np.ndarray) -> tuple[Integers, Integers]:
        """Weak channels at odd positions."""
        passes, squashed = self._passes, _tensor(read) / 128
        narrow = _activated(passes.fourth_narrow(squashed, self._knots, quantise=True))
        near = _activated(passes.fourth_context(narrow, self._knots, quantise=True))
        inputs = torch.cat([self._features, self._context, near], 1)
        return self._finish(passes.fourth_pass(inputs, self._knots, quantise=True), positions)

    @staticmethod
    def _finish(estimate: tuple[torch.Tensor, torch.Tensor], positions: np.ndarray) -> tuple[Integers, Integers]:
        level = torch.floor(estimate[0] + 0.5).clamp(0, 63)
        mean = torch.floor(estimate[1] * 64 + 0.5).clamp(-511 * 64, 511 * 64)
        parts = [part[0].flatten(1).numpy().astype(np.int32)[:, positions] for part in (level, mean)]
        return parts[0], parts[1]


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values, np.float32)[None].copy())


def _activated(x: torch.Tensor) -> torch.Tensor:
    return (torch.floor(x * 128 + 0.5) / 128).clamp(0, 1023 / 128)


def engines(name: str, trained: PhotoCodec) -> Iterator[tuple[str, Hyperprior]]:
    """(what, entropy model) of each engine."""
    for engine in ("onnxruntime", "openvino"):
        for threads in (1, 2):
            yield f"{engine}, {threads} thread(s)", isthmus.load_model(name, engine=engine, threads=threads).coder.prior
    prior = isthmus.load_model(name).coder.prior
    networks: dict[str, PriorNetworks] = {
        "NumPy": ReferenceNetworks(integer_layers(trained)),
        "PyTorch": TorchNetworks(trained),
    }
    for what, one in networks.items():
        yield what, Hyperprior(prior.tables, one, prior.channels, prior.strong, prior.hyper_channels)


@torch.no_grad()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="photo")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=Path("training/photo/weights.npz"))
    options = parser.parse_args()
    writer = isthmus.load_model(options.model, threads=2)
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(options.data.rglob("*.png"))]
    files = [(quality, read_image(writer.encode(one, quality=quality))) for one in pictures for quality in QUALITIES]
    expected = [writer.coder.symbols(image)[0] for _, image in files]
    trained = load_average(options.weights)
    prior = writer.coder.prior
    sizes = {"channels": prior.channels, "strong": prior.strong, "hyper": prior.hyper_channels}
    fingerprint = probe(prior.networks, prior.tables.squash, **sizes)
    if probe(ReferenceNetworks(integer_layers(trained)), prior.tables.squash, **sizes) != fingerprint:
        print("the weights are not those of the model: NumPy and PyTorch are left out")
    for what, one in engines(options.model, trained):
        equal = 0
        for (quality, image), symbols in zip(files, expected, strict=True):
            equal += np.array_equal(one.decode(image.tiles[0], symbols.shape[1:], quality), symbols)
        print(f"{what}: {equal} of {len(files)} files decode to the same symbols", flush=True)


if __name__ == "__main__":
    main()
