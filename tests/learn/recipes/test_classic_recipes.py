"""Each classic experiment trains one pass on a few real pictures and ends as a codec for whole pictures."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from isthmus.codec.model import load_model
from isthmus.learn.data.loading import load_data
from isthmus.learn.experiment import build_model, picture_spec, run_experiment
from isthmus.learn.models.tiled import cut_tiles, tile_model
from isthmus.learn.recipes.loading import load_recipe
from isthmus.learn.recipes.settings import DataSettings

DIGITS = ["digits-reduction", "digits-k4", "digits-tiles", "digits-conv", "digits-denoise", "digits-denoise-dense"]
OF_ANY_SIZE = {"digits-tiles", "digits-conv", "digits-denoise", "tiles-dense", "tiles-conv", "faces-conv"}


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.train
@pytest.mark.parametrize("name", [*DIGITS, "tiles-dense", "tiles-conv", "faces-conv"])
def test_a_recipe_trains_on_a_few_real_pictures(name, shared_data, tmp_path):
    """Its figures are numbers, and its files hold pictures of any size where the network allows."""
    recipe = load_recipe(name, ["augmentation.virtual_count=64"] if name == "faces-conv" else [])
    experiment = run_experiment(recipe, tmp_path / "run", source=_few(name, shared_data, tmp_path), budget=_one_epoch())
    assert 0 < experiment.metrics.test_mse < 0.5
    assert experiment.metrics.coded_mse < 1.2 * experiment.metrics.test_mse + 0.01 or "denoise" in name
    if name in OF_ANY_SIZE:
        model = load_model(tmp_path / "run" / "model.isthmus")
        shape = (37, 51, 3) if name == "faces-conv" else (37, 51)
        picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        assert model.decode(model.encode(picture)).shape == shape


def _one_epoch():
    from isthmus.learn.loop.schedule import Budget

    return Budget(1)


def _few(name, shared_data, tmp_path) -> str:
    """The recipe's data, cut down to what one pass takes a second for."""
    if name in DIGITS:
        data = load_data(str(shared_data / "mnist"), DataSettings(), picture_spec(load_recipe(name)), seed=0)
        np.save(tmp_path / "digits.npy", data.train.pictures[:300])
        return str(tmp_path / "digits.npy")
    source = shared_data / ("anime" if name.startswith("faces") else "common256")
    for part, count in (("train", 12), ("test", 2)):
        (tmp_path / "few" / part).mkdir(parents=True)
        for path in sorted((source / part).iterdir())[:count]:
            shutil.copy(path, tmp_path / "few" / part)
    return str(tmp_path / "few")


@pytest.mark.parametrize("overlap", [0, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_tiles_cut_and_joined_give_back_the_picture(overlap, channels):
    """Seams and edges included, where the network between changes nothing."""
    pixels = channels * 64
    recipe = load_recipe(
        "tiles-dense",
        ["tile=8", f"overlap={overlap}", "hidden=", f"code={pixels}", "code_activation=linear", f"channels={channels}"],
    )
    network = build_model(recipe, 0)
    for layer in network.modules():
        if isinstance(layer, torch.nn.Linear):
            torch.nn.init.eye_(layer.weight)
    step = 8 - overlap
    pictures = torch.rand(2, channels, 3 * step, 5 * step)
    model = tile_model(network, recipe.model)
    assert torch.allclose(model.reconstruct(pictures), pictures, atol=1e-5)
    values = (pictures * 255).round().to(torch.uint8)
    cut = cut_tiles(values.permute(0, 2, 3, 1).numpy(), tile=8, overlap=overlap)
    codes = model.analysis(values.float()).permute(0, 2, 3, 1).reshape(-1, channels, 8, 8)
    assert np.array_equal(cut.transpose(0, 3, 1, 2), codes.detach().numpy())
