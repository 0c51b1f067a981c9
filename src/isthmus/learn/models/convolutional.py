"""The convolutional autoencoder: 3×3 convolutions with pooling to a map of codes, and back the same way."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from isthmus.learn.models.autoencoder import Autoencoder, initialise
from isthmus.learn.models.dense import ACTIVATIONS, activation_layers
from isthmus.learn.recipes.settings import ModelSettings
from isthmus.values import LatentSpec, PictureSpec


def build_convolutional(settings: ModelSettings) -> Autoencoder:
    """A convolutional autoencoder with fresh weights, for pictures of any size.

    picture -> [3×3 convolution, activation, 2×2 maximum] per hidden layer -> 1×1 (or k×k, unpadded) to the code
    code -> 1×1 (or k×k transposed) -> [twice as large, 3×3 convolution, activation] per hidden layer -> picture
    """
    hidden = tuple(wide or settings.code for wide in settings.hidden)
    channels = (settings.channels, *hidden)
    analysis: list[nn.Module] = []
    for inputs, outputs in pairwise(channels):
        analysis += [nn.Conv2d(inputs, outputs, 3, padding=1), *activation_layers(settings.activation)]
        if settings.pooling > 1:
            analysis.append(nn.MaxPool2d(settings.pooling))
    analysis.append(nn.Conv2d(channels[-1], settings.code, settings.code_kernel))
    analysis += activation_layers(settings.code_activation)
    synthesis: list[nn.Module] = [nn.ConvTranspose2d(settings.code, channels[-1], settings.code_kernel)]
    for inputs, outputs in pairwise(channels[::-1]):
        synthesis += [*activation_layers(settings.activation), *_enlarge(inputs, outputs, settings)]
    model = Autoencoder(
        nn.Sequential(*analysis),
        nn.Sequential(*synthesis),
        ACTIVATIONS[settings.output](),
        picture=PictureSpec(settings.channels, None, None),
        latents=LatentSpec(settings.code, stride=settings.stride),
    )
    initialise(model, settings.initial_weights)
    return model


def _enlarge(inputs: int, outputs: int, settings: ModelSettings) -> list[nn.Module]:
    if settings.pooling == 1:
        return [nn.Conv2d(inputs, outputs, 3, padding=1)]
    if settings.decoder == "transposed":
        return [nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)]
    return [nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(inputs, outputs, 3, padding=1)]
