"""scikit-learn's conventions hold."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import isthmus
from isthmus.errors import InputError
from isthmus.learn.data.glyphs import draw_glyphs

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
