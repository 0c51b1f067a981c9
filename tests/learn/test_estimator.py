"""scikit-learn's conventions hold."""

from __future__ import annotations

import copy
import pickle
import random
import signal
import warnings

import joblib
import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch.utils.data import DataLoader, Dataset

import isthmus
from isthmus.errors import InputError
from isthmus.sources.glyphs import draw_glyphs

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """(200, 28, 28) uint8."""
    return draw_glyphs("012", 200, seed=0).pictures[..., 0]


def test_fit_transform_and_back(images, tmp_path):
    """Codes have the asked width, pictures the layout of fit, and the model codes to bytes."""
    estimator = isthmus.Autoencoder("glyphs-dense", code=5, epochs=3)
    codes = estimator.fit(images).transform(images[:7])
    assert codes.shape == (7, 5)
    back = estimator.inverse_transform(codes)
    assert back.shape == (7, 28, 28)
    assert 0 <= back.min() <= back.max() <= 1
    estimator.save(tmp_path / "m.isthmus")
    model = isthmus.load_model(tmp_path / "m.isthmus")
    assert model.decode(model.encode(images[0])).shape == (28, 28)
    with pytest.raises(InputError):
        estimator.inverse_transform(codes[:, :3])


def test_parameters_and_pipelines(images):
    """get_params, set_params, clone, and flattened floats in a Pipeline."""
    estimator = isthmus.Autoencoder("glyphs-dense", epochs=1, settings={"model.hidden": "8"})
    assert clone(estimator).set_params(code=3).get_params()["code"] == 3
    pipeline = make_pipeline(FunctionTransformer(), clone(estimator).set_params(code=3))
    flat = images.reshape(len(images), -1) / 255
    assert pipeline.fit(flat).transform(flat).shape == (200, 3)
    assert pipeline[-1].inverse_transform(pipeline.transform(flat[:2])).shape == (2, 784)


def test_a_fit_has_a_history_and_a_score(images):
    """An epoch a line; the score is the PSNR of what comes back, and is higher after more epochs."""
    short, long = (isthmus.Autoencoder("glyphs-dense", epochs=epochs).fit(images) for epochs in (1, 8))
    assert [result.epoch for result in long.history_] == list(range(1, 9))
    assert long.history_[-1].test_mse < short.history_[-1].test_mse
    error = np.mean((long.inverse_transform(long.transform(images)) - images / 255) ** 2)
    assert long.score(images) == pytest.approx(-10 * np.log10(error))
    assert long.score(images) > short.score(images)


def test_columns_have_names_and_may_be_a_data_frame(images):
    """As scikit-learn's own transformers have them."""
    pandas = pytest.importorskip("pandas")
    estimator = isthmus.Autoencoder("glyphs-dense", code=3, epochs=1).fit(images)
    names = ["autoencoder0", "autoencoder1", "autoencoder2"]
    assert list(estimator.get_feature_names_out()) == names
    frame = estimator.set_output(transform="pandas").transform(images[:4])
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == names
    assert estimator.inverse_transform(frame).shape == (4, 28, 28)
    assert estimator.score(images) > 0


@pytest.fixture(scope="module")
def fitted(images) -> isthmus.Autoencoder:
    """A small one."""
    return isthmus.Autoencoder("glyphs-dense", code=3, epochs=1).fit(images)


def through_joblib(value, folder):
    """Written and read."""
    joblib.dump(value, folder / "a.joblib")
    return joblib.load(folder / "a.joblib")


def test_a_fitted_estimator_is_pickled_copied_and_dumped(fitted, images, tmp_path):
    """With what it has learnt."""
    codes = fitted.transform(images[:5])
    for other in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted), through_joblib(fitted, tmp_path)):  # noqa: S301
        assert np.array_equal(other.transform(images[:5]), codes)


ARRAY_LIKES = {
    "a list of arrays": list,
    "nested lists": lambda images: images.tolist(),
    "a list of Pillow images": lambda images: [Image.fromarray(image) for image in images],
    "a tensor": torch.from_numpy,
    "wider whole numbers": lambda images: images.astype(np.int64),
}


@pytest.mark.parametrize("name", ARRAY_LIKES)
def test_whatever_becomes_an_array_is_fitted(fitted, images, name):
    """To the same model as the array itself."""
    alike = ARRAY_LIKES[name](images)
    other = isthmus.Autoencoder("glyphs-dense", code=3, epochs=1).fit(alike)
    codes = other.transform(alike[:5])
    assert np.array_equal(codes, fitted.transform(images[:5]))
    assert np.array_equal(other.inverse_transform(codes.tolist()), fitted.inverse_transform(codes))


@pytest.mark.parametrize(
    "pictures",
    [
        [np.zeros((28, 28)), np.zeros((20, 28))],
        ["a", "b"],
        [None, None],
        5,
        np.full((4, 28, 28), 256),
        np.full((4, 28, 28), -1),
        torch.zeros(4, 28, 28, requires_grad=True),
        np.zeros((4, 28, 28), complex),
    ],
)
def test_what_is_no_array_is_refused_before_training(pictures, monkeypatch):
    """In one line."""
    monkeypatch.setattr("isthmus.learn.estimator.train", lambda *_, **__: pytest.fail("training began"))
    with pytest.raises(InputError, match=r"^X ") as caught:
        isthmus.Autoencoder("glyphs-dense").fit(pictures)
    assert "\n" not in str(caught.value)


def test_fitting_leaves_the_process_as_it_was(fitted, images):
    """Random states, numbers of threads, warnings, handlers of signals."""

    def state() -> tuple[object, ...]:
        return (
            torch.get_rng_state().tolist(),
            np.random.get_state(legacy=False)["state"]["key"].tobytes(),
            random.getstate(),
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            list(warnings.filters),
            signal.getsignal(signal.SIGINT),
            signal.getsignal(signal.SIGTERM),
        )

    torch.manual_seed(11)
    before = state()
    other = clone(fitted).fit(images)
    other.inverse_transform(other.transform(images[:5]))
    assert state() == before


class Coded(Dataset):
    """Pictures as a model codes and decodes them, by the workers of a loader."""

    def __init__(self, model: isthmus.Model, images: np.ndarray) -> None:
        self.model, self.images = model, images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        if index == 3:
            raise isthmus.ModelNotFoundError("nowhere", wanted="photo")
        return torch.from_numpy(self.model.decode(self.model.encode(self.images[index])))


def test_spawned_workers_of_a_loader_use_models_and_tell_errors(fitted, images):
    """As forked ones do."""
    model = fitted.model_
    loader = DataLoader(Coded(model, images[:4]), num_workers=2, multiprocessing_context="spawn")
    seen = iter(loader)
    for index in range(3):
        assert np.array_equal(next(seen)[0].numpy(), model.decode(model.encode(images[index])))
    with pytest.raises(isthmus.ModelNotFoundError):
        next(seen)
