"""What tests share: the golden model, the shared data sets, and folders of their own for the user's files."""

from __future__ import annotations

import contextlib
import os
import signal
from importlib.util import find_spec
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = (
    "1"  # tiny networks gain nothing from threads, and wait for each other on a busy machine
)

import numpy as np
import pytest

from isthmus.codec.model import Model, load_model
from isthmus.errors import MissingExtraError, UsageError
from isthmus.imaging.writing import check_suffix
from isthmus.sources.outputs import Job
from isthmus.sources.source import Source

ROOT = Path(__file__).parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"
GOLDEN_1 = Path(__file__).parent / "golden" / "v1"
GOLDEN = Path(__file__).parent / "golden" / "v2"
needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="the extra openvino is not installed")


@pytest.fixture(autouse=True)
def _own_user_folders(tmp_path_factory, monkeypatch):
    """No test sees or changes the user's installed models and caches."""
    folder = tmp_path_factory.mktemp("user")
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))


@pytest.fixture(scope="session")
def golden_model() -> Model:
    """A tiny model for 8×8 grey pictures, committed."""
    return load_model(GOLDEN / "golden.isthmus")


@pytest.fixture
def pictures() -> np.ndarray:
    """(20, 8, 8) uint8: blobs like those that the golden model's tables know, and noise."""
    random = np.random.default_rng(3)
    blobs = np.clip(128 + 60 * random.normal(size=(10, 4, 4)).repeat(2, 1).repeat(2, 2), 0, 255)
    return np.concatenate([blobs.astype(np.uint8), random.integers(0, 256, (10, 8, 8), np.uint8)])


@pytest.fixture
def shared_data() -> Path:
    """The shared data sets; the test is skipped where they are absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the shared data sets are not in {SHARED_DATA}")
    return SHARED_DATA


def hear_interrupts() -> None:
    """For `preexec_fn`: a shell's jobs in the background, and what they start, ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def job_of(source: Path, target: Path) -> Job:
    """A picture file to read and a file to write."""
    return Job(Source(source.name, path=source), target)


def writable(suffixes) -> list[str]:
    """Those of the formats that this Pillow writes, and imagecodecs where it is there."""
    found = []
    for suffix in suffixes:
        with contextlib.suppress(UsageError, MissingExtraError):
            check_suffix(suffix)
            found.append(suffix)
    return found
