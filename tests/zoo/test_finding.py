"""Where the model of an id comes from: what the user chose goes before what lies about."""

from __future__ import annotations

import dataclasses

import pytest

from isthmus.container.model_file import read_model, write_model
from isthmus.errors import LimitError, ModelNotFoundError
from isthmus.zoo.finding import find_by_id, install, models_folder
from tests.conftest import GOLDEN
from tests.container.hostile import BASE, with_manifest

OTHER = bytes(range(8))
STAND_IN = write_model(dataclasses.replace(BASE, decodes=(OTHER,)))


def test_a_model_beside_a_file_is_taken_where_it_is_the_one_of_the_id(tmp_path):
    """By its id, whatever it is called."""
    (tmp_path / "anything.isthmus").write_bytes(write_model(BASE))
    assert find_by_id(BASE.id, beside=tmp_path) == tmp_path / "anything.isthmus"
    with pytest.raises(ModelNotFoundError):
        find_by_id(BASE.id)


def test_a_model_beside_a_file_does_not_stand_in_for_another(tmp_path):
    """What a stranger's model says that it decodes is not believed; of an installed one it is."""
    (tmp_path / "a.isthmus").write_bytes(STAND_IN)
    with pytest.raises(ModelNotFoundError):
        find_by_id(OTHER, beside=tmp_path)
    installed = install(tmp_path / "a.isthmus")
    assert find_by_id(OTHER, beside=tmp_path) == installed


def test_the_models_folder_goes_before_what_lies_beside(tmp_path):
    """Also an installed model that stands in, before a model of the id itself that lies beside."""
    (tmp_path / "a.isthmus").write_bytes(STAND_IN)
    installed = install(tmp_path / "a.isthmus", name="mine")
    assert installed.parent == models_folder()
    theirs = dataclasses.replace(BASE, default_quality=50)
    (tmp_path / "theirs.isthmus").write_bytes(write_model(theirs))
    assert find_by_id(BASE.id, beside=tmp_path) == installed


def test_a_model_beside_a_file_that_fails_its_checks_is_passed_over(tmp_path):
    """It only says that it is the model: the next one is taken, and where there is none the message says why."""
    photo = read_model(GOLDEN / "golden-hyperprior.isthmus")
    liar = with_manifest(lambda manifest: manifest.update(id=BASE.id.hex()), base=photo)
    (tmp_path / "a.isthmus").write_bytes(liar)
    with pytest.raises(ModelNotFoundError, match=r"says that it is the model, but: .*do not match its id"):
        find_by_id(BASE.id, beside=tmp_path)
    (tmp_path / "b.isthmus").write_bytes(write_model(BASE))
    assert find_by_id(BASE.id, beside=tmp_path) == tmp_path / "b.isthmus"


def test_a_file_larger_than_models_is_not_read_to_be_installed(tmp_path):
    """A sparse file of a terabyte is refused, and takes no memory."""
    large = tmp_path / "large.isthmus"
    with large.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(LimitError):
        install(large)
    with pytest.raises(LimitError):
        read_model(large)
