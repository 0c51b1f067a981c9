"""A Linux desktop knows the files: by name, by their first bytes, and by a thumbnail."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import isthmus
from isthmus import desktop
from tests.conftest import GOLDEN


def test_what_is_installed_is_removed_again(tmp_path):
    """All of it, and nothing else."""
    other = tmp_path / "mime" / "packages" / "other.xml"
    other.parent.mkdir(parents=True)
    other.write_text('<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info"/>')
    paths = desktop.install(tmp_path)
    assert all(path.is_file() for path in paths)
    assert desktop.remove(tmp_path) == paths
    assert not any(path.exists() for path in paths)
    assert other.is_file()


@pytest.mark.skipif(shutil.which("file") is None, reason="the tool file is not there")
def test_file_knows_pictures_and_packs(tmp_path):
    """By their first bytes and with their version."""
    magic = tmp_path / "magic"
    magic.write_text(desktop.magic_lines())
    for name, words in (("v2/plain-75.isth", "Isthmus picture, version 2"), ("v1/two.isthpack", "pack of pictures")):
        said = subprocess.run(["file", "-m", magic, GOLDEN.parent / name], capture_output=True, text=True)
        assert words in said.stdout, said.stdout + said.stderr


@pytest.mark.skipif(shutil.which("update-mime-database") is None, reason="there is no shared MIME database")
def test_the_mime_database_takes_the_types(tmp_path):
    """Suffixes and first bytes stand in what the tool makes of them."""
    desktop.install(tmp_path)
    assert ":*.isth" in (tmp_path / "mime" / "globs2").read_text()
    assert b"\x89ISTH\r\n" in (tmp_path / "mime" / "magic").read_bytes()


def test_a_thumbnail_is_made_as_a_desktop_asks_for_it(tmp_path):
    """Into a file that is there already and has no suffix; the entry names a command that exists."""
    pixels = np.full((96, 160, 3), 90, np.uint8)
    (tmp_path / "a.isth").write_bytes(isthmus.encode(pixels, quality=40))
    (tmp_path / "out").touch()
    command = [sys.executable, "-m", "isthmus", "desktop", "--thumbnail", tmp_path / "a.isth", "-o", tmp_path / "out"]
    done = subprocess.run([*command, "--size", "64"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out") as image:
        assert image.format == "PNG"
        assert image.size == (64, 38)
    start = desktop.thumbnailer().splitlines()[1].split('"')[1]
    assert shutil.which(start)
