"""What OpenVINO leaves behind in a process."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import GOLDEN, ROOT, needs_openvino

LOADS_AND_DROPS = """
import faulthandler, os, pathlib, signal
faulthandler.enable()
from isthmus.container.model_file import parse_model
from isthmus.transforms.openvino import OpenVinoGraph
file = pathlib.Path({model!r})
graph = next(iter(parse_model(file.read_bytes(), name=file.name).graphs.values()))
first = OpenVinoGraph(graph, name="first", threads=1)
second = OpenVinoGraph(graph, name="second", threads=1)
del first
del second
signal.signal(signal.SIGUSR1, lambda *_: print("handled", flush=True))
os.kill(os.getpid(), signal.SIGUSR1)
"""


@needs_openvino
def test_signals_are_handled_after_graphs_are_dropped():
    """Each of its cores gives the main thread a stack for signals and takes it back in any order: there is one core."""
    code = LOADS_AND_DROPS.format(model=str(GOLDEN / "golden-hyperprior.isthmus"))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr
