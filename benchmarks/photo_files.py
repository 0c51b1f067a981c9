"""Real payload bytes and PSNR of an exported photo codec on Kodak, by ONNX Runtime and the range coder, and times.

    python benchmarks/photo_files.py --export FOLDER --kodak FOLDER --reference kodak_rd.csv --cache FILE

Uses no PyTorch for coding. Pictures' sides must be multiples of 64, as Kodak's are.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from isthmus.codec.exact_networks import OnnxRuntimeNetworks
from isthmus.entropy import hyperprior
from isthmus.learn.export.photo import ExportedPhoto, load
from photo_kodak import anchor_curves, bd_rate, psnr

QUALITIES = (1, 10, 20, 32, 45, 60, 75, 90, 100)


class PhotoFiles:
    """Pixels to payloads and back."""

    def __init__(self, exported: ExportedPhoto, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.arrays, self.tables = exported.arrays, exported.tables()
        self.strong = len(exported.layers()["second_line"].weight)
        self.networks = OnnxRuntimeNetworks(exported.graphs, exported.layers(), threads=threads)
        self.sessions = {
            name: onnxruntime.InferenceSession(exported.graphs[name], options)
            for name in ("analysis", "hyper_analysis", "synthesis")
        }
        self.seconds: dict[str, list[float]] = {}

    def encode(self, picture: NDArray[np.uint8], quality: int) -> hyperprior.Encoded:
        """(rows, columns, 3) -> payload."""
        gains = self.arrays["gains"][quality - 1][:, None, None]
        mark = time.perf_counter()
        pixels = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32) / np.float32(255) - np.float32(0.5)
        latents = self.sessions["analysis"].run(None, {"pixels": pixels})[0][0]
        mark = self._took("analysis", mark)
        steps = np.clip(latents * gains, -511, 511)
        hyper = self.sessions["hyper_analysis"].run(None, {"steps": steps[None]})[0][0]
        whole = np.clip(np.floor(hyper + 0.5), -31, 31).astype(np.int32)
        mark = self._took("hyper_analysis", mark)
        encoded = hyperprior.encode(
            steps,
            whole,
            quality,
            tables=self.tables,
            networks=self.networks,
            thresholds=self.arrays["thresholds"],
            strong=self.strong,
        )
        self._took("entropy_encode", mark)
        return encoded

    def decode(self, payload: bytes, shape: tuple[int, int], quality: int) -> NDArray[np.uint8]:
        """Payload -> (rows, columns, 3)."""
        gains = self.arrays["gains"][quality - 1][:, None, None]
        mark = time.perf_counter()
        decoded = hyperprior.decode(
            payload, (shape[0] // 16, shape[1] // 16), len(gains), len(self.tables.hyper[0]), quality,
            tables=self.tables, networks=self.networks, strong=self.strong,
        )  # fmt: skip
        mark = self._took("entropy_decode", mark)
        latents = decoded.astype(np.float32) / (np.float32(64) * gains)
        guides = self.arrays["guides"][quality - 1].reshape(1, -1, 1, 1)
        pixels = self.sessions["synthesis"].run(None, {"latents": latents[None], "guides": guides})[0][0]
        mark = self._took("synthesis", mark)
        back = np.clip(pixels * 255 + np.float32(128), 0, 255.5).astype(np.uint8).transpose(1, 2, 0)
        self._took("to_uint8", mark)
        return back

    def _took(self, name: str, since: float) -> float:
        now = time.perf_counter()
        self.seconds.setdefault(name, []).append(now - since)
        return now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--export", type=Path, required=True)
    parser.add_argument("--kodak", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=24)
    arguments = parser.parse_args()
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(arguments.kodak.rglob("*.png"))]
    curves = anchor_curves(pictures, arguments.cache)
    with arguments.reference.open() as lines:
        for row in csv.DictReader(lines):
            curves.setdefault(row["codec"], []).append((float(row["bits_per_pixel"]), float(row["psnr_db"])))
    codec = PhotoFiles(load(arguments.export), arguments.threads)
    curve = []
    for quality in QUALITIES:
        points = []
        for picture in pictures[: arguments.pictures]:
            encoded = codec.encode(picture, quality)
            back = codec.decode(encoded.payload, picture.shape[:2], quality)
            points.append((8 * len(encoded.payload) / picture[..., 0].size, psnr(picture, back)))
        curve.append(tuple(np.mean(points, 0).tolist()))
    print(time.strftime("%H:%M"), " ".join(f"{rate:.4f}/{quality:.2f}" for rate, quality in curve))
    for name, anchor in curves.items():
        if name in ("webp", "avif") or "VTM" in name:
            print(f"{name}: {bd_rate(anchor, curve):+.2f} %")
    print("median ms:", {name: round(1e3 * float(np.median(values)), 1) for name, values in codec.seconds.items()})


if __name__ == "__main__":
    main()
