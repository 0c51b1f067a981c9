"""Models are values that cross process borders, and take whatever holds a picture or bytes."""

from __future__ import annotations

import copy
import os
import pickle
import random
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from PIL import Image

import isthmus
from isthmus.codec import pipeline
from isthmus.codec.model import load_model
from isthmus.errors import IsthmusError
from isthmus.imaging.windows import Window
from tests.conftest import GOLDEN

KINDS = ["golden.isthmus", "golden-hyperprior.isthmus"]


def encoded(model: isthmus.Model, pixels: np.ndarray) -> bytes:
    """What a worker does."""
    return model.encode(pixels)


@pytest.mark.parametrize("name", KINDS)
def test_a_model_is_pickled_and_copied(name):
    """Also one whose graphs are loaded; a spawned process goes on with it."""
    model = load_model(GOLDEN / name, threads=1)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    data = model.encode(pixels)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):  # noqa: S301
        assert other.id == model.id
        assert other.encode(pixels) == data
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(encoded, model, pixels).result(timeout=120) == data


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (8, 8, 2), (8, 8, 3), (8, 8, 4)])
@pytest.mark.parametrize(
    "mode", [None, "1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"]
)
def test_what_decode_gives_encode_takes(shape, mode):
    """For every mode, alpha included."""
    model = load_model(GOLDEN / "golden-hyperprior.isthmus")
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    once = model.decode(model.encode(pixels if mode is None else Image.new(mode, (9, 7))))
    twice = model.decode(model.encode(once))
    assert twice.shape == once.shape
    assert twice.dtype == np.uint8
    if once.ndim == 3 and once.shape[2] in (2, 4):
        assert np.array_equal(twice[:, :, -1], once[:, :, -1])


@pytest.mark.parametrize("kind", [bytearray, memoryview, lambda data: np.frombuffer(data, np.uint8)])
def test_bytes_may_come_in_whatever_holds_them(golden_model, pictures, kind, monkeypatch):
    """At every door of the Python interface."""
    data = golden_model.encode(pictures[0])
    held = kind(data)
    monkeypatch.setattr("isthmus.codec.api.find_model", lambda *_: golden_model)
    expected = golden_model.decode(data)
    assert np.array_equal(isthmus.decode(held), expected)
    assert np.array_equal(isthmus.decode(held, model=golden_model), expected)
    assert np.array_equal(golden_model.decode_batch([held, data])[0], expected)
    assert np.array_equal(golden_model.symbols(held)[0], golden_model.symbols(data)[0])
    part = pipeline.decode_region(held, golden_model.coder, Window(0, 0, 4, 4))
    assert np.array_equal(part.pixels[:, :, 0], expected[:4, :4])
    assert pipeline.salvage(held, golden_model.coder)[1] == ()


class Tensor:
    """An array of another library: what it shares is NumPy's protocol."""

    def __init__(self, pixels: np.ndarray) -> None:
        self._pixels = pixels

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self._pixels


def test_arrays_of_other_libraries_are_taken(golden_model, pictures):
    """As NumPy's are."""
    assert golden_model.encode(Tensor(pictures[0])) == golden_model.encode(pictures[0])


def test_deep_pillow_images_need_leave(golden_model):
    """As on the command line."""
    deep = Image.fromarray(np.full((8, 8), 257 * 99, np.uint16))
    with pytest.raises(IsthmusError, match=r"16 bits.*depth=8"):
        golden_model.encode(deep)
    assert golden_model.encode(deep, depth=8) == golden_model.encode(np.full((8, 8), 99, np.uint8))


def test_nothing_of_the_process_is_changed(tmp_path):
    """By any public function that needs no training: random states, Pillow's limit, warnings, the working folder."""

    def state() -> tuple[object, ...]:
        numpy_state = np.random.get_state(legacy=False)
        return (
            random.getstate(),
            numpy_state["state"]["key"].tobytes(),
            Image.MAX_IMAGE_PIXELS,
            list(warnings.filters),
            np.geterr(),
            os.getcwd(),  # noqa: PTH109
        )

    before = state()
    model = isthmus.load_model(GOLDEN / "golden-hyperprior.isthmus")
    image = Image.effect_noise((40, 30), 50).convert("RGBA")
    data = model.encode(image, target_bytes=2000)
    isthmus.decode(data, model=model)
    isthmus.register_pillow()
    image.save(tmp_path / "a.isth", model=model)
    with pytest.raises(IsthmusError):
        isthmus.decode(data[:-1], model=model)
    with pytest.raises(IsthmusError):
        isthmus.Pack(tmp_path / "a.isth")
    with pytest.raises(IsthmusError):
        isthmus.load_model("nobody")
    assert state() == before
