"""What compress, decompress and denoise say of many files: what was left out, what became of each, and of all."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from isthmus.cli.output import Notes, Stopped, note, print_json, say, tell, track
from isthmus.errors import UsageError

if TYPE_CHECKING:
    from isthmus.codec.compressing import Compressed
    from isthmus.codec.denoising import Denoised
    from isthmus.sources.finding import Found
    from isthmus.sources.outputs import Jobs

CODINGS = {"learned": "learned", "webp": "exact by WebP", "avif": "graphics by AVIF"}
"""What people call the codings."""


def what_of_existing(*, force: bool, skip_existing: bool) -> str:
    """What is done with outputs that are there already, see `plan_jobs`.

    Raises:
        UsageError: both.
    """
    from isthmus.sources.outputs import REFUSE, REPLACE, SKIP

    if force and skip_existing:
        raise UsageError("--skip-existing leaves files that --force replaces: choose one")
    return SKIP if skip_existing else REPLACE if force else REFUSE


def threads_of_each(threads: int, jobs: int) -> int:
    """Threads of one of some processes: as many as were asked for, or its share of the cores; 0 is all of them."""
    return threads or (0 if jobs == 1 else max(1, (os.cpu_count() or 1) // jobs))


def tell_all(
    found: Found,
    plan: Jobs,
    outcomes: Iterable[Any],
    *,
    doing: str,
    line_of: Callable[[Any], str],
    sum_of: Callable[[Sequence[Any]], str],
    as_json: bool,
) -> None:
    """Say what became of each file as it is done, then what pictures had to say, and the sum.

    Args:
        found: the sources.
        plan: what there is to do.
        outcomes: with source, result, error and notes; the work is done as they are taken.
        doing: for the bar.
        line_of: a result's line.
        sum_of: the line of all results, where there are several.
        as_json: one object in place of these lines.

    Raises:
        Exit: something failed, with 1.
        Stopped: by Ctrl-C; what is done stays.
    """
    failed = tell(found) + plan.failed
    results, notes = [], Notes()
    for error in plan.errors:
        note(str(error))
    try:
        for outcome in track(outcomes, total=len(plan.jobs), doing=doing):
            notes.add(outcome.source, outcome.notes)
            if outcome.error is not None:
                failed += 1
                note(str(outcome.error))
            else:
                results.append(outcome.result)
                if not as_json:
                    say(line_of(outcome.result), to_stderr=plan.to_standard)
    except KeyboardInterrupt:
        if plan.to_standard:
            raise
        raise Stopped(f"{len(results)} of {len(plan.jobs)} are done, --skip-existing goes on with the others") from None
    notes.show()
    if as_json:
        from dataclasses import asdict

        print_json({"files": [asdict(result) for result in results], "skipped": [str(one) for one in plan.skipped]})
    elif len(results) > 1 or plan.skipped:
        told = [sum_of(results)] if results else []
        told += [f"{len(plan.skipped)} were there already"] if plan.skipped else []
        told += [f"{failed} not done"] if failed else []
        say("; ".join(told), to_stderr=plan.to_standard)
    if failed:
        raise typer.Exit(1)


def check_json(output: str, *, as_json: bool) -> None:
    """Refuse two things on standard output.

    Raises:
        UsageError: both JSON and a file.
    """
    if as_json and output == "-":
        raise UsageError("--json and -o - would both write to standard output: name a file")


def line_of_compressed(result: Compressed) -> str:
    """The file, bytes before and after, the share, how it was coded, and what was measured."""
    reached = f", {result.psnr:.2f} dB" if result.psnr is not None else ""
    sizes = _sizes(result.source_bytes, result.bytes, CODINGS[result.coding])
    return f"{result.output}: {sizes}, {result.bpp:.3f} bpp{reached}{_saved(result)}"


def _saved(result: Compressed) -> str:
    """What the noise that was removed would have cost."""
    if result.noisy_bytes is None:
        return ""
    saved = result.noisy_bytes - result.bytes
    return f", {saved} bytes saved of {result.noisy_bytes} by denoising ({saved / result.noisy_bytes:.0%})"


def sum_of_compressed(results: Sequence[Compressed]) -> str:
    """All bytes before and after, and how many pictures had each coding."""
    counts = Counter(result.coding for result in results)
    codings = ", ".join(f"{counts[coding]} {name}" for coding, name in CODINGS.items() if coding in counts)
    before, after = sum(result.source_bytes for result in results), sum(result.bytes for result in results)
    return f"{_pictures(len(results))}: {_sizes(before, after, '')}{': ' if codings else ''}{codings}"


def line_of_denoised(result: Denoised) -> str:
    """The file, and the noise that was found, or what was measured."""
    told = result.output
    if result.noise_level is not None:
        told += f": noise level {result.noise_level:.1f} of 255"
    if result.psnr is not None:
        told += f": {result.psnr:.2f} dB, noisy {result.noisy_psnr:.2f} dB"
    return told


def sum_of_pictures(results: Sequence[object]) -> str:
    """How many."""
    return _pictures(len(results))


def _pictures(count: int) -> str:
    return f"{count} picture{'' if count == 1 else 's'}"


def _sizes(before: int, after: int, coding: str) -> str:
    """Sizes and share, such as "1000 → 200 bytes (20.0 %, learned)"; the size before may not be known."""
    share = f"{100 * after / before:.1f} %" if before else ""
    inside = ", ".join(part for part in (share, coding) if part)
    return f"{f'{before} → ' if before else ''}{after} bytes{f' ({inside})' if inside else ''}"
