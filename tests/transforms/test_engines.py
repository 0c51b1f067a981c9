"""What engines do besides running graphs: in forked processes, and to the user's folders."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from isthmus.transforms.engine import ENGINES
from tests.conftest import GOLDEN, ROOT, needs_openvino

SECONDS = 300
"""For what takes one: a process that waits for threads that are not there never ends."""

CODES = f"""
import os, sys
import numpy as np
from isthmus import load_model
from isthmus.errors import UsageError

picture = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
model = load_model({str(GOLDEN / "golden.isthmus")!r}, engine=sys.argv[1], threads=2)
expected = model.encode(picture, quality=75)
"""
FORKS = """
child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
USES_IT = """
assert model.encode(picture, quality=75) == expected
"""
DROPS_IT = """
del model
again = load_model({model!r}, threads=2)
assert np.array_equal(again.decode(expected), again.decode(again.encode(picture, quality=75)))
""".format(model=str(GOLDEN / "golden.isthmus"))
IS_REFUSED = """
try:
    model.encode(picture, quality=75)
except UsageError as error:
    assert "forked" in str(error)
else:
    raise AssertionError("nothing was said")
"""
engines = pytest.mark.parametrize("engine", [ENGINES[0], pytest.param(ENGINES[1], marks=needs_openvino)])
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def run(code, engine, environment=None):
    """The process, ended."""
    command = [sys.executable, "-c", code, engine]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS)


@needs_fork
def test_a_model_goes_on_in_a_forked_process():
    """With threads of its own: the parent's do not follow."""
    done = run(CODES + FORKS + USES_IT, "onnxruntime")
    assert done.returncode == 0, done.stderr


@needs_fork
@engines
def test_a_forked_process_forgets_its_parents_model(engine):
    """And ends: neither waits for the parent's threads."""
    done = run(CODES + FORKS + DROPS_IT, engine)
    assert done.returncode == 0, done.stderr


@needs_fork
@needs_openvino
def test_openvino_says_that_it_does_not_go_on():
    """It would wait for ever."""
    done = run(CODES + FORKS + IS_REFUSED, "openvino")
    assert done.returncode == 0, done.stderr


@engines
def test_nothing_is_kept_of_who_uses_an_engine(engine, tmp_path):
    """Neither engine's telemetry runs: it would begin with an identifier in the user's home."""
    quiet = ("CI", "TF_BUILD", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL")  # where it would not run anyway
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_") and name not in quiet}
    done = run(CODES, engine, {**kept, "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
