"""Orthonormal linear transforms that the photo codec starts from: luma-chroma basis and block DCTs.

Stands before training: `photo_transforms` copies these matrices into its first and last layers, so that the
untrained codec already is a transform codec.
"""

import numpy as np

LUMA_CHROMA = np.array(
    [
        [1 / 3**0.5, 1 / 3**0.5, 1 / 3**0.5],
        [1 / 2**0.5, 0.0, -1 / 2**0.5],
        [1 / 6**0.5, -2 / 6**0.5, 1 / 6**0.5],
    ]
)
"""Rows: luma, red-blue and green-magenta axes; orthonormal, so squared error in it is squared error in RGB."""


def cosine_matrix(size: int) -> np.ndarray:
    """The orthonormal DCT-II.

    Returns:
        (size, size) float64; row k is the k-th basis function.
    """
    k = np.arange(size)[:, None]
    n = np.arange(size)[None, :]
    matrix: np.ndarray = np.cos(np.pi * (2 * n + 1) * k / (2 * size)) * np.sqrt(2 / size)
    matrix[0] /= np.sqrt(2)
    return matrix


def colour_block_matrix(size: int) -> np.ndarray:
    """DCT of one size x size RGB block in the luma-chroma basis.

    Returns:
        (3*size*size, 3*size*size) float64, orthonormal. Input order is that of `torch.pixel_unshuffle`:
        colour, row, column. Output order: luma-chroma axis, vertical frequency, horizontal frequency.
    """
    cosine = cosine_matrix(size)
    blocks: np.ndarray = np.kron(LUMA_CHROMA, np.kron(cosine, cosine))
    return blocks


def merge_matrix(size: int) -> np.ndarray:
    """From four neighbouring block DCTs of `size` to the one block DCT of `2*size` that covers them.

    Returns:
        (12*size*size, 12*size*size) float64, orthonormal. Input order is that of `torch.pixel_unshuffle(., 2)` of the
        small transform's channels: channel, row, column.
    """
    small = colour_block_matrix(size)
    large = colour_block_matrix(2 * size)
    channels = 3 * size * size
    # pixels of the large block, indexed (colour, block row, row, block column, column)
    large = large.reshape(4 * channels, 3, 2, size, 2, size)
    # for each block: the large basis functions expressed in the small block's coefficients
    small_pixels = small.reshape(channels, 3, size, size)
    merged: np.ndarray = np.einsum("ocysxt,kcst->okyx", large, small_pixels)
    return merged.reshape(4 * channels, 4 * channels)
