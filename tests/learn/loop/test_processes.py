"""Several processes train as one does with larger batches, and what goes wrong in one of them is said in one line."""

from __future__ import annotations

import atexit
import csv
import os
import signal
import socket
import subprocess
import sys

import pytest
import torch

from isthmus.errors import TrainingError, UsageError
from isthmus.learn.data.parts import own_part, steps_per_epoch
from isthmus.learn.data.pictures import Split
from isthmus.learn.experiment import build_model
from isthmus.learn.loop.processes import Processes, is_main, launch, make_fabric
from isthmus.learn.loop.schedule import Budget
from isthmus.learn.loop.training import train
from isthmus.learn.recipes.loading import load_recipe
from isthmus.sources.glyphs import draw_glyphs

SMALL = ["data.count=310", "model.hidden=16", "model.code=8", "training.precision=fp32", "training.warm_up_steps=0"]
TWO = Processes(devices=2)


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch):
    """Two processes may share a core here."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.fixture(scope="module")
def glyphs() -> Split:
    """310 drawn digits, which no batch here divides, and 51 to test on."""
    return Split(draw_glyphs("0123456789", 310, seed=0), draw_glyphs("0123456789", 51, seed=1), "glyphs")


def _train(glyphs, folder, *, batch, epochs=4, settings=(), **options):
    recipe = load_recipe("glyphs-dense", [*SMALL, f"training.batch_size={batch}", *settings])
    return train(recipe, glyphs, build_model(recipe, 5), folder, budget=Budget(epochs), seed=5, **options)


def _losses(run):
    return [loss for result in run.history for loss in (result.train_loss, result.test_loss, result.test_mse)]


@pytest.mark.parametrize(("count", "batch", "processes"), [(12, 2, 3), (310, 25, 2), (7, 3, 4), (1, 8, 3), (9, 100, 2)])
def test_the_parts_of_an_epoch_are_the_batches_of_one_process(count, batch, processes):
    """Step by step the same pictures, each in one part, but for a few seen twice where the count does not divide."""
    order = torch.randperm(count)
    parts = [torch.split(own_part(order, rank=rank, processes=processes), batch) for rank in range(processes)]
    assert {len(part) for part in parts} == {steps_per_epoch(count, batch, processes=processes)}
    seen = torch.cat([torch.cat(step) for step in zip(*parts, strict=True)])
    assert set(seen.tolist()) == set(range(count))
    assert len(seen) - count == -count % processes
    for step, whole in zip(zip(*parts, strict=True), torch.split(order, batch * processes), strict=True):
        assert set(whole.tolist()) <= set(torch.cat(step).tolist())
        assert {len(part) for part in step} == {len(step[0])}


@pytest.mark.slow
@pytest.mark.train
def test_two_processes_learn_as_one_with_the_doubled_batch(glyphs, tmp_path):
    """The same curve but for the order of sums, and not the curve of the single batch."""
    together = _train(glyphs, tmp_path / "two", batch=31, processes=TWO)
    alone = _train(glyphs, tmp_path / "one", batch=62)
    assert _losses(together) == pytest.approx(_losses(alone), rel=1e-4)
    for name, tensor in alone.model.state_dict().items():
        torch.testing.assert_close(together.model.state_dict()[name], tensor, rtol=1e-3, atol=1e-4, msg=name)
    single = _train(glyphs, tmp_path / "single", batch=31)
    assert _losses(together) != pytest.approx(_losses(single), rel=1e-3)
    rows = list(csv.DictReader((tmp_path / "two" / "log.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]


@pytest.mark.slow
@pytest.mark.train
def test_a_run_resumes_with_another_number_of_processes(glyphs, tmp_path):
    """One process, then two, then one, with batches of the same pictures: the curve of a run that never stopped."""
    settings = ["training.schedule=constant"]  # its learning rate does not depend on where the first run would end
    alone = _train(glyphs, tmp_path / "whole", batch=400, epochs=6, settings=settings)
    _train(glyphs, tmp_path / "parts", batch=400, epochs=2, settings=settings)
    _train(glyphs, tmp_path / "parts", batch=400, epochs=4, settings=settings, processes=TWO, resume=True)
    resumed = _train(glyphs, tmp_path / "parts", batch=400, epochs=6, settings=settings, resume=True)
    assert _losses(resumed) == pytest.approx(_losses(alone), rel=1e-4)


@pytest.mark.train
def test_steps_done_count_in_pictures(glyphs, tmp_path):
    """Two epochs of ten steps are two of five where two processes go on, so that four epochs end after four."""
    _train(glyphs, tmp_path, batch=31, epochs=2)
    resumed = _train(glyphs, tmp_path, batch=31, epochs=4, processes=TWO, resume=True)
    assert [result.epoch for result in resumed.history] == [1, 2, 3, 4]


def _note_at_exit(fabric, folder):
    def note():
        (folder / str(fabric.global_rank)).write_text(str(torch.distributed.is_initialized()))

    atexit.register(note)
    fabric.barrier()


@pytest.mark.train
def test_connections_end_before_the_process(tmp_path):
    """What is still connected when Python ends aborts it now and then, and all would seem to have failed."""
    launch(make_fabric("cpu", "fp32", TWO), _note_at_exit, tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"0": "False", "1": "False"}


def _fail(fabric, kind):
    if kind == "bad setting" and fabric.global_rank == 0:
        raise UsageError("what was wrong")
    if kind == "killed" and fabric.global_rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "bug" and fabric.global_rank == 1:
        raise KeyError("no such thing")
    fabric.barrier()


@pytest.mark.train
@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("bad setting", UsageError, "^what was wrong$"),
        ("killed", TrainingError, "(SIGKILL|by peer).*--resume"),
        ("bug", TrainingError, "no such thing"),
    ],
)
def test_what_happens_to_one_process_is_said(kind, error, said):
    """The others end with it, whatever they wait for, and a port is not kept for the next launch."""
    with pytest.raises(error, match=said):
        launch(make_fabric("cpu", "fp32", TWO), _fail, kind)
    assert "MASTER_PORT" not in os.environ


def test_devices_that_are_not_there_are_refused():
    """Before anything starts."""
    with pytest.raises(UsageError, match=r"devices is 3, but there are 2 processor core"):
        make_fabric("cpu", "fp32", Processes(devices=3))
    with pytest.raises(UsageError, match="devices is 1 or more"):
        Processes(devices=0)
    with pytest.raises(UsageError, match="nodes is 1 or more"):
        Processes(nodes=-1)


def test_nodes_must_know_each_other(monkeypatch):
    """Each variable that is missing or wrong is named."""
    nodes = Processes(nodes=2)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    for name in ("MASTER_PORT", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="MASTER_PORT, NODE_RANK is not set"):
        is_main(nodes)
    monkeypatch.setenv("MASTER_PORT", "29500")
    monkeypatch.setenv("NODE_RANK", "2")
    with pytest.raises(UsageError, match="NODE_RANK is a number up to 1, not '2'"):
        make_fabric("cpu", "fp32", nodes)
    monkeypatch.setenv("NODE_RANK", "1")
    assert not is_main(nodes)
    monkeypatch.setenv("NODE_RANK", "0")
    assert is_main(nodes)


@pytest.mark.slow
@pytest.mark.train
def test_two_nodes_train_one_model(tmp_path):
    """Two commands that know each other's address, as on two machines: the first one has all files."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = [f"--set={setting}" for setting in (*SMALL, "training.batch_size=31")]
    command = [sys.executable, "-m", "isthmus", "train", "glyphs-dense", *settings, "--epochs", "2", "--nodes", "2"]
    nodes = []
    for rank in (1, 0):
        known = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NODE_RANK": str(rank)}
        nodes.append(
            subprocess.Popen(
                [*command, "-o", str(tmp_path / f"node{rank}")],
                env=os.environ | known,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    (_, said), (printed, _) = (node.communicate(timeout=300) for node in nodes)
    assert [node.returncode for node in nodes] == [0, 0], said
    assert "the first node has the model" in said
    assert "2 epochs" in printed
    files = ["checkpoint.pt", "curves.png", "log.csv", "model.isthmus"]
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == files
