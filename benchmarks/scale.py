"""Shards on Ray against the local engine, and what one and two workers make of the same pictures.

    python benchmarks/scale.py --mnist FOLDER --model digits.isthmus [--shard-size 2500] [--workers 1 2] [--count 60000]

The 60,000 training digits, in shards. Ray runs already, and has done one job; "whole run" has the start of the
workers in it, "after start-up" is the second half of the shards, when all workers are up. The engines take turns, and
the median of --repeats runs counts. The shards of all runs are compared byte for byte.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from isthmus.codec.model import Model, load_model
from isthmus.packs.packing import PackOptions
from isthmus.packs.sharding import Runner, in_processes, pack_to_shards
from isthmus.scale.cluster import cluster
from isthmus.scale.packing import run_on_ray
from isthmus.sources.finding import find_sources
from isthmus.sources.source import Sources

TRAINING_DIGITS = "train-images-idx3-ubyte"


@dataclass(frozen=True)
class Timing:
    """One run: seconds of all of it, seconds of the second half of its shards, pictures in those."""

    whole: float
    working: float
    pictures: int
    files: dict[str, bytes]

    @property
    def rate(self) -> float:
        """Pictures a second after start-up."""
        return self.pictures / self.working


def timed(sources: Sources, model: Model, run: Runner, shard_size: int) -> Timing:
    """Pack once."""
    times: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        start = time.perf_counter()
        pack_to_shards(
            sources,
            Path(name),
            model,
            PackOptions(model.file.default_quality),
            run,
            shard_size=shard_size,
            on_shard=lambda _: times.append(time.perf_counter()),
        )
        whole = time.perf_counter() - start
        files = {path.name: path.read_bytes() for path in Path(name).iterdir()}
    half = len(times) // 2
    return Timing(whole, times[-1] - times[half - 1], len(sources) - half * shard_size, files)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, required=True, help="folder of the IDX files")
    parser.add_argument("--model", required=True, help="a model of digits")
    parser.add_argument("--shard-size", type=int, default=2500)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--count", type=int, default=60_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    idx = next(path for path in sorted(options.mnist.iterdir()) if path.name.startswith(TRAINING_DIGITS))
    sources = find_sources(str(idx))[: options.count]
    model = load_model(options.model)
    print(f"{len(sources)} digits in shards of {options.shard_size}, {model.name}, medians of {options.repeats}")
    made: list[dict[str, bytes]] = []
    start = time.perf_counter()
    with cluster(None, workers=max(options.workers)):
        made.append(timed(sources, model, run_on_ray, options.shard_size).files)
        print(f"Ray's start and first job: {time.perf_counter() - start:.1f} s")
        compare(sources, model, options, made)
    print(f"all shards of all {len(made)} runs have the same bytes: {all(files == made[0] for files in made)}")


def compare(sources: Sources, model: Model, options: argparse.Namespace, made: list[dict[str, bytes]]) -> None:
    """Both engines with each number of workers."""
    print("| workers | engine | whole run, s | after start-up, pictures/s | time of the local engine |")
    print("|---|---|---|---|---|")
    for workers in options.workers:
        engines: dict[str, Runner] = {
            "local": partial(in_processes, jobs=workers),
            "ray": partial(run_on_ray, workers=workers),
        }
        runs: dict[str, list[Timing]] = {name: [] for name in engines}
        for _ in range(options.repeats):
            for name, run in engines.items():
                runs[name].append(timed(sources, model, run, options.shard_size))
                made.append(runs[name][-1].files)
        rates = {name: statistics.median(one.rate for one in timings) for name, timings in runs.items()}
        for name, timings in runs.items():
            whole = statistics.median(one.whole for one in timings)
            print(f"| {workers} | {name} | {whole:.1f} | {rates[name]:.0f} | ×{rates['local'] / rates[name]:.2f} |")


if __name__ == "__main__":
    main()
