"""Times two checkouts of Isthmus in turns: encoding and decoding with the photo codec that each of them ships.

python benchmarks/versions.py --before CHECKOUT --data FOLDER [--quality 60] [--rounds 25]

Both run side by side in processes of their own, one at a time; a round is all pictures once. The ratios are of this
checkout to the other one, round by round, so that they hold where a shared machine's speed drifts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent.parent
WARM_UP = 3


def work(folder: Path, quality: int) -> None:
    """A line of medians, in milliseconds, for each line that comes in."""
    import isthmus

    model = isthmus.load_model("photo", threads=2)
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.png"))]
    for _ in sys.stdin:
        times = []
        for picture in pictures:
            begin = time.perf_counter()
            data = model.encode(picture, quality=quality)
            middle = time.perf_counter()
            model.decode(data)
            times.append((middle - begin, time.perf_counter() - middle))
        print(json.dumps((1000 * np.median(times, axis=0)).tolist()), flush=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--before", type=Path, default=HERE, help="the other checkout; this one: how large noise is")
    parser.add_argument("--data", type=Path, required=True, help="a folder of .png pictures")
    parser.add_argument("--quality", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.data, options.quality)
        return
    command = [sys.executable, __file__, "--work", "--data", str(options.data), "--quality", str(options.quality)]
    sides = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(checkout.resolve() / "src")},
        )
        for checkout in (options.before, HERE)
    ]
    rounds = []
    for _ in range(WARM_UP + options.rounds):
        row = []
        for side in sides:
            side.stdin.write("go\n")
            side.stdin.flush()
            row.append(json.loads(side.stdout.readline()))
        rounds.append(row)
    for side in sides:
        side.stdin.close()
        side.wait()
    before, after = np.array(rounds[WARM_UP:]).transpose(1, 0, 2)
    for index, what in enumerate(("encode", "decode")):
        ratio = float(np.median(after[:, index] / before[:, index]))
        print(f"{what}: {np.median(before[:, index]):.1f} -> {np.median(after[:, index]):.1f} ms, {ratio:.3f} x")


if __name__ == "__main__":
    main()
