"""The patch autoencoder: a block transform that learnt to do better, for pictures of any size.

    pixels -> patches as channels -> 1×1 (block DCT) -> residual blocks -> 1×1 (the lowest frequencies) -> code
    code -> 1×1 -> residual blocks -> 1×1 (block DCT backwards) -> channels as patches -> pixels
    residual block: x + 1×1(activation(3×3(x)))

Each position of the code stands for one patch, as in the tiled models; the 3×3 convolutions let a patch use what its
neighbours' codes say, so that there are no seams. Every residual block ends in zeros: training starts at the
orthonormal transform that keeps the lowest frequencies, and works on what that cannot do.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.learn.models.autoencoder import Autoencoder
from isthmus.learn.models.dct import LUMA_CHROMA, cosine_matrix
from isthmus.learn.models.dense import ACTIVATIONS, activation_layers
from isthmus.learn.recipes.settings import ModelSettings
from isthmus.values import LatentSpec, PictureSpec

MEAN_PIXEL = 0.5
CHROMA_FREQUENCY = 3.0  # a chroma coefficient counts as that of a frequency so many times higher: it holds less
PIXEL_SPREAD = 0.25  # standard deviation of usual pictures' values


class PatchBlock(nn.Module):
    """x + 1×1(activation(3×3(x))), which is x at first.

    Args:
        width: channels of x.
        hidden: channels between the two convolutions.
        activation: between them.
    """

    def __init__(self, width: int, hidden: int, activation: str) -> None:
        super().__init__()
        self.gather = nn.Conv2d(width, hidden, 3, padding=1)
        self.activation = nn.Sequential(*activation_layers(activation))
        self.spread = nn.Conv2d(hidden, width, 1)
        nn.init.zeros_(self.spread.weight)
        nn.init.zeros_(self.spread.bias)  # type: ignore[arg-type]

    def forward(self, values: Tensor) -> Tensor:
        """(batch, width, rows, columns) -> the same shape."""
        corrected: Tensor = values + self.spread(self.activation(self.gather(values)))
        return corrected


class _Analysis(nn.Module):
    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        basis, frequencies = _transform(settings)
        width = len(basis)
        self.patch = settings.patch
        self.transform = _pointwise(basis / _spreads(frequencies)[:, None])
        self.blocks = nn.Sequential(*_blocks(width, settings))
        self.projection = _pointwise(np.eye(width)[_kept(frequencies, settings.code)])
        self.activation = nn.Sequential(*activation_layers(settings.code_activation))

    def forward(self, pictures: Tensor) -> Tensor:
        """(batch, channels, rows, columns), sides multiples of the patch -> (batch, code, rows', columns')."""
        patches = nn.functional.pixel_unshuffle(pictures - MEAN_PIXEL, self.patch)
        codes: Tensor = self.activation(self.projection(self.blocks(self.transform(patches))))
        return codes


class _Synthesis(nn.Module):
    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        basis, frequencies = _transform(settings)
        width = len(basis)
        self.patch = settings.patch
        self.projection = _pointwise(np.eye(width)[:, _kept(frequencies, settings.code)])
        self.blocks = nn.Sequential(*_blocks(width, settings))
        self.transform = _pointwise(basis.T * _spreads(frequencies))

    def forward(self, latents: Tensor) -> Tensor:
        """The opposite of the analysis."""
        patches = self.transform(self.blocks(self.projection(latents)))
        return nn.functional.pixel_shuffle(patches, self.patch) + MEAN_PIXEL


def build_patches(settings: ModelSettings) -> Autoencoder:
    """A patch autoencoder; only the 3×3 convolutions start at random, from PyTorch's generator."""
    return Autoencoder(
        _Analysis(settings),
        _Synthesis(settings),
        ACTIVATIONS[settings.output](),
        picture=PictureSpec(settings.channels, None, None),
        latents=LatentSpec(settings.code, stride=settings.patch),
    )


def _blocks(width: int, settings: ModelSettings) -> list[nn.Module]:
    return [PatchBlock(width, settings.hidden[0] or settings.code, settings.activation) for _ in range(settings.blocks)]


def _transform(settings: ModelSettings) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The DCT of a patch, in luma and chroma where it has colours, and the frequency of each of its coefficients.

    Returns:
        (width, width) float64, orthonormal, inputs in the order of `pixel_unshuffle` (colour, row, column); and
        (width,) frequencies in half waves a patch.
    """
    cosine = cosine_matrix(settings.patch)
    colours = LUMA_CHROMA if settings.channels == 3 else np.ones((1, 1))
    basis = np.kron(colours, np.kron(cosine, cosine))
    across = np.arange(settings.patch)
    plane = np.hypot(across[:, None], across[None, :]).ravel()
    factors = [1.0] + [CHROMA_FREQUENCY] * (settings.channels - 1)
    return basis, np.concatenate([factor * (plane + 0.5) for factor in factors]) - 0.5


def _kept(frequencies: NDArray[np.float64], code: int) -> NDArray[np.intp]:
    """Which coefficients the code starts as: those of the lowest frequencies."""
    return np.argsort(frequencies, kind="stable")[:code]


def _spreads(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """(width,) about the standard deviation of each coefficient: the amplitude of natural pictures falls as 1 / f."""
    spreads: NDArray[np.float64] = PIXEL_SPREAD * np.sqrt(len(frequencies)) / (1 + frequencies)
    return spreads / 2


def _pointwise(matrix: NDArray[np.float64]) -> nn.Conv2d:
    """A 1×1 convolution that starts as a matrix (outputs, inputs)."""
    outputs, inputs = matrix.shape
    layer = nn.Conv2d(inputs, outputs, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(matrix.astype(np.float32))[:, :, None, None])
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
