"""Errors cross process borders with all that they say."""

from __future__ import annotations

import copy
import json
import multiprocessing
import pickle
from importlib import metadata
from types import SimpleNamespace

import pytest

from isthmus import errors
from isthmus.codec.pillow_plugin import DamagedImageError, TruncatedImageError
from isthmus.errors import IsthmusError
from tests.conftest import ROOT

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, IsthmusError)]
MADE = {
    errors.ModelNotFoundError: {"wanted": "photo"},
    **{kind: {"offset": 7} for kind in KINDS if issubclass(kind, errors.FormatError)},
}


def made(kind: type[IsthmusError]) -> IsthmusError:
    """One of a kind, with all its facts."""
    if kind is errors.MissingExtraError:
        return errors.MissingExtraError(extra="train", purpose="training")
    error = kind("what was found", **MADE.get(kind, {}))
    error.args = (f"name: {error}", *error.args[1:])  # as commands put a file's name in front
    return error


@pytest.mark.parametrize("kind", [*KINDS, DamagedImageError, TruncatedImageError])
@pytest.mark.parametrize("through", [lambda error: pickle.loads(pickle.dumps(error)), copy.deepcopy, copy.copy])  # noqa: S301
def test_an_error_comes_back_as_it_was(kind, through):
    """Kind, message and facts."""
    error = made(kind)
    back = through(error)
    assert type(back) is kind
    assert str(back) == str(error)
    assert back.args == error.args
    assert vars(back) == vars(error)


def test_an_error_with_a_number_of_the_system_keeps_it():
    """As `OutputError` may have one."""
    back = pickle.loads(pickle.dumps(errors.OutputError(28, "no space left", "a.isth")))  # noqa: S301
    assert (back.errno, back.filename) == (28, "a.isth")


def fail(kind: str) -> None:
    """What a worker does."""
    raise made(getattr(errors, kind))


def test_a_pool_whose_worker_meets_an_error_tells_it():
    """Rather than waiting for ever."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for kind in ("ModelNotFoundError", "MissingExtraError", "TruncatedError"):
            with pytest.raises(getattr(errors, kind)):
                pool.apply_async(fail, (kind,)).get(timeout=60)


@pytest.mark.parametrize("kind", [*KINDS, DamagedImageError, TruncatedImageError])
def test_an_error_is_made_of_its_message_alone(kind):
    """As PyTorch's loader does with those of its workers."""
    assert str(kind("what was found")) == "what was found"


def test_a_missing_extra_names_an_install_that_works_here(tmp_path, monkeypatch):
    """From a clone, from a wheel, from an index, and from a wheel that is gone."""
    assert f"pip install -e '{ROOT}[train]'" in str(errors.MissingExtraError(extra="train", purpose="training"))
    monkeypatch.setattr(errors, "__file__", str(tmp_path / "site" / "isthmus" / "errors.py"))
    wheel = tmp_path / "isthmus-0.1.0-py3-none-any.whl"
    wheel.touch()
    needs = ["numpy>=2.0", "starlette>=0.46; extra == 'studio'", 'uvicorn>=0.30; extra == "studio"']

    def found(url):
        return SimpleNamespace(read_text=lambda _: url and json.dumps({"url": url}), requires=needs)

    monkeypatch.setattr(metadata, "distribution", lambda _: found(wheel.as_uri()))
    assert errors.install_command("studio") == f"pip install '{wheel}[studio]'"
    monkeypatch.setattr(metadata, "distribution", lambda _: found(None))
    assert errors.install_command("studio") == "pip install 'isthmus[studio]'"
    monkeypatch.setattr(metadata, "distribution", lambda _: found("file:///gone/isthmus.whl"))
    assert errors.install_command("studio") == "pip install 'starlette>=0.46' 'uvicorn>=0.30'"
