"""A sweep runs each value once, names what failed, and goes on after a stop; maps and denoising use its models."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from isthmus.codec.denoising import denoise_files
from isthmus.codec.model import load_model
from isthmus.errors import ModelMismatchError, UsageError
from isthmus.learn import sweep
from isthmus.learn.code_map import draw_map, load_for_model, principal_components
from isthmus.learn.experiment import run_experiment
from isthmus.learn.loop.schedule import Budget
from isthmus.learn.recipes.loading import load_recipe
from isthmus.learn.sweep import parse_variation, run_sweep

SMALL = ["data.count=100", "model.hidden=8", "model.code=4"]
from tests.conftest import job_of


@pytest.mark.train
def test_a_stopped_sweep_goes_on_and_names_failed_runs(tmp_path, monkeypatch):
    """Stopped in its second run: the first is not repeated. A value that cannot be fails alone."""
    recipe = load_recipe("glyphs-dense", SMALL)
    done = []

    def stopping(changed, *args, **options):
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(changed.model.code)
        return run_experiment(changed, *args, **options)

    monkeypatch.setattr(sweep, "run_experiment", stopping)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(recipe, "model.code=4,3,0", tmp_path, epochs=1)
    done.clear()
    again = []
    monkeypatch.setattr(
        sweep, "run_experiment", lambda r, *a, **o: again.append(r.model.code) or run_experiment(r, *a, **o)
    )
    runs = run_sweep(recipe, "model.code=4,3,0", tmp_path, epochs=1)
    assert again == [3]
    assert [run.error is None for run in runs] == [True, True, False]
    assert "above zero" in runs[2].error
    rows = list(csv.DictReader((tmp_path / "sweep.csv").read_text().splitlines()))
    assert [row["model.code"] for row in rows] == ["4", "3", "0"]
    assert [row["reduction"] for row in rows[:2]] == ["0.9949", "0.9962"]
    for figure in ("sweep.png", "sweep-pictures.png", "code-4/curves.png"):
        assert (tmp_path / figure).read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.train
def test_a_sweep_that_is_killed_mid_training_goes_on_from_its_checkpoint(tmp_path):
    """Killed outright, no handler runs: the same command ends both runs, and does no epoch twice."""
    command = [
        sys.executable,
        "-m",
        "isthmus",
        "sweep",
        "glyphs-dense",
        "--vary",
        "model.code=4,3",
        "-o",
        str(tmp_path),
    ]
    for setting in ("data.count=2000", "model.hidden=64", "training.batch_size=16"):
        command += ["--set", setting]
    log = tmp_path / "code-4" / "log.csv"
    with subprocess.Popen([*command, "--epochs", "12"], stdout=subprocess.DEVNULL) as process:
        while not log.exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
    before = log.read_text().splitlines()
    assert 1 < len(before) < 13
    done = subprocess.run([*command, "--epochs", "12", "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    after = log.read_text().splitlines()
    assert len(after) == 13
    assert after[: len(before)] == before
    assert [run["error"] for run in json.loads(done.stdout)["runs"]] == [None, None]
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_variation_is_read_or_refused():
    """Repeats count once."""
    assert parse_variation("model.code=4, 3,4") == ("model.code", ["4", "3"])
    for text in ("model.code", "=3", "model.code=", "model.code=,"):
        with pytest.raises(UsageError, match="KEY=V1"):
            parse_variation(text)


@pytest.mark.slow
@pytest.mark.train
def test_a_model_of_noisy_pictures_denoises_and_draws_its_map(tmp_path):
    """Whole pictures of any size; a model that never saw noise is refused."""
    settings = ["data.count=120", "tile=14", "hidden=8", "code=4", "noise.kind=gaussian"]
    run_experiment(load_recipe("glyphs-dense", settings), tmp_path / "run", budget=Budget(1))
    model = load_model(tmp_path / "run" / "model.isthmus")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (33, 47), np.uint8)).save(tmp_path / "noisy.png")
    jobs = [
        job_of(tmp_path / "noisy.png", tmp_path / "clean.png"),
        job_of(tmp_path / "none.png", tmp_path / "other.png"),
    ]
    outcomes = list(denoise_files(jobs, model))
    assert [outcome.error is None for outcome in outcomes] == [True, False]
    with Image.open(tmp_path / "clean.png") as image:
        assert image.size == (47, 33)
    assert draw_map(model, load_for_model(model, "glyphs", count=40)).startswith(b"\x89PNG")
    run_experiment(load_recipe("glyphs-dense", SMALL), tmp_path / "plain", budget=Budget(1))
    with pytest.raises(ModelMismatchError, match="digits-denoise"):
        list(denoise_files(jobs, load_model(tmp_path / "plain" / "model.isthmus")))


def test_principal_components_find_the_plane_that_codes_lie_in():
    """Distances within it survive."""
    random = np.random.default_rng(0)
    plane = random.normal(size=(50, 2)) * [3, 1]
    basis, _ = np.linalg.qr(random.normal(size=(7, 2)))
    points = principal_components((plane @ basis.T + 5).astype(np.float32))
    assert np.linalg.norm(points[0] - points[1]) == pytest.approx(np.linalg.norm(plane[0] - plane[1]), rel=1e-4)
