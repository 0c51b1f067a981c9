"""BD-rate against rates and PSNRs that others have published, such as VTM's on Kodak, which takes hours to run.

    isthmus evaluate --model photo --data KODAK -o comparison
    python benchmarks/published_points.py --results comparison/results.json --points POINTS.csv [--codec VTM]

POINTS.csv is what `isthmus evaluate --reference` draws: columns codec, bits_per_pixel and psnr_db, means over the
pictures.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from isthmus.evaluate.figures import read_reference
from isthmus.metrics.bd_rate import Curve, bd_rate


def main() -> None:
    """Compute and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--points", type=Path, required=True)
    parser.add_argument("--codec", default="VTM")
    options = parser.parse_args()
    reference = read_reference(options.points)
    if options.codec not in reference:
        raise SystemExit(f"{options.points} has no points of {options.codec}")
    rates, psnrs = zip(*reference[options.codec], strict=True)
    published = Curve(rates, psnrs)
    for codec in json.loads(options.results.read_text())["codecs"]:
        points = codec["points"]
        ours = Curve(tuple(point["bpp"] for point in points), tuple(point["psnr"] for point in points))
        found = bd_rate(published, ours)
        shown = found.reason if found.percent is None else f"{found.percent:+.2f} %"
        print(f"{codec['label']} against {options.codec}'s published points: {shown}")


if __name__ == "__main__":
    main()
