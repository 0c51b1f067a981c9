"""The commands as a user types them: what they print, what they leave, how they fail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from isthmus.cli import main
from isthmus.sources.glyphs import draw_glyphs
from tests.conftest import GOLDEN, hear_interrupts

GOLDEN_MODEL = str(GOLDEN / "golden.isthmus")


def isthmus(*arguments, folder=None) -> subprocess.CompletedProcess:
    """Run the command in a fresh process."""
    command = [sys.executable, "-m", "isthmus", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300)


@pytest.mark.parametrize(
    "command",
    [[], ["demo"], ["recipes"], ["train"], ["reconstruct"], ["compress"], ["decompress"], ["info"], ["models"],
     ["models", "add"], ["models", "remove"]],
)  # fmt: skip
def test_every_command_has_help_with_an_example(command):
    """And exits with 0."""
    done = isthmus(*command, "--help")
    assert done.returncode == 0
    assert "Example: isthmus" in done.stdout


@pytest.mark.train
def test_the_way_of_a_picture(tmp_path):
    """Train, install, compress, info, decompress, reconstruct: each with --json."""
    run = tmp_path / "run"
    trained = isthmus(
        "train",
        "glyphs-dense",
        "-o",
        run,
        "--epochs",
        2,
        "--set",
        "count=500",
        "--set",
        "hidden=32",
        "--install",
        "glyphs-dense",
        "--json",
    )
    assert trained.returncode == 0, trained.stderr
    report = json.loads(trained.stdout)
    assert {"recipe", "model", "model_id", "parameters", "train_seconds", "epochs", "metrics"} <= report.keys()
    assert {"test_mse", "test_psnr", "bits_per_image", "bytes_per_image"} <= report["metrics"].keys()
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for index, pixels in enumerate(draw_glyphs("01", 5, seed=9).pictures[..., 0]):
        Image.fromarray(pixels).save(pictures / f"{index}.png")
    packed = isthmus("compress", pictures, "-o", tmp_path / "packed", "--model", "glyphs-dense", "--psnr", "--json")
    files = json.loads(packed.stdout)["files"]
    assert len(files) == 5
    facts = {
        "source",
        "output",
        "width",
        "height",
        "source_bytes",
        "bytes",
        "bpp",
        "psnr",
        "seconds",
        "coding",
        "noisy_bytes",
    }
    assert set(files[0]) == facts
    info = json.loads(isthmus("info", tmp_path / "packed" / "0.isth", "--json").stdout)
    assert info["model_id"] == report["model_id"]
    assert info["bytes"] == (tmp_path / "packed" / "0.isth").stat().st_size
    assert json.loads(isthmus("info", report["model"], "--json").stdout)["name"] == "glyphs-dense"
    unpacked = isthmus("decompress", tmp_path / "packed", "-o", tmp_path / "back", "--json")
    assert len(json.loads(unpacked.stdout)["files"]) == 5
    assert _picture(tmp_path / "back" / "3.png").shape == (28, 28)
    figure = isthmus("reconstruct", pictures, "-o", tmp_path / "figure.png", "--model", "glyphs-dense", "--json")
    assert json.loads(figure.stdout)["pictures"] == 5
    assert _picture(tmp_path / "figure.png").shape[1] > 300
    listed = [model["name"] for model in json.loads(isthmus("models", "--json").stdout)["models"]]
    assert listed == ["denoise", "photo", "photo-psnr", "glyphs-dense"]
    assert isthmus("models", "remove", "glyphs-dense").returncode == 0


def _picture(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["compress", "none.png", "-o", "x.isth", "--model", GOLDEN_MODEL], 1, "does not exist"),
        (["compress", "empty", "-o", "out", "--model", GOLDEN_MODEL], 1, "holds no pictures"),
        (["compress", "text.png", "-o", "x.isth", "--model", GOLDEN_MODEL], 1, "not a picture"),
        (["compress", "good.png", "-o", "x.isth", "--model", "missing.isthmus"], 1, "no model"),
        (["compress", "good.png", "-o", "x.isth", "--model", "text.png"], 1, "not a model file"),
        (["compress", "good.png", "-o", "taken.isth", "--model", GOLDEN_MODEL], 1, "--force"),
        (["compress", "good.png", "-o", "new.png", "--model", GOLDEN_MODEL], 2, "ends in .png"),
        (["compress", "good.png", "-o", "x.isth", "--model", GOLDEN_MODEL, "--quality", "0"], 2, "1 to 100"),
        (["compress", "wide.png", "-o", "x.isth", "--model", GOLDEN_MODEL], 1, "--fit"),
        (["compress", "good.png", "-o", "text.png/x.isth", "--model", GOLDEN_MODEL], 1, "cannot write"),
        (["decompress", "text.png", "-o", "x.png"], 1, "not a .isth"),
        (["decompress", "text.png", "-o", "x.xyz"], 2, "written as"),
        (["info", "text.png"], 1, "none of"),
        (["info", "nothing"], 1, "cannot be read"),
        (["train", "digit-dense"], 2, "did you mean"),
        (["train", "digits-dense", "--set", "training.epoch=1"], 2, "did you mean"),
        (["train", "photo", "--data", "empty", "--steps", "9"], 2, "counts time"),
        (["train", "photo", "--data", "empty", "--minutes", "1", "--install", "x"], 2, "models add"),
        (["train", "digits-dense", "--install", "a/b"], 2, "plain file name"),
        (["train", "photo", "--data", "empty", "--minutes", "1", "--device", "tpu"], 2, "device is one of"),
        (["train", "digits-dense", "--data", "empty", "-o", "run"], 1, "no pictures"),
        (["train", "digits-dense", "--data", "none", "-o", "run"], 1, "no data"),
        (["train", "glyphs-dense", "-o", "text.png", "--epochs", "1", "--set", "count=60"], 1, "cannot write"),
        (["models", "add", "text.png"], 1, "not a model file"),
        (["models", "remove", "none"], 1, "no installed model"),
        (["frobnicate"], 2, "No such command"),
    ],
)
def test_bad_input_gets_one_clear_line(tmp_path, arguments, code, message):
    """On stderr, with exit code 1 or 2, and nothing is written."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("no picture at all")
    (tmp_path / "taken.isth").write_text("")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "good.png")
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(tmp_path / "wide.png")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    done = isthmus(*arguments, folder=tmp_path)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    if code == 1:
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != "run"}
    assert {path for path in after if path not in before} == set()


@pytest.mark.slow
@pytest.mark.train
def test_interrupted_training_keeps_its_last_epoch(tmp_path):
    """Ctrl-C gives one line and exit code 130, and --resume goes on."""
    command = [
        sys.executable,
        "-m",
        "isthmus",
        "train",
        "glyphs-dense",
        "-o",
        str(tmp_path / "run"),
        "--set",
        "count=600",
    ]
    with subprocess.Popen(
        [*command, "--epochs", "100000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,  # noqa: PLW1509 - it sets a signal, no more
    ) as process:
        while not (tmp_path / "run" / "checkpoint.pt").exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in message
    assert "Traceback" not in message
    assert not list(tmp_path.rglob("*.tmp"))
    done = subprocess.run([*command, "--steps", "1", "--resume"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("kept", "told"), [(True, "the last step is kept"), (False, "nothing is kept")])
def test_a_run_stopped_early_promises_nothing(kept, told, tmp_path, monkeypatch, capsys):
    """What Ctrl-C says is kept is there."""

    def interrupted(folder, **_options):
        if kept:
            (folder / "checkpoint.pt").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("isthmus.learn.hyperprior.experiment.train_codec", interrupted)
    monkeypatch.setattr(sys, "argv", ["isthmus", "train", "photo", "--data", str(tmp_path), "-o", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main.run()
    assert ended.value.code == 130
    assert told in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.train
def test_the_demo_writes_its_report(tmp_path):
    """With a hundred files, their pictures, and a table; a second run is refused without --force."""
    done = isthmus("demo", "-o", tmp_path / "demo", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["pictures"] == 100
    page = (tmp_path / "demo" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert all(f"{codec['mean_bytes']:.1f}" in page for codec in result["codecs"])
    ours, *others = result["codecs"]
    assert all(ours["mean_bytes"] < other["mean_bytes"] for other in others)
    assert len(list((tmp_path / "demo" / "compressed").glob("*.isth"))) == 100
    again = isthmus("demo", "-o", tmp_path / "demo")
    assert again.returncode == 1
    assert "--force" in again.stderr


def test_no_command_overwrites_its_input(tmp_path):
    """Not even with --force."""
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.isth", "PNG")
    before = (tmp_path / "a.isth").read_bytes()
    done = isthmus("compress", "a.isth", "-o", "a.isth", "--model", GOLDEN_MODEL, "--force", folder=tmp_path)
    assert done.returncode == 1
    assert "overwritten by its own result" in done.stderr
    assert (tmp_path / "a.isth").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupted_evaluation_says_so_in_one_line(tmp_path, jobs):
    """Ctrl-C reaches its processes too; the journal stays for the same command."""
    (tmp_path / "pictures").mkdir()
    for index in range(40):
        Image.fromarray(np.full((512, 512, 3), index, np.uint8)).save(tmp_path / "pictures" / f"{index}.png")
    folder = tmp_path / "comparison"
    command = [sys.executable, "-m", "isthmus", "evaluate", "--data", str(tmp_path / "pictures"), "-o", str(folder)]
    process = subprocess.Popen(
        [*command, "--against", "avif", "--jobs", str(jobs)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_interrupts,  # noqa: PLW1509 - it sets a signal, no more
    )
    journal = folder / "journal.jsonl"
    while not journal.exists() or len(journal.read_text().splitlines()) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130
    assert message.strip().splitlines() == [
        f"isthmus: stopped: what was measured is in {folder}, the same command goes on with the others"
    ]
