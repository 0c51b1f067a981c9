"""What training makes small: bits, and how far pictures differ by one of two measures, the tunes.

`psnr`: bits a pixel + lambda * squared error. `eyes`: bits a pixel + slope * SSIMULACRA2's distance + a little of the
squared error, which alone sees a colour that is off everywhere.
"""

from __future__ import annotations

import torch
from torch import Tensor

from isthmus.learn.hyperprior.networks.integer import clamp_inwards
from isthmus.learn.hyperprior.networks.quality import lambda_at
from isthmus.learn.hyperprior.training.ssimulacra2 import ssimulacra2

MIDDLE_LAMBDA = 0.018
"""Losses are weighed as if all qualities had about as many bits as the one of this lambda."""
ERROR_SHARE = 0.1
"""Of the squared error in the loss for eyes; the rest is SSIMULACRA2's."""
TONE_SIDE, TONE_SHARE = 8, 0.1
"""So much of the squared error of squares' mean colours comes on top: SSIMULACRA2 cares little for a tone that is off.
With 0.9 smooth pictures, whose bits are nearly all spent on tones, gained nothing."""
FLAT_BELOW = 0.02 / 255
"""Windows whose neighbours differ by less, in the mean, hold no structure: for them all of the squared error counts."""
RATE_FLOOR = 0.25
"""Samples weigh by the inverse of their own bits plus this share of the usual ones of their quality: what counts is the
share of its bytes that a picture saves."""
LOG_SLOPE = (-6.076, 9.788, -0.882)
"""The logarithm of what a unit of SSIMULACRA2's distance is worth in bits a pixel, as a polynomial of the place 0..1
between the lowest quality and the highest. It is the trade that weights trained for squared errors have at each
quality, -dR/ds along their curve on training pictures: so qualities keep their meaning while what is traded changes."""
LOG_RATE = (-2.984, 6.843, -2.460)
"""The same of the bits a pixel that these weights take: samples of all qualities shall weigh alike."""


def losses(
    tune: str,
    pixels: Tensor,
    reconstruction: Tensor,
    bits: Tensor,
    position: Tensor,
    *,
    error_share: float = ERROR_SHARE,
) -> Tensor:
    """What training makes small, of each sample.

    Args:
        tune: of `settings.TUNES`.
        pixels: (batch, 3, rows, columns), -0.5..0.5.
        reconstruction: the same after coding; may reach beyond, which is no error.
        bits: (batch,) bits a pixel.
        position: (batch,) places of the qualities between the knots, 0..1.
        error_share: of the squared error in the loss for eyes, 0..1.

    Returns:
        (batch,), weighed so that all qualities count about alike.
    """
    shown = clamp_inwards(reconstruction, -0.5, 0.5)
    if tune == "eyes":
        return _eyes(pixels, shown, bits, position, error_share)
    return _psnr(pixels, shown, bits, position)


def squared_error(shown: Tensor, pixels: Tensor) -> Tensor:
    """(batch,) mean squared errors of (batch, 3, rows, columns), for pixels of -0.5..0.5."""
    return (shown - pixels).square().mean((1, 2, 3))


def _psnr(pixels: Tensor, shown: Tensor, bits: Tensor, position: Tensor) -> Tensor:
    lambdas = lambda_at(position)
    return (lambdas * 255**2 * squared_error(shown, pixels) + bits) * (MIDDLE_LAMBDA / lambdas).sqrt()


def _eyes(pixels: Tensor, shown: Tensor, bits: Tensor, position: Tensor, error_share: float) -> Tensor:
    share = torch.where(_roughness(pixels) < FLAT_BELOW, 1.0, error_share)
    tone = torch.nn.functional.avg_pool2d(shown - pixels, TONE_SIDE).square().mean((1, 2, 3))
    squared = lambda_at(position) * 255**2 * (share * squared_error(shown, pixels) + TONE_SHARE * tone)
    distance = ssimulacra2(pixels + 0.5, shown + 0.5).distance
    structure = (1 - error_share) * _exp_polynomial(LOG_SLOPE, position) * distance
    usual, middle = _exp_polynomial(LOG_RATE, position), _exp_polynomial(LOG_RATE, position.new_tensor(0.5))
    weight = (1 + RATE_FLOOR) * usual / (bits.detach() + RATE_FLOOR * usual) * (middle / usual).sqrt()
    return (bits + structure + squared) * weight


def _exp_polynomial(terms: tuple[float, float, float], x: Tensor) -> Tensor:
    return torch.exp(terms[0] + x * (terms[1] + x * terms[2]))


def _roughness(pixels: Tensor) -> Tensor:
    """(batch,) mean difference of neighbours in a row or a column, of pixels with a range of 1."""
    across = (pixels[..., 1:] - pixels[..., :-1]).abs().mean((1, 2, 3))
    down = (pixels[..., 1:, :] - pixels[..., :-1, :]).abs().mean((1, 2, 3))
    return torch.maximum(across, down)
