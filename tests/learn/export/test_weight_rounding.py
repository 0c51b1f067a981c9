"""Weights in few bits, and what that makes of a model file."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from isthmus.codec.model import load_model
from isthmus.errors import UsageError
from isthmus.learn.experiment import run_experiment
from isthmus.learn.export.weight_rounding import round_weights
from isthmus.learn.loop.schedule import Budget
from isthmus.learn.recipes.loading import load_recipe

pytestmark = pytest.mark.train


@pytest.mark.parametrize("bits", [2, 5, 8])
@pytest.mark.parametrize("layer", [nn.Linear(20, 6), nn.Conv2d(3, 6, 3), nn.ConvTranspose2d(6, 3, 3)])
def test_each_row_has_so_many_values_and_is_off_by_half_a_unit(layer, bits):
    """Zero stays zero, and so do biases."""
    with torch.no_grad():
        layer.weight[0] = 0
    before, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    round_weights(nn.Sequential(layer), bits)
    assert torch.equal(layer.bias, bias)
    assert not layer.weight[0].any()
    for row, was in zip(layer.weight.detach().flatten(1), before.flatten(1), strict=True):
        assert len(row.unique()) < 2**bits
        assert (row - was).abs().max() <= was.abs().max() / (2 ** (bits - 1) - 1)


def test_none_are_rounded_unasked_and_widths_are_checked():
    """0 is float32."""
    layer = nn.Linear(4, 4)
    before = layer.weight.detach().clone()
    round_weights(layer, 0)
    assert torch.equal(layer.weight, before)
    for wrong in (1, 17, -3):
        with pytest.raises(UsageError, match="weight_bits"):
            load_recipe("digits-small", [f"coding.weight_bits={wrong}"])


def test_a_model_of_few_bits_has_a_third_of_the_bytes(tmp_path):
    """And decodes to nearly the same."""
    runs = {}
    for bits in (0, 7):
        recipe = load_recipe("glyphs-dense", ["data.count=400", f"coding.weight_bits={bits}"])
        runs[bits] = run_experiment(recipe, tmp_path / str(bits), source=None, seed=0, budget=Budget(3))
    plain, few = (load_model(run.model) for run in runs.values())
    sizes = [(tmp_path / str(bits) / "model.isthmus").stat().st_size for bits in runs]
    assert sizes[1] < 0.45 * sizes[0]
    picture = np.zeros((28, 28), np.uint8)
    picture[8:20, 12:16] = 255
    one, other = (model.decode(model.encode(picture)).astype(int) for model in (plain, few))
    assert np.abs(one - other).mean() < 8
