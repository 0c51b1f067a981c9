"""The fuzz target itself: what was wrong once is right now, the same seed makes the same inputs, nothing is missed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import GOLDEN, ROOT
from tests.fuzz import targets
from tests.fuzz.inputs import KINDS, Input, WrongError, make
from tests.fuzz.running import run

CORPUS = sorted(path for path in (Path(__file__).parent / "corpus").iterdir() if path.suffix[1:] in KINDS)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_was_wrong_once_is_right(path):
    """Each file of the corpus, named for what it did: read or refused, and nothing else."""
    targets.check(Input(path.suffix[1:], path.read_bytes(), is_repaired=True, original=b""))


def test_the_same_seed_makes_the_same_inputs():
    """Of every kind, and of both ways to make them."""
    made = [make(3, number) for number in range(60)]
    assert made == [make(3, number) for number in range(60)]
    assert made != [make(4, number) for number in range(60)]
    assert {one.kind for one in made} == set(KINDS)
    assert {one.is_repaired for one in made} == {True, False}


def test_other_pixels_out_of_damage_are_noticed():
    """A picture that is decoded where none of the originals has these pixels."""
    other = (GOLDEN / "plain-1.isth").read_bytes()
    with pytest.raises(WrongError, match="other pixels"):
        targets.check(Input("isth", other, is_repaired=False, original=(GOLDEN / "plain-75.isth").read_bytes()))


@pytest.mark.parametrize(
    ("does", "kind"),
    [("import os; os.abort()", "crash"), ("_ = bytearray(1 << 30)", "MemoryError"), ("_ = {}['x']", "KeyError")],
)
def test_crashes_memory_and_foreign_exceptions_are_findings(does, kind, tmp_path, monkeypatch):
    """A target that ends its process, asks for a gibibyte, or raises what is not ours."""
    (tmp_path / "broken_target.py").write_text(f"def check(given):\n    {does}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    tally = run(1, 10, target="broken_target")
    assert tally.findings
    assert {finding.kind for finding in tally.findings} == {kind}


@pytest.mark.slow
def test_a_minute_of_strangers():
    """What CI runs: no crash, no hang, no foreign exception, nothing silently wrong."""
    seed = str(int(np.random.SeedSequence().entropy % (1 << 31)))
    command = [sys.executable, "-m", "tests.fuzz", "--minutes", "1", "--seed", seed]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 findings" in done.stdout
