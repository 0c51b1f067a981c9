"""A codec of one's own pictures against files of other codecs and the shipped models, on pictures it has not seen.

    python benchmarks/own_pictures.py --model faces-model/model.isthmus --data test-faces/ [--count 100]

Bytes a picture at equal mean SSIMULACRA2 and PSNR, every codec at one setting for all pictures; of models the payload
and two bytes of a pack's framing. Then a real pack with its model inside: its bytes, and how long a face takes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import isthmus
from isthmus.codec.model import Model
from isthmus.learn.hyperprior.own.comparison import PSNR, SCORE, compare
from isthmus.learn.hyperprior.own.run import with_own_positions
from isthmus.sources.finding import find_sources
from isthmus.transforms.engine import Engine

LEVELS = {SCORE: (50, 60, 70, 80), PSNR: (28, 30, 33, 36)}


def table(model: Path, pictures: list[np.ndarray]) -> None:
    """Bytes at equal levels."""
    own = isthmus.load_model(model, threads=1)
    models = {own.name: own}
    for name in ("photo-psnr", "photo"):
        shipped = isthmus.load_model(name, threads=1)
        models[name] = shipped
    base = isthmus.load_model("photo-psnr").file
    models["photo-psnr, own positions"] = Model(with_own_positions(base), Engine(threads=1))
    curves, notes = compare(pictures, models, kept=0)
    print(*notes, sep="\n")
    for metric, levels in LEVELS.items():
        print(f"{'at equal ' + metric:28}", *(f"{level:>7}" for level in levels))
        for curve in curves:
            print(f"{curve.label:28}", *(f"{curve.bytes_at(level, metric):7.0f}" for level in levels))
        best = [min(curve.bytes_at(level, metric) for curve in curves[len(models) :]) for level in levels]
        print(f"{'own / smallest file':28}", *(f"{curves[0].bytes_at(level, metric) / one:7.3f}"
                                            for level, one in zip(levels, best, strict=True)))  # fmt: skip


def pack(model: Path, data: str, quality: int) -> None:
    """A pack that holds its model: its bytes, and times of random access."""
    with tempfile.TemporaryDirectory() as folder:
        for name, more in (("bare", []), ("held", ["--embed"])):
            path = Path(folder) / f"{name}.isthpack"
            command = [sys.executable, "-m", "isthmus", "pack", data, "-o", str(path), "--model", str(model)]
            subprocess.run([*command, "--quality", str(quality), *more], check=True)
            with isthmus.Pack(path, model=model, threads=1) as opened:
                count, payloads = len(opened), sum(map(len, opened.payloads(range(len(opened)))))
                opened[0]
                start = time.process_time()
                for index in np.random.default_rng(0).permutation(count)[:50]:
                    opened[int(index)]
                seconds = (time.process_time() - start) / min(count, 50)
            size = path.stat().st_size
            rest = (size - payloads) / count
            print(
                f"{name}: {count} pictures, {size} bytes; a picture: {payloads / count:.1f} of payload, {rest:.2f} of"
            )
            print(f"all else, {1e3 * seconds:.1f} ms of CPU at random access")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--quality", type=int, default=50, help="of the packs")
    options = parser.parse_args()
    found = find_sources(options.data)
    step = max(1, len(found) // options.count)
    pictures = [source.read(depth=8, frame=0).pixels for source in list(found)[::step][: options.count]]
    table(options.model, [np.repeat(one, 3, 2) if one.shape[2] == 1 else one for one in pictures])
    pack(options.model, options.data, options.quality)


if __name__ == "__main__":
    main()
