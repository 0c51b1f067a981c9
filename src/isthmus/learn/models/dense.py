"""The dense autoencoder: the flattened picture through hidden widths to the code, and back the same way."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from isthmus.learn.models.autoencoder import Autoencoder, initialise
from isthmus.learn.recipes.settings import ModelSettings
from isthmus.values import LatentSpec, PictureSpec

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "linear": nn.Identity,
    "sigmoid": nn.Sigmoid,
}


def build_dense(settings: ModelSettings) -> Autoencoder:
    """A dense autoencoder with fresh weights from PyTorch's random generator."""
    height, width = settings.network_size
    shape = (settings.channels, height, width)
    pixels = settings.channels * height * width
    hidden = tuple(wide or settings.code for wide in settings.hidden)
    is_mirrored = settings.decoder_hidden == (0,)
    back = hidden[::-1] if is_mirrored else tuple(wide or settings.code for wide in settings.decoder_hidden)
    analysis = nn.Sequential(
        nn.Flatten(),  # (batch, channels * rows * columns)
        *_layers((pixels, *hidden, settings.code), settings.activation),
        *activation_layers(settings.code_activation),
        nn.Unflatten(1, (settings.code, 1, 1)),  # (batch, code, 1, 1)
    )
    synthesis = nn.Sequential(
        nn.Flatten(),  # (batch, code)
        *_layers((settings.code, *back, pixels), settings.activation),
        nn.Unflatten(1, shape),  # (batch, channels, rows, columns)
    )
    model = Autoencoder(
        analysis,
        synthesis,
        ACTIVATIONS[settings.output](),
        picture=PictureSpec(settings.channels, height, width),
        latents=LatentSpec(settings.code, stride=0),
    )
    initialise(model, settings.initial_weights)
    return model


def _layers(widths: Sequence[int], activation: str) -> list[nn.Module]:
    """Linear layers with an activation between each two, none behind the last."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        if layers:
            layers.extend(activation_layers(activation))
        layers.append(nn.Linear(inputs, outputs))
    return layers


def activation_layers(name: str) -> list[nn.Module]:
    """The activation as a list of no or one module."""
    return [] if name == "linear" else [ACTIVATIONS[name]()]
