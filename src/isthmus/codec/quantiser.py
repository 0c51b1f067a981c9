"""Latents to symbols and back: the only place where a quality becomes a step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.factorised_prior import MAX_SYMBOL
from isthmus.errors import FormatError, UsageError
from isthmus.values import QUALITIES


class Quantiser:
    """Uniform quantisation with a step per quality and channel.

    Args:
        steps: (100, channels) float32 > 0: the width of one step in latent units, falling with the quality.

    Raises:
        FormatError: a step that is not a positive number.
    """

    def __init__(self, steps: NDArray[np.float32]) -> None:
        if steps.ndim != 2 or steps.shape[0] != QUALITIES or steps.dtype != np.float32:
            raise FormatError(f"the steps are {steps.dtype} of {steps.shape}, not float32 of ({QUALITIES}, channels)")
        if not bool(np.all(np.isfinite(steps) & (steps > 0))):
            raise FormatError("a quantisation step is not a positive number")
        self.steps = steps

    def to_symbols(self, latents: NDArray[np.float32], quality: int) -> NDArray[np.int32]:
        """Round each latent to a whole number of steps.

        Args:
            latents: (batch, channels, rows, columns) float32.
            quality: 1 to 100.

        Returns:
            The same shape, int32, within ±2^24; halves go to the even neighbour.

        Raises:
            UsageError: a latent is not finite, or the quality out of range.
        """
        check_quality(quality)
        if not bool(np.isfinite(latents).all()):
            raise UsageError("the model's latents of this picture are not finite numbers: the model is broken")
        scaled = latents / self.steps[quality - 1][:, None, None]
        symbols: NDArray[np.int32] = np.clip(np.rint(scaled), -MAX_SYMBOL, MAX_SYMBOL).astype(np.int32)
        return symbols

    def to_latents(self, symbols: NDArray[np.int32], quality: int) -> NDArray[np.float32]:
        """The latents that symbols (batch, channels, rows, columns) stand for, float32."""
        latents: NDArray[np.float32] = symbols.astype(np.float32) * self.steps[quality - 1][:, None, None]
        return latents


def check_quality(quality: float) -> None:
    """Refuse what is no quality.

    Raises:
        UsageError: not a number from 1 to 100.
    """
    is_number = isinstance(quality, int | float | np.integer | np.floating) and not isinstance(quality, bool)
    if not is_number or not 1 <= quality <= QUALITIES:
        raise UsageError(f"quality is a number from 1 to {QUALITIES}, not {quality!r}")
