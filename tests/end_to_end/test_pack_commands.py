"""`isthmus pack` and `unpack` as users run them: killed, out of disk, resumed."""

from __future__ import annotations

import json
import resource
import signal
import struct
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
from PIL import Image

from isthmus.codec.pack import Pack
from isthmus.container import pack_file
from tests.conftest import GOLDEN

MODEL = str(GOLDEN / "golden.isthmus")
COUNT = 30_000


def run(*arguments, **options):
    """The command, to its end."""
    command = [sys.executable, "-m", "isthmus", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)


@pytest.fixture(scope="module")
def idx(tmp_path_factory):
    """Many pictures, so that packing takes long enough to be killed."""
    path = tmp_path_factory.mktemp("idx") / "noise-idx3-ubyte"
    noise = np.random.default_rng(1).integers(0, 256, (COUNT, 8, 8), np.uint8)
    path.write_bytes(struct.pack(">HBB3I", 0, 8, 3, *noise.shape) + noise.tobytes())
    return path


def test_killed_at_ten_moments(idx, tmp_path):
    """Nothing is under the final name; what was finished is there; --resume gives the file of an undisturbed run."""
    whole = tmp_path / "whole.isthpack"
    start = time.monotonic()
    done = run("pack", idx, "-o", whole, "--model", MODEL, "--threads", 1, "--json")
    seconds = time.monotonic() - start
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pictures"] == COUNT
    random = np.random.default_rng(2)
    found = []
    for moment in np.sort(random.uniform(0.1, 1.0, 10)) * seconds:
        target = tmp_path / "killed.isthpack"
        part = tmp_path / "killed.isthpack.part"
        command = [sys.executable, "-m", "isthmus", "pack", str(idx), "-o", str(target), "--model", MODEL]
        process = subprocess.Popen([*command, "--threads", "1"], stdout=subprocess.DEVNULL)
        time.sleep(float(moment))
        process.send_signal(signal.SIGKILL)
        if process.wait() == 0:  # it was faster than the kill
            target.unlink()
            continue
        assert not target.exists()
        if part.exists() and part.stat().st_size > pack_file.MAX_HEADER_BYTES:
            content = part.read_bytes()
            blocks = list(pack_file.scan(lambda at, size, data=content: data[at : at + size], len(content)))
            names = [block.table.names[index] for block in blocks for index in range(len(block.table))]
            assert names == [f"{index:05d}.png" for index in range(len(names))]
            found.append(len(names))
        resumed = run("pack", idx, "-o", target, "--model", MODEL, "--threads", 1, "--resume")
        assert resumed.returncode == 0, resumed.stderr
        assert target.read_bytes() == whole.read_bytes()
        assert not part.exists()
        target.unlink()
    assert max(found, default=0) > 0, "every kill came before the first block: the machine is too slow for this test"


def test_recover_an_unfinished_pack(idx, tmp_path):
    """Pictures of whole blocks come out of NAME.part."""
    whole = tmp_path / "whole.isthpack"
    assert run("pack", idx, "-o", whole, "--model", MODEL, "--threads", 1).returncode == 0
    part = tmp_path / "cut.isthpack.part"
    part.write_bytes(whole.read_bytes()[:20_000])
    cut = run("unpack", part, "-o", tmp_path / "out", "--model", MODEL)
    assert cut.returncode == 1
    assert "has no end" in cut.stderr
    assert run("unpack", part, "-o", tmp_path / "out", "--model", MODEL, "--recover", "--only", "000*").returncode == 0
    pack = Pack(whole, model=MODEL)
    written = sorted((tmp_path / "out").iterdir())
    assert len(written) == 100
    np.testing.assert_array_equal(np.asarray(Image.open(written[42])), pack[written[42].name])


def test_a_full_disk_loses_nothing(idx, tmp_path):
    """One line; the blocks before are kept, and --resume goes on with them."""
    target = tmp_path / "full.isthpack"
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100_000, 100_000))
    full = run("pack", idx, "-o", target, "--model", MODEL, "--threads", 1, preexec_fn=limit)
    assert full.returncode == 1
    lines = full.stderr.strip().splitlines()
    assert len(lines) == 1, full.stderr
    assert "--resume goes on" in lines[0]
    assert not target.exists()
    assert run("pack", idx, "-o", target, "--model", MODEL, "--threads", 1, "--resume").returncode == 0
    assert len(Pack(target, model=MODEL)) == COUNT


def test_info_says_what_a_pack_holds(idx, tmp_path):
    """Count, bytes, ratio, model; readable and as JSON."""
    target = tmp_path / "a.isthpack"
    run("pack", idx, "-o", target, "--model", MODEL, "--threads", 1)
    facts = json.loads(run("info", target, "--json").stdout)
    assert facts["pictures"] == COUNT
    assert facts["source_bytes"] == COUNT * 64
    assert facts["ratio"] == pytest.approx(COUNT * 64 / target.stat().st_size)
    assert "bytes per picture" in run("info", target).stdout
