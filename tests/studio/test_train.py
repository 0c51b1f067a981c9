"""Runs: started, watched, stopped, found again."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from isthmus.studio.train import processes
from isthmus.studio.train.runs import Runs, read_log
from isthmus.studio.train.settings_shown import OFFERED, offered_settings, recipes

SMALL = {"recipe": "glyphs-dense", "epochs": 2, "settings": ["data.count=300", "model.hidden=16", "model.code=4"]}


def wait(is_so, seconds=300):
    """Until something is so."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)


def state(client, name):
    """Of a run."""
    return next(run for run in client.get("/train/runs").json()["runs"] if run["name"] == name)


def test_every_setting_of_the_form_has_its_meaning_and_each_recipe_its_value():
    """From the settings' own sources."""
    assert [one.key for one in offered_settings()] == list(OFFERED)
    assert all(one.meaning.endswith(".") for one in offered_settings())
    assert all(set(recipe["values"]) == set(OFFERED) for recipe in recipes())


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe": "nothing"}, {"recipe": "../x.toml"}, {"recipe": "--help"}, {"recipe": ""},
        {"settings": ["model.cod=3"]}, {"settings": ["--force"]}, {"settings": "model.code=3"},
        {"data": "/etc"}, {"data": "../secret"}, {"epochs": "many"}, {"epochs": -1},
        {"vary": "model.code"}, {"vary": "model.cod=3"},
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_said_before_anything_starts(client, settings, changes):
    """In one line; no folder, no process."""
    answer = client.post("/train/start", json=SMALL | changes)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert not settings.runs.exists()


def test_names_of_runs_are_never_paths(client, settings):
    """Only what lies in the folder of runs is one."""
    (settings.runs / "one").mkdir(parents=True)
    (settings.runs / "one" / "log.csv").write_text("epoch,test_loss\n1,0.5\n2,nan\n3,x\n")
    assert [run["name"] for run in client.get("/train/runs").json()["runs"]] == ["one"]
    for name in ("..", "../data", "one/..", "", "/etc", "one/../one"):
        assert client.get("/train/picture", params={"run": name, "epoch": 1}).status_code == 404
        assert client.post("/train/stop", params={"run": name}).status_code == 404
    assert read_log(settings.runs / "one") == [{"epoch": 1.0, "test_loss": 0.5}, {"epoch": 2.0}, {"epoch": 3.0}]


def test_a_damaged_folder_is_a_run_that_stopped(settings):
    """Whatever its files hold."""
    folder = settings.runs / "odd"
    folder.mkdir(parents=True)
    for name in ("studio.json", "log.csv", "model.isthmus", "output.txt"):
        (folder / name).write_bytes(b"\xff\x00{")
    run = Runs(settings.runs).get("odd")
    assert run.epochs == 0
    assert not run.can_go_on


@pytest.mark.slow
@pytest.mark.train
def test_a_run_is_one_of_the_command_and_leaves_its_files(client, settings):
    """With ten pictures for every epoch; its code can be touched."""
    name = client.post("/train/start", json=SMALL).json()["name"]
    assert name == "glyphs-dense"
    assert state(client, name)["state"] in ("waiting", "running")
    wait(lambda: state(client, name)["state"] == "finished")
    files = {path.name for path in (settings.runs / name).iterdir()}
    assert {"checkpoint.pt", "log.csv", "model.isthmus", "pictures"} <= files
    assert state(client, name)["epochs"] == 2
    assert client.get(f"/train/picture?run={name}&epoch=2").content.startswith(b"\x89PNG")
    assert f"{name} (run)" in client.get("/code").text
    assert (
        client.post("/train/start", json={**SMALL, "settings": [*SMALL["settings"], "model.code=0"]}).status_code == 400
    )


@pytest.mark.slow
@pytest.mark.train
def test_a_run_outlives_its_studio_and_another_one_finds_stops_and_resumes_it(settings):
    """Killed or asked to end: the last whole epoch is kept."""
    first = Runs(settings.runs)
    name = first.start(processes.Asked("glyphs-dense", epochs=10_000, settings=tuple(SMALL["settings"])))
    wait(lambda: first.get(name).epochs >= 1)
    children = dict(processes._children)
    processes._children.clear()  # what a studio that was killed no longer knows
    second = Runs(settings.runs)
    assert second.get(name).state == "running"
    with pytest.raises(Exception, match="goes on already"):
        second.go_on(name, 0)
    second.stop(name)
    wait(lambda: second.get(name).state == "stopped")
    assert all(child.wait(10) is not None for child in children.values())
    done = second.get(name).epochs
    assert done >= 1
    second.go_on(name, 0)
    wait(lambda: second.get(name).epochs > done)
    os.kill(json.loads((settings.runs / name / "studio.json").read_text())["process"], signal.SIGKILL)
    wait(lambda: second.get(name).state == "stopped")
    second.go_on(name, second.get(name).epochs + 1)
    wait(lambda: second.get(name).state == "finished")


@pytest.mark.slow
@pytest.mark.train
def test_a_failure_is_told_with_its_last_line(client, settings):
    """Here data that the recipe cannot take."""
    (settings.data / "empty").mkdir()
    name = client.post("/train/start", json={**SMALL, "data": "empty"}).json()["name"]
    wait(lambda: state(client, name)["state"] == "failed")
    assert "empty" in state(client, name)["message"]


@pytest.mark.slow
@pytest.mark.train
def test_a_sweep_is_a_run_for_each_value(client):
    """Each of them a run like any other."""
    name = client.post("/train/start", json={**SMALL, "epochs": 1, "vary": "model.code=2,3"}).json()["name"]
    wait(lambda: state(client, name)["state"] == "finished")
    names = {run["name"] for run in client.get("/train/runs").json()["runs"]}
    assert names == {name, f"{name}/code-2", f"{name}/code-3"}
    assert client.get(f"/train/picture?run={name}/code-3&epoch=1").status_code == 200
