"""`isthmus pack` and `unpack` as users run them: killed, out of disk, resumed."""

from __future__ import annotations

import json
import os
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

from isthmus.container import pack_file
from isthmus.packs.pack import Pack
from tests.conftest import GOLDEN, hear_interrupts

MODEL = str(GOLDEN / "golden.isthmus")
COUNT = 30_000
LARGEST_BLOCK = 4000
"""Bytes of 128 of these pictures; no more than those are lost."""


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


@pytest.mark.slow
def test_killed_at_ten_moments(idx, tmp_path):
    """Nothing is under the final name; what was finished is there; --resume gives the file of an undisturbed run."""
    whole, target = tmp_path / "whole.isthpack", tmp_path / "killed.isthpack"
    part = tmp_path / "killed.isthpack.part"
    done = run("pack", idx, "-o", whole, "--model", MODEL, "--threads", 1, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pictures"] == COUNT
    size = whole.stat().st_size
    command = [sys.executable, "-m", "isthmus", "pack", str(idx), "-o", str(target), "--model", MODEL]
    found = []
    for moment in np.sort(np.random.default_rng(2).integers(0, size, 10)).tolist():
        process = subprocess.Popen([*command, "--threads", "1"], stdout=subprocess.DEVNULL)
        while process.poll() is None and not (part.exists() and part.stat().st_size >= moment):
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if not target.exists():  # else it was faster than the kill
            content = part.read_bytes()
            scanned = pack_file.scan(lambda at, size, data=content: data[at : at + size], len(content))
            blocks = list(scanned) if content else []
            names = [block.table.names[index] for block in blocks for index in range(len(block.table))]
            assert names == [f"{index:05d}.png" for index in range(len(names))]
            assert len(content) - sum(block.length for block in blocks) <= LARGEST_BLOCK
            found.append(len(names))
            resumed = run("pack", idx, "-o", target, "--model", MODEL, "--threads", 1, "--resume")
            assert resumed.returncode == 0, resumed.stderr
        assert target.read_bytes() == whole.read_bytes()
        assert not part.exists()
        target.unlink()
    assert len(found) >= 5
    assert max(found) > 0


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


@pytest.mark.parametrize("jobs", [1, 2])
def test_interrupted_says_one_line_and_leaves_no_process(idx, tmp_path, jobs):
    """Ctrl-C reaches all processes of the group; what was packed stays for --resume."""
    target, part = tmp_path / "a.isthpack", tmp_path / "a.isthpack.part"
    command = [sys.executable, "-m", "isthmus", "pack", str(idx), "-o", str(target), "--model", MODEL]
    process = subprocess.Popen(
        [*command, "--jobs", str(jobs)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_interrupts,  # noqa: PLW1509 - it sets a signal, no more
    )
    wait_for(lambda: part.exists() and part.stat().st_size > 10_000)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip().splitlines() == [f"isthmus: stopped: what was packed is in {part}, --resume goes on with it"]
    assert not target.exists()
    assert run("pack", idx, "-o", target, "--model", MODEL, "--resume").returncode == 0
    assert len(Pack(target, model=MODEL)) == COUNT


def test_workers_end_with_a_killed_pack(idx, tmp_path):
    """A pack that is killed cannot end its workers: they see it themselves."""
    part = tmp_path / "a.isthpack.part"
    command = [sys.executable, "-m", "isthmus", "pack", str(idx), "-o", str(tmp_path / "a.isthpack"), "--model", MODEL]
    process = subprocess.Popen([*command, "--jobs", "2"], start_new_session=True)
    wait_for(lambda: part.exists() and part.stat().st_size > 10_000)
    assert members(process.pid) > {process.pid}
    process.kill()
    process.wait()
    wait_for(lambda: not members(process.pid))


def test_what_cannot_be_asked_for_is_one_line(idx, tmp_path):
    """Wrong values, places and sources: what is wrong, and nothing is left behind."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("no picture")
    good, output = ["pack", idx, "--model", MODEL], tmp_path / "a.isthpack"
    for arguments, message in [
        ([*good, "-o", output, "--quality", 0], "1 to 100, not 0"),
        ([*good, "-o", output, "--jobs", 0], "equal to 1"),
        ([*good, "-o", output, "--labels", tmp_path / "nothing"], "nothing cannot be read"),
        ([*good, "-o", output, "--labels", idx], "labels for"),
        ([*good, "-o", output, "--append"], "nothing to append to"),
        ([*good, "-o", tmp_path / "folder"], "is a folder"),
        ([*good, "-o", tmp_path / "folder", "--force"], "is a folder"),
        ([*good, "-o", tmp_path / "file" / "a.isthpack"], "cannot write"),
        (["pack", tmp_path / "nowhere", "-o", output, "--model", MODEL], "does not exist"),
        (["pack", tmp_path / "folder", "-o", output, "--model", MODEL], "holds no pictures"),
        (["unpack", tmp_path / "file", "-o", tmp_path / "out"], "not a .isthpack"),
        (["unpack", tmp_path / "file", "-o", tmp_path / "out", "--recover"], "not a .isthpack"),
        (["unpack", tmp_path / "nothing", "-o", tmp_path / "out"], "cannot be read"),
        (["unpack", tmp_path / "file", "-o", tmp_path / "out", "--format", "xyz"], "xyz"),
    ]:
        done = run(*arguments)
        assert done.returncode in (1, 2), arguments
        (line,) = done.stderr.strip().splitlines()
        assert line.startswith("isthmus: "), line
        assert message in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    assert not list((tmp_path / "folder").iterdir())


def test_damage_is_said_by_every_command(idx, tmp_path):
    """A pack cut short, or with a block damaged: info and unpack say what to do, --recover gets the rest."""
    target, out = tmp_path / "a.isthpack", tmp_path / "out"
    assert run("pack", idx, "-o", target, "--model", MODEL).returncode == 0
    whole = target.read_bytes()
    target.write_bytes(whole[:-1])
    for command in (["info", target], ["unpack", target, "-o", out, "--model", MODEL]):
        done = run(*command)
        assert done.returncode == 1
        assert "--recover" in done.stderr
    damaged = bytearray(whole)
    damaged[500] ^= 1
    target.write_bytes(damaged)
    done = run("unpack", target, "-o", out, "--model", MODEL, "--only", "00[01]*", "--json")
    assert done.returncode == 1
    facts = json.loads(done.stdout)
    assert (facts["pictures"], len(facts["failed"])) == (200 - pack_file.BLOCK_PICTURES, pack_file.BLOCK_PICTURES)
    assert len(list(out.iterdir())) == facts["pictures"]
    again = run("unpack", target, "-o", out, "--model", MODEL, "--only", "0019*")
    assert "exists already" in again.stderr


def wait_for(is_so):
    """Until something is so, at most a minute."""
    for _ in range(1200):
        if is_so():
            return
        time.sleep(0.05)
    pytest.fail("it did not come about within a minute")


def members(group):
    """Processes of a group that live."""
    listed = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return {int(pid) for pid, of, state in rows if int(of) == group and not state.startswith("Z")}
