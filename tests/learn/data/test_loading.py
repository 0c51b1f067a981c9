"""Labels of folders: one numbering for train and test, whatever else lies there."""

from __future__ import annotations

import numpy as np
from PIL import Image

from isthmus.learn.data.loading import load_data
from isthmus.learn.recipes.settings import DataSettings
from isthmus.values import PictureSpec

SPEC = PictureSpec(1, 8, 8)


def _picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)


def test_classes_are_numbered_once_for_train_and_test(tmp_path):
    """A class that one part lacks leaves its number free there; hidden folders are no class."""
    for name in ("train/cat/1", "train/dog/1", "train/eel/1", "test/cat/1", "test/eel/1", "train/.cache/1"):
        _picture(tmp_path / f"{name}.png")
    data = load_data(str(tmp_path), DataSettings(), SPEC, seed=0)
    assert data.train.labels.tolist() == [0, 1, 2]
    assert data.test.labels.tolist() == [0, 2]
    assert any(".cache" in note for note in data.notes)


def test_labels_survive_a_broken_file(tmp_path):
    """It is left out with its label, and said."""
    for index in range(4):
        _picture(tmp_path / "a" / f"{index}.png")
        _picture(tmp_path / "b" / f"{index}.png")
    (tmp_path / "a" / "2.png").write_bytes(b"broken")
    data = load_data(str(tmp_path), DataSettings(), SPEC, seed=0)
    labels = [*data.train.labels.tolist(), *data.test.labels.tolist()]
    assert (labels.count(0), labels.count(1)) == (3, 4)
    assert any("1 of 8 pictures" in note for note in data.notes)
