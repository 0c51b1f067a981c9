"""What a folder holds is read in the order that people count in; what is left out is named."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from PIL import Image

from isthmus.sources.folders import walk


@pytest.fixture
def folder(tmp_path):
    """Pictures, and everything else that folders hold."""
    top = tmp_path / "top"
    for name in ("2.png", "10.png", "1/9.JPG", "1/11.jpg", ".hidden.png", ".thumbnails/a.png"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(top / name)
    for name in ("notes.txt", "b.HEIC", "c.heic", "d.nef"):
        (top / name).write_bytes(b"something")
    return top


def test_numbers_in_names_count(folder):
    """2 stands before 10, folder by folder; suffixes in any case."""
    assert [path.relative_to(folder).as_posix() for path in walk(folder).files] == [
        "1/9.JPG",
        "1/11.jpg",
        "2.png",
        "10.png",
    ]


def test_what_is_left_out_is_named_one_line_a_kind(folder):
    """Hidden ones and other files are notes; pictures of formats that are not read are problems."""
    found = walk(folder)
    hidden, others = found.notes
    assert ".hidden.png, .thumbnails" in hidden
    assert ".txt 1" in others
    assert "notes.txt" in others
    (problem,) = found.problems
    assert "(.heic 2, .nef 1): b.HEIC, c.heic, d.nef" in str(problem)


def test_links_are_followed_to_files_only(folder, tmp_path):
    """One to a folder is named, one to nothing or to itself is a problem; nothing loops."""
    (tmp_path / "elsewhere.png").write_bytes((folder / "2.png").read_bytes())
    (folder / "file.png").symlink_to(tmp_path / "elsewhere.png")
    (folder / "loop").symlink_to(folder)
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "self.png").symlink_to("self.png")
    found = walk(folder)
    assert folder / "file.png" in found.files
    assert any("links to folders" in note and note.endswith("loop") for note in found.notes)
    assert {name for name in ("gone.png", "self.png") for problem in found.problems if name in str(problem)} == {
        "gone.png", "self.png",
    }  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes in folders there")
def test_a_pipe_that_is_called_a_picture_is_not_waited_for(folder):
    """Reading it would never end."""
    os.mkfifo(folder / "pipe.png")
    assert any("pipe.png" in str(problem) for problem in walk(folder).problems)


def test_a_folder_that_cannot_be_read_is_a_problem(folder, monkeypatch):
    """The others are read."""
    scan = os.scandir

    def refusing(path):
        if str(path).endswith("1"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)  # the tests may run as root, whom nothing is refused
    found = walk(folder)
    assert [path.name for path in found.files] == ["2.png", "10.png"]
    assert any("Permission denied" in str(problem) for problem in found.problems)
