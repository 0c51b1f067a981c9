"""Recipes load, settings are checked, and data of every kind arrives as the model takes it."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from PIL import Image

from isthmus.errors import InputError, ModelMismatchError, UsageError
from isthmus.learn.data.loading import load_data
from isthmus.learn.recipes.loading import (
    all_keys,
    change_recipe,
    load_recipe,
    recipe_from_table,
    recipe_names,
    recipe_to_table,
)
from isthmus.learn.recipes.settings import DataSettings
from isthmus.sources import mnist
from isthmus.sources.glyphs import draw_glyphs
from isthmus.values import PictureSpec

DIGIT = PictureSpec(1, 28, 28)


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_loads_and_survives_its_manifest(name):
    """TOML to settings, to JSON and back."""
    recipe = load_recipe(name)
    assert recipe.summary
    assert recipe_from_table(recipe_to_table(recipe)) == recipe


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.epoch=3", "training.epochs"),
        ("lernrate=3", "no setting"),
        ("model.code=0", "above zero"),
        ("model.code=many", "whole number"),
        ("model.hidden=3,x", "whole numbers"),
        ("training.loss=huber", "mse, bce"),
        ("epochs", "KEY=VALUE"),
    ],
)
def test_a_setting_that_cannot_be_is_explained(setting, message):
    """A misspelt key with the nearest one."""
    with pytest.raises(UsageError, match=message):
        load_recipe("digits-dense", [setting])


def test_a_misspelt_recipe_is_answered_with_the_nearest():
    """By name."""
    with pytest.raises(UsageError, match="'digits-dense'"):
        load_recipe("digit-dense")


def test_a_recipe_file_of_ones_own(tmp_path):
    """With a misspelt key in it, and one that is no TOML."""
    (tmp_path / "own.toml").write_text('summary = "mine"\n[model]\ncode = 5\n')
    assert load_recipe(str(tmp_path / "own.toml")).model.code == 5
    (tmp_path / "own.toml").write_text("[model]\ncodes = 5\n")
    with pytest.raises(UsageError, match="'code'"):
        load_recipe(str(tmp_path / "own.toml"))
    (tmp_path / "own.toml").write_text("model = [")
    with pytest.raises(UsageError, match="TOML"):
        load_recipe(str(tmp_path / "own.toml"))


def test_a_key_may_leave_out_its_section():
    """Where one section has it."""
    assert change_recipe(load_recipe("digits-dense"), {"code": "7"}).model.code == 7
    assert len(all_keys()) == len(set(all_keys()))


def test_glyphs_are_a_function_of_their_seed():
    """Another seed draws others; labels say what is drawn."""
    first, again, other = (draw_glyphs("ab", 20, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.pictures, again.pictures)
    assert not np.array_equal(first.pictures, other.pictures)
    assert set(first.labels.tolist()) == {0, 1}
    assert first.pictures.mean() > 10


def _idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def test_idx_folders_plain_and_gzipped(tmp_path):
    """With labels; a file that is too short is refused."""
    pictures = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
    for stem in ("train", "t10k"):
        (tmp_path / f"{stem}-images-idx3-ubyte.gz").write_bytes(gzip.compress(_idx(pictures)))
        (tmp_path / f"{stem}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(_idx(np.arange(5, dtype=np.uint8))))
    data = load_data(str(tmp_path), DataSettings(), DIGIT, seed=0)
    assert np.array_equal(data.test.pictures[..., 0], pictures)
    assert data.train.labels.tolist() == [0, 1, 2, 3, 4]
    (tmp_path / "plain").write_bytes(_idx(pictures))
    assert len(load_data(str(tmp_path / "plain"), DataSettings(), DIGIT, seed=0).train) == 4
    (tmp_path / "plain").write_bytes(_idx(pictures)[:-1])
    with pytest.raises(InputError, match="announces"):
        load_data(str(tmp_path / "plain"), DataSettings(), DIGIT, seed=0)


def test_a_folder_of_any_pictures_is_fitted(tmp_path):
    """Formats, modes and sizes mixed, one of them broken."""
    Image.new("RGB", (60, 20), (200, 0, 0)).save(tmp_path / "a.jpg")
    Image.new("LA", (3, 3)).save(tmp_path / "b.png")
    Image.new("P", (28, 28)).save(tmp_path / "c.gif")
    (tmp_path / "d.png").write_bytes(b"broken")
    data = load_data(str(tmp_path), DataSettings(), DIGIT, seed=0)
    assert len(data.train) + len(data.test) == 3
    assert data.train.pictures.shape[1:] == (28, 28, 1)


def test_numpy_arrays_as_bytes_and_floats(tmp_path):
    """Pickles and values out of range are refused."""
    pictures = np.random.default_rng(0).integers(0, 256, (12, 28, 28), np.uint8)
    np.savez(tmp_path / "a.npz", x_train=pictures / 255, y_train=np.arange(12))
    data = load_data(str(tmp_path / "a.npz"), DataSettings(), DIGIT, seed=0)
    assert len(data.test) == 1
    assert np.array_equal(data.train.pictures[0, ..., 0], pictures[data.train.labels[0]])
    np.save(tmp_path / "b.npy", pictures * 2.0)
    with pytest.raises(InputError, match=r"\[0, 1\]"):
        load_data(str(tmp_path / "b.npy"), DataSettings(), DIGIT, seed=0)
    np.save(tmp_path / "c.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(InputError):
        load_data(str(tmp_path / "c.npy"), DataSettings(), DIGIT, seed=0)


def test_data_of_another_size_names_the_settings_that_help(tmp_path):
    """As does a folder without pictures, and a path that is not there."""
    np.save(tmp_path / "a.npy", np.zeros((9, 32, 30), np.uint8))
    with pytest.raises(ModelMismatchError, match=r"model\.height=32.*model\.width=30"):
        load_data(str(tmp_path / "a.npy"), DataSettings(), DIGIT, seed=0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        load_data(str(tmp_path / "empty"), DataSettings(), DIGIT, seed=0)
    with pytest.raises(InputError, match="no data"):
        load_data(str(tmp_path / "none"), DataSettings(), DIGIT, seed=0)


def test_crops_of_data_of_another_size_name_the_setting_of_crops(tmp_path):
    """A model cut from larger pictures is not made larger: data.side is."""
    np.save(tmp_path / "a.npy", np.zeros((9, 96, 96, 3), np.uint8))
    with pytest.raises(ModelMismatchError, match=r"data\.side=96 --set model\.channels=3"):
        load_data(str(tmp_path / "a.npy"), DataSettings(side=100), PictureSpec(3, 100, 100), seed=0)


def test_what_fitting_takes_away_is_counted(tmp_path):
    """Two colour pictures and a grey one of another size, for a grey model."""
    for index, shape in enumerate([(28, 28, 3), (28, 28, 3), (40, 28), (28, 28)]):
        Image.fromarray(np.full(shape, 90, np.uint8)).save(tmp_path / f"{index}.png")
    data = load_data(str(tmp_path), DataSettings(), DIGIT, seed=0)
    assert (data.colours_lost, data.resized) == (2, 1)


def test_without_a_network_mnist_says_what_to_do(monkeypatch):
    """Where to put the files, or how to name their folder."""
    monkeypatch.setattr(mnist, "MIRRORS", ("http://127.0.0.1:9/",))
    with pytest.raises(InputError, match="--data DIR"):
        mnist.fetch_mnist()


@pytest.mark.data
def test_the_pinned_hashes_are_mnists(shared_data):
    """Those of the files as they were published."""
    import hashlib

    for name, digest in mnist.HASHES.items():
        assert hashlib.sha256((shared_data / "mnist" / name).read_bytes()).hexdigest() == digest
