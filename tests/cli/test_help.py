"""What the command says of itself."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

import pytest

from isthmus.container.model_file import read_model
from tests.conftest import GOLDEN

MODEL, PACK = GOLDEN / "golden.isthmus", GOLDEN / "two.isthpack"


def isthmus(*arguments, **environment) -> subprocess.CompletedProcess:
    """Run the command in a fresh process."""
    command = [sys.executable, "-m", "isthmus", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | environment)


@pytest.mark.parametrize("command", [[], ["compress"], ["models", "add"]])
def test_a_short_option_asks_for_help(command):
    """-h is --help."""
    assert isthmus(*command, "-h").stdout == isthmus(*command, "--help").stdout


def test_the_version_names_engines_and_libraries():
    """Those that are installed, with their versions; those that are not."""
    lines = dict(line.split(" ", 1) for line in isthmus("--version").stdout.splitlines())
    assert {"isthmus", "python", "onnxruntime", "openvino", "numpy", "torch"} <= lines.keys()
    assert lines["onnxruntime"][0].isdigit()


def test_a_shell_completes_commands():
    """As the script that --install-completion writes asks for it."""
    done = isthmus(_ISTHMUS_COMPLETE="complete_bash", COMP_WORDS="isthmus rec", COMP_CWORD="1")
    assert done.stdout.split() == ["recipes", "reconstruct"]
    shown = ["bash", "-c", f"{shlex.quote(sys.executable)} -m isthmus --show-completion; exit $?"]  # it asks its parent
    assert "complete_bash" in subprocess.run(shown, capture_output=True, text=True, check=True).stdout


def test_a_recipe_is_explained():
    """Each setting with its value, its default where it has another, its range and its meaning."""
    said = isthmus("recipes", "digits-reduction").stdout
    assert "training.batch_size=32  (default 256; above 0)\n    Pictures in a step." in said
    settings = json.loads(isthmus("recipes", "digits-reduction", "--json").stdout)["settings"]
    assert all(one["meaning"] for one in settings)
    assert {"key", "value", "default", "range", "meaning"} == settings[0].keys()
    for name, key in (("photo", "tune"), ("own", "error_share"), ("denoise", "jpeg")):
        settings = json.loads(isthmus("recipes", name, "--json").stdout)["settings"]
        assert f"training.{key}" in [one["key"] for one in settings]
        assert all(one["meaning"] for one in settings)
    assert isthmus("recipes", "digits-reductoin").returncode == 2


def test_info_takes_several_files_and_the_folder_of_a_run(tmp_path):
    """What cannot be read is named, the others are told."""
    (tmp_path / "model.isthmus").write_bytes(MODEL.read_bytes())
    done = isthmus("info", tmp_path, PACK, tmp_path / "none", "--json")
    assert done.returncode == 1
    assert "none cannot be read" in done.stderr
    files = json.loads(done.stdout)["files"]
    assert [one["format"] for one in files] == ["isthmus", "isthpack"]


def test_a_pack_is_listed():
    """A line for each picture; other files have no list."""
    listed = json.loads(isthmus("info", PACK, "--list", "--json").stdout)["list"]
    assert [(one["name"], one["width"], one["height"]) for one in listed] == [("0.png", 8, 8), ("1.png", 8, 8)]
    assert isthmus("info", PACK, "--list").stdout.startswith("0.png: 8×8, ")
    assert isthmus("info", MODEL, "--list").returncode == 2


def test_an_added_model_has_its_own_name_and_one_that_is_shadowed_is_said(tmp_path):
    """Where the name is that of a shipped model, which goes first."""
    (tmp_path / "model.isthmus").write_bytes(MODEL.read_bytes())
    own = read_model(MODEL).name
    done = isthmus("models", "add", tmp_path / "model.isthmus")
    assert done.stdout.strip().endswith(f"{own}.isthmus")
    assert done.stderr == ""
    shadowed = isthmus("models", "add", tmp_path / "model.isthmus", "--name", "photo")
    assert "'photo' still means" in shadowed.stderr
