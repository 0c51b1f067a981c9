"""The strong siblings' networks: their start, their rate, and files that hold what they learnt."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isthmus.codec.model import load_model
from isthmus.errors import UsageError
from isthmus.learn.experiment import build_model, run_experiment
from isthmus.learn.loop.schedule import Budget
from isthmus.learn.models.rate import RateNoise
from isthmus.learn.recipes.loading import load_recipe

PATCHES = ["patch=8", "height=32", "width=32", "hidden=4", "blocks=1"]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_patch_network_starts_as_an_orthonormal_transform(channels):
    """With all its coefficients the picture comes back, of any size; with few of them a smooth one nearly does."""
    recipe = load_recipe("tiles-strong", [*PATCHES, f"channels={channels}", f"code={64 * channels}"])
    pictures = torch.rand(2, channels, 24, 40)
    with torch.no_grad():
        assert torch.allclose(build_model(recipe, 0).reconstruct(pictures), pictures, atol=1e-4)
        few = build_model(load_recipe("tiles-strong", [*PATCHES, "code=6", f"channels={channels}"]), 0)
        ramp = torch.linspace(0, 1, 40).expand(2, channels, 24, 40)
        assert few.analysis(ramp).shape == (2, 6, 3, 5)
        assert (few.reconstruct(ramp) - ramp).abs().max() < 0.05


def test_a_residual_network_starts_as_a_linear_one():
    """Its blocks add nothing yet: with the normalisations taken out, sums of pictures give sums of codes."""
    model = build_model(load_recipe("digits-strong", ["output=linear"]), 0)
    for block in model.modules():
        if hasattr(block, "correction"):
            values = torch.randn(3, 256)
            assert torch.equal(block(values), values)


@pytest.mark.parametrize(
    ("name", "setting", "message"),
    [
        ("digits-strong", "hidden=64,32", "one width"),
        ("digits-strong", "blocks=0", "one block"),
        ("tiles-strong", "code=257", "at most the 256"),
        ("tiles-strong", "patch=1", "from 2 to 32"),
        ("tiles-strong", "height=200", "do not divide by 16"),
        ("digits-rate", "rate.weight=-1", "not negative"),
    ],
)
def test_a_network_that_cannot_be_is_explained(name, setting, message):
    """In one line, before anything is loaded."""
    with pytest.raises(UsageError, match=message):
        load_recipe(name, [setting])


def test_the_rate_of_noisy_codes_is_their_entropy():
    """Fitted to Gaussian codes of known width, the bits come within 3 % of the differential entropy."""
    torch.manual_seed(0)
    layer = RateNoise(2)
    optimiser = torch.optim.Adam([p for name, p in layer.named_parameters() if name != "log_gains"], 0.02)
    latents = torch.randn(4000, 2, 1, 1) * torch.tensor([1.0, 0.25]).reshape(2, 1, 1)
    for _ in range(300):
        optimiser.zero_grad()
        layer(latents)
        layer.bits.backward()
        optimiser.step()
    widths = np.sqrt((8.0 * np.array([1.0, 0.25])) ** 2 + 1 / 12)  # the first gain, and the noise
    entropy = np.sum(0.5 * np.log2(2 * np.pi * np.e * widths**2))
    assert abs(layer.bits.item() / entropy - 1) < 0.03
    assert torch.allclose(layer.eval()(latents), 8 * latents)


@pytest.mark.slow
@pytest.mark.train
def test_a_dearer_rate_makes_smaller_files(tmp_path):
    """The same network and steps, with bits two thousand times as dear: fewer bytes, and still a codec."""
    bytes_of, errors = [], []
    for weight in ("0.000001", "0.002"):
        settings = ["source=glyphs", "data.count=600", "hidden=32", "blocks=1", "code=8", "batch_size=16", "share=0"]
        recipe = load_recipe("digits-rate", [*settings, "warm_up_steps=20", f"rate.weight={weight}"])
        done = run_experiment(recipe, tmp_path / weight, budget=Budget(8))
        bytes_of.append(done.metrics.payload_bytes_per_image)
        errors.append(done.metrics.coded_mse)
        steps = load_model(done.model).file.arrays["steps"]
        assert (steps[recipe.coding.default_quality - 1] == 1).all()
    assert bytes_of[1] < 0.7 * bytes_of[0]
    assert errors[0] < errors[1] < 0.5


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.train
def test_strong_recipes_train_on_a_few_real_pictures(shared_data, tmp_path):
    """One pass each, of pictures in a folder; patch models take any size."""
    import shutil

    for name, source, settings in (
        ("tiles-strong", "common256", ["virtual_count=8"]),
        ("faces-strong", "anime", ["virtual_count=8"]),
    ):
        for part, count in (("train", 6), ("test", 2)):
            (tmp_path / source / part).mkdir(parents=True)
            for path in sorted((shared_data / source / part).iterdir())[:count]:
                shutil.copy(path, tmp_path / source / part)
        recipe = load_recipe(name, [*settings, "hidden=8", "blocks=1"])
        done = run_experiment(recipe, tmp_path / name, source=str(tmp_path / source), budget=Budget(1))
        assert 0 < done.metrics.test_mse < 0.05
        model = load_model(done.model)
        shape = (37, 51) if recipe.model.channels == 1 else (37, 51, 3)
        picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        assert model.decode(model.encode(picture)).shape == shape
