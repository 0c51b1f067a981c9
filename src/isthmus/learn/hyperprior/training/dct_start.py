"""What the photo codec's training starts from, measured on training pictures: how strong each DCT coefficient is."""

import numpy as np
import torch

from isthmus.learn.hyperprior.networks.transforms import TransformStart
from isthmus.learn.models.dct import colour_block_matrix

WINDOWS = 600
FLOOR = 0.004
"""About one grey level: no coefficient is scaled up beyond it."""


def measure_start(pixels: torch.Tensor, latents: int) -> TransformStart:
    """The strongest 16x16 DCT coefficients and their root mean squares.

    Args:
        pixels: (windows, 3, rows, columns), -0.5..0.5, of whole blocks; WINDOWS are enough.
        latents: how many coefficients are kept.
    """
    fine = _strengths(pixels, 8)
    coarse = _strengths(pixels, 16)
    kept = np.argsort(-coarse, kind="stable")[:latents]
    return TransformStart(np.maximum(fine, FLOOR), np.maximum(coarse[kept], FLOOR), kept)


def _strengths(pixels: torch.Tensor, side: int) -> np.ndarray:
    matrix = torch.from_numpy(colour_block_matrix(side).astype(np.float32))
    blocks = torch.nn.functional.pixel_unshuffle(pixels, side)
    squares = torch.zeros(len(matrix), dtype=torch.float64)
    for part in torch.split(blocks, 50):
        squares += mean_squares(part, matrix).double() * len(part)
    strengths: np.ndarray = (squares / len(blocks)).sqrt().numpy()
    return strengths


def mean_squares(blocks: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Mean square of each coefficient over (batch, values, rows, columns)."""
    return torch.nn.functional.conv2d(blocks, matrix[:, :, None, None]).square().mean((0, 2, 3))
