"""The number formats of the exact entropy path: what each integer means, and how large it may be.

Activations are multiples of 1/32 (0..255), decoded latents and means multiples of 1/64 of a quantisation step, scale
indices whole numbers 0..63. A layer is floor(sum * 2^-shift + 1/2), clipped. No sum reaches 2^24, so float32 holds
every one of them exactly, whatever order an engine adds in.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Int32 = NDArray[np.int32]
AnyInt = NDArray[np.integer[Any]]
"""Integers of any type that holds them."""
Float32 = NDArray[np.float32]

KNOTS = 9
"""Qualities at which quality-dependent tables have a row; between two of them they are interpolated."""
ACTIVATION_LIMIT = 255
COMPANDED_BITS, COMPANDED_LIMIT = 4, 127
"""Companded latents are multiples of 1/16, within this many."""
MEAN_BITS = 6
"""Means are multiples of 1/64 of a quantisation step. With 1/16, the 384 rounded means of a block cost 0.3 dB at low
rates, where nearly every symbol is zero and the mean is what the decoder shows."""
LATENT_LIMIT = 511
"""Latents and means are kept within this many quantisation steps."""
DECODED_LIMIT = (LATENT_LIMIT + 1) << MEAN_BITS
"""Largest magnitude of a decoded latent, in 64ths of a quantisation step."""
SCALES = 64
"""Scale indices are 0..SCALES - 1; `scale_tables.scale_of` gives the standard deviation that each stands for."""


def companding_table() -> NDArray[np.int16]:
    """Log companding of decoded latents, computed once and stored in the model file.

    Returns:
        (DECODED_LIMIT + 1,) int16: floor(16 log(1 + y / 64) + 1/2) for y = 0..DECODED_LIMIT.
    """
    y = np.arange(DECODED_LIMIT + 1) / (1 << MEAN_BITS)
    return np.minimum(np.floor((1 << COMPANDED_BITS) * np.log1p(y) + 0.5), COMPANDED_LIMIT).astype(np.int16)


def signed_companding(table: NDArray[np.int16]) -> Float32:
    """The companding of latents of both signs, at the index of the latent.

    Args:
        table: of `companding_table`.

    Returns:
        (2 * DECODED_LIMIT + 1,) float32 at the indices 0..DECODED_LIMIT, -DECODED_LIMIT..-1: NumPy counts negative
        indices from the end.
    """
    return np.concatenate([table, -table[:0:-1]]).astype(np.float32)
