"""The dense autoencoder: the flattened picture through hidden widths to the code, and back the same way."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from isthmus.learn.models.autoencoder import Autoencoder, initialise
from isthmus.learn.recipes.settings import DenseSettings
from isthmus.values import LatentSpec, PictureSpec

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "linear": nn.Identity,
    "sigmoid": nn.Sigmoid,
}


def build_dense(settings: DenseSettings) -> Autoencoder:
    """A dense autoencoder with fresh weights from PyTorch's random generator."""
    pixels = settings.channels * settings.height * settings.width
    shape = (settings.channels, settings.height, settings.width)
    widths = (pixels, *settings.hidden, settings.code)
    analysis = nn.Sequential(
        nn.Flatten(),  # (batch, channels * rows * columns)
        *_layers(widths, settings.activation),
        *_activation(settings.code_activation),
        nn.Unflatten(1, (settings.code, 1, 1)),  # (batch, code, 1, 1)
    )
    synthesis = nn.Sequential(
        nn.Flatten(),  # (batch, code)
        *_layers(widths[::-1], settings.activation),
        nn.Unflatten(1, shape),  # (batch, channels, rows, columns)
    )
    model = Autoencoder(
        analysis,
        synthesis,
        ACTIVATIONS[settings.output](),
        picture=PictureSpec(settings.channels, settings.height, settings.width),
        latents=LatentSpec(settings.code, stride=0),
    )
    initialise(model, settings.initial_weights)
    return model


def _layers(widths: Sequence[int], activation: str) -> list[nn.Module]:
    """Linear layers with an activation between each two, none behind the last."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        if layers:
            layers.extend(_activation(activation))
        layers.append(nn.Linear(inputs, outputs))
    return layers


def _activation(name: str) -> list[nn.Module]:
    return [] if name == "linear" else [ACTIVATIONS[name]()]
