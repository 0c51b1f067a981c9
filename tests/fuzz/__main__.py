"""`python -m tests.fuzz --minutes 10 [--seed N] [--jobs N] [-o FOLDER]`; exit 1 where something was found."""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path

from tests.fuzz.running import Finding, run, save


def main() -> int:
    """Run, say what was found, and keep it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Inputs of strangers, at random.")
    parser.add_argument("--minutes", type=float, default=10, help="how long")
    parser.add_argument("--seed", type=int, default=None, help="the same seed makes the same inputs; drawn without it")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("-o", "--output", type=Path, default=Path("fuzz-findings"), help="where findings are kept")
    options = parser.parse_args()
    seed = secrets.randbelow(1 << 31) if options.seed is None else options.seed

    def tell(finding: Finding) -> None:
        print(f"{finding.kind}: {save(finding, seed, options.output)}\n{finding.detail}", flush=True)

    tally = run(seed, 60 * options.minutes, jobs=options.jobs, on_finding=tell)
    total = sum(tally.outcomes.values())
    said = ", ".join(f"{count} {kind}" for kind, count in tally.outcomes.most_common())
    print(
        f"seed {seed}: {total} inputs: {said or 'none'}; slowest: {tally.slowest[0]:.1f} s, number {tally.slowest[1]}"
    )
    print(f"{len(tally.findings)} findings" + (f" in {options.output}" if tally.findings else ""))
    return 1 if tally.findings or not total else 0


if __name__ == "__main__":
    sys.exit(main())
