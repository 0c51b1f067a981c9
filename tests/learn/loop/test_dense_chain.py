"""Training steps of dense networks by hand are those of autograd."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from isthmus.learn.data.pictures import Split
from isthmus.learn.loop import training
from isthmus.learn.loop.dense_chain import DenseChain
from isthmus.learn.loop.schedule import Budget, make_optimiser
from isthmus.learn.models.autoencoder import Autoencoder
from isthmus.learn.models.dense import build_dense
from isthmus.learn.models.losses import make_loss
from isthmus.learn.recipes.loading import load_recipe
from isthmus.learn.recipes.settings import ModelSettings, TrainingSettings
from isthmus.sources.glyphs import draw_glyphs
from isthmus.values import LatentSpec, PictureSpec

pytestmark = pytest.mark.train
SMALL = ModelSettings(height=6, width=5, hidden=(12,), code=4)


def _pair(settings: ModelSettings) -> tuple[Autoencoder, Autoencoder]:
    torch.manual_seed(0)
    first, second = build_dense(settings), build_dense(settings)
    second.load_state_dict(first.state_dict())
    return first, second


@pytest.mark.parametrize("activation", ["relu", "leaky-relu", "gelu"])
@pytest.mark.parametrize("code_activation", ["relu", "linear"])
@pytest.mark.parametrize(
    ("loss", "output"), [("mse", "relu"), ("mse", "sigmoid"), ("mse", "linear"), ("bce", "sigmoid")]
)
def test_gradients_are_those_of_autograd(activation, code_activation, loss, output):
    """Of each weight and each bias."""
    settings = replace(SMALL, activation=activation, code_activation=code_activation, output=output)
    plain, by_hand = _pair(settings)
    chain = DenseChain.of(by_hand, loss)
    pictures = torch.rand(7, 1, 6, 5)
    wanted = make_loss(loss, plain.output)(plain(pictures), pictures)
    wanted.backward()
    found = chain.gradients(pictures, pictures)
    assert float(found) == pytest.approx(wanted.item(), rel=1e-5)
    row = torch.cat([part.grad.flatten() for part in plain.parameters()])
    assert torch.allclose(chain.weights.grad, row, rtol=1e-4, atol=1e-7)


def test_the_network_has_what_the_optimiser_makes():
    """Its parameters are parts of the row, also after loading others into it."""
    plain, by_hand = _pair(SMALL)
    chain = DenseChain.of(by_hand, "bce")
    optimisers = [
        make_optimiser(TrainingSettings(), [chain.weights]),
        make_optimiser(TrainingSettings(), plain.parameters()),
    ]
    for _ in range(30):
        pictures = torch.rand(16, 1, 6, 5)
        chain.gradients(pictures, pictures)
        optimisers[1].zero_grad()
        make_loss("bce", plain.output)(plain(pictures), pictures).backward()
        for optimiser in optimisers:
            optimiser.step()
    for one, other in zip(plain.parameters(), by_hand.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    by_hand.load_state_dict({name: torch.zeros_like(value) for name, value in by_hand.state_dict().items()})
    assert not chain.weights.any()


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "adadelta", "sgd"])
def test_a_checkpoint_holds_the_state_of_each_parameter(optimiser):
    """So that several processes, or autograd, can go on with it."""
    plain, by_hand = _pair(SMALL)
    chain = DenseChain.of(by_hand, "mse")
    settings = TrainingSettings(optimiser=optimiser)
    row, each = make_optimiser(settings, [chain.weights]), make_optimiser(settings, plain.parameters())
    each.load_state_dict(chain.split(row.state_dict()))  # before any step
    for _ in range(3):
        pictures = torch.rand(16, 1, 6, 5)
        chain.gradients(pictures, pictures)
        row.step()
    state = row.state_dict()
    each.load_state_dict(chain.split(state))
    shapes = [part.shape for part in plain.parameters()]
    for name, value in each.state_dict()["state"][0].items():
        assert name == "step" or value.shape == shapes[0]
    row.load_state_dict(chain.joined(each.state_dict()))
    for name, value in state["state"][0].items():
        assert torch.equal(torch.as_tensor(row.state_dict()["state"][0][name]), torch.as_tensor(value))


def test_other_networks_are_left_to_autograd():
    """Convolutions, dropout, layers without bias."""
    picture, latents = PictureSpec(1, 4, 4), LatentSpec(3, stride=0)

    def chain(*parts: nn.Module) -> DenseChain | None:
        analysis = nn.Sequential(nn.Flatten(), *parts, nn.Unflatten(1, (3, 1, 1)))
        synthesis = nn.Sequential(nn.Flatten(), nn.Linear(3, 16), nn.Unflatten(1, (1, 4, 4)))
        return DenseChain.of(Autoencoder(analysis, synthesis, nn.Sigmoid(), picture=picture, latents=latents), "mse")

    assert chain(nn.Linear(16, 3)) is not None
    assert chain(nn.Linear(16, 3, bias=False)) is None
    assert chain(nn.Linear(16, 3), nn.Dropout(0.5)) is None
    assert chain(nn.Linear(16, 3), nn.ReLU(), nn.ReLU()) is None
    assert chain(nn.GELU(), nn.Linear(16, 3)) is None
    assert chain(nn.Linear(16, 3), nn.GELU(approximate="tanh")) is None


def test_a_run_learns_the_same_with_autograd(tmp_path, monkeypatch):
    """A whole one, with a checkpoint by hand that autograd goes on with."""
    recipe = load_recipe("digits-reduction", ["model.code=16"])
    split = Split(draw_glyphs("0123456789", 300, seed=0), draw_glyphs("0123456789", 50, seed=1), "glyphs")

    def learnt(folder: str, *ways: str) -> list[float]:
        for epochs, way in zip((2, 4), ways, strict=True):
            if way == "autograd":
                monkeypatch.setattr(training, "_chain_of", lambda *_: None)
            torch.manual_seed(0)
            run = training.train(
                recipe,
                split,
                build_dense(recipe.model),
                tmp_path / folder,
                budget=Budget(epochs),
                seed=0,
                device="cpu",
                resume=epochs == 4,
            )
            monkeypatch.undo()
        return [result.test_loss for result in run.history]

    by_autograd = learnt("0", "autograd", "autograd")
    for folder, ways in (("1", ("hand", "hand")), ("2", ("hand", "autograd")), ("3", ("autograd", "hand"))):
        assert learnt(folder, *ways) == pytest.approx(by_autograd, rel=0.02)
