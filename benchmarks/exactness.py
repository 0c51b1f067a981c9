"""Symbols of the shipped photo codec on every engine: all must be equal.

    python benchmarks/exactness.py --data FOLDER-OF-KODAK [--weights training/photo-psnr/weights.npz]

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
from isthmus.codec.hyperprior.integer_networks import probe
from isthmus.codec.pipeline import read_image
from isthmus.entropy.hyperprior import Hyperprior
from isthmus.entropy.reference_networks import PriorNetworks, ReferenceNetworks
from isthmus.learn.hyperprior.export.integer_layers import integer_layers
from isthmus.learn.hyperprior.export.torch_networks import TorchNetworks
from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec
from isthmus.learn.hyperprior.training.weights import load_weights

QUALITIES = (15, 60, 95)


def engines(name: str, trained: HyperpriorCodec) -> Iterator[tuple[str, Hyperprior]]:
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
        yield what, Hyperprior(prior.tables, one, prior.channels, prior.first_group)


@torch.no_grad()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="photo")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=Path("training/photo-psnr/weights.npz"))
    options = parser.parse_args()
    writer = isthmus.load_model(options.model, threads=2)
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(options.data.rglob("*.png"))]
    files = [read_image(writer.encode(one, quality=quality)) for one in pictures for quality in QUALITIES]
    expected = [writer.coder.symbols(image)[0] for image in files]
    trained = load_weights(options.weights).model()
    prior = writer.coder.prior
    sizes = {"first_group": prior.first_group, "hyper": trained.settings.prior.hyper_latents}
    fingerprint = probe(prior.networks, prior.tables.companding, **sizes)
    if probe(ReferenceNetworks(integer_layers(trained)), prior.tables.companding, **sizes) != fingerprint:
        print("the weights are not those of the model: NumPy and PyTorch are left out")
    for what, one in engines(options.model, trained):
        equal = 0
        for image, symbols in zip(files, expected, strict=True):
            equal += np.array_equal(one.decode(image.tiles[0], symbols.shape[1:], image.quality), symbols)
        print(f"{what}: {equal} of {len(files)} files decode to the same symbols", flush=True)


if __name__ == "__main__":
    main()
