"""Calibration: a trained codec on training pictures, in the one order that is right."""

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.learn.data.crops import to_pixels
from isthmus.learn.hyperprior.calibration.activation_ranges import calibrate_blocks
from isthmus.learn.hyperprior.calibration.calibration import Calibration, SymbolStatistics
from isthmus.learn.hyperprior.calibration.equalisation import equalise
from isthmus.learn.hyperprior.calibration.gain_limits import limit_gains
from isthmus.learn.hyperprior.calibration.latent_tables import encoder_thresholds
from isthmus.learn.hyperprior.calibration.symbol_statistics import count_hyper, count_symbols
from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec
from isthmus.learn.hyperprior.networks.transforms import set_fake_quantisation

RANGE_WINDOWS, COUNTED_WINDOWS, COUNTED_PICTURES = 32, 120, 300
"""Of the training: on which ranges are measured, symbols counted, hyper-latents counted."""


class TrainingPictures(Protocol):
    """What a model was trained on: `Crops`, or one's own pictures."""

    def training_centres(self, count: int) -> NDArray[np.uint8]:
        """(windows, rows, columns, 3), of whole blocks."""

    def training_pictures(self, count: int) -> Iterator[NDArray[np.uint8]]:
        """(rows, columns, 3) each, of whole blocks."""


def calibrate(
    model: HyperpriorCodec, trained_on: TrainingPictures, *, trained: Mapping[str, Tensor] | None = None
) -> Calibration:
    """Calibrate a trained model.

    Ranges that its activations were fake-quantised with in training are kept, since they clip as well: what they clip
    has no gradient and wanders, so with other ranges it would be another model. Where there are none, its weights are
    equalised (they become others that compute the same), and ranges measured; it computes in floats from then on. Gains
    that training drove beyond what can be coded are limited: clipped latents cost more than coarser ones.

    Args:
        model: trained, in evaluation mode.
        trained_on: what it was trained on.
        trained: ranges of its blocks in training, of `Calibration.ranges`; None or empty where it trained in floats.
    """
    device = next(model.parameters()).device
    pixels = to_pixels(trained_on.training_centres(RANGE_WINDOWS), device)
    set_fake_quantisation(model, trained or {})
    with torch.autocast(device.type, enabled=False):
        limit_gains(model, pixels)
        if not trained:
            equalise(model, pixels)
        blocks = calibrate_blocks(model, pixels)
    return Calibration(count(model, trained_on), blocks)


def count(
    model: HyperpriorCodec, trained_on: TrainingPictures, *, windows: int = COUNTED_WINDOWS,
    pictures: int = COUNTED_PICTURES,
) -> SymbolStatistics:  # fmt: skip
    """Only the symbols. In float32, also in the middle of training in bfloat16.

    Args:
        model: trained, in evaluation mode.
        trained_on: what it was trained on.
        windows: whose symbols are counted.
        pictures: whose hyper-latents are counted.
    """
    device = next(model.parameters()).device
    with torch.autocast(device.type, enabled=False):
        pixels = to_pixels(trained_on.training_centres(windows), device)
        # rounded with the tables that training assumes, then with those that follow from the counts
        assumed = count_symbols(model, pixels, encoder_thresholds(None, device))
        counts = count_symbols(model, pixels, encoder_thresholds(assumed, device))
        whole = (to_pixels(picture[None], device) for picture in trained_on.training_pictures(pictures))
        thresholds, hyper_counts = count_hyper(model, whole)
    return SymbolStatistics(counts, thresholds, hyper_counts)
