"""What export has to know of pictures: a trained photo codec's symbols on them, and the ranges of its activations."""

import torch

from isthmus.learn.hyperprior.calibration.activation_ranges import measure_ranges
from isthmus.learn.hyperprior.calibration.equalisation import equalise
from isthmus.learn.hyperprior.calibration.latent_tables import encoder_thresholds
from isthmus.learn.hyperprior.calibration.symbol_statistics import count_hyper, count_symbols
from isthmus.learn.hyperprior.dataset.crops import Crops, to_pixels
from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec
from isthmus.learn.hyperprior.networks.transforms import set_fake_quantisation

MEASURED_WINDOWS, COUNTED_WINDOWS, COUNTED_PICTURES = 32, 120, 300
"""Of the training, on which ranges are measured, symbols counted, hyper-latents counted."""


def calibrate(model: HyperpriorCodec, crops: Crops) -> None:
    """Look at what the model makes of some training pictures, and keep in it what its export asks for.

    Its weights become others that compute the same, and suit bytes: it is one to export, or to begin a run with. It
    computes in floats from then on.
    """
    device = next(model.parameters()).device
    pixels = to_pixels(crops.training_centres(MEASURED_WINDOWS), device)
    set_fake_quantisation(model, wanted=False)
    with torch.autocast(device.type, enabled=False):
        equalise(model, pixels)
        measure_ranges(model, pixels)
    count(model, crops)


def count(model: HyperpriorCodec, crops: Crops) -> None:
    """Only the symbols. In float32, also in the middle of training in bfloat16."""
    device = next(model.parameters()).device
    with torch.autocast(device.type, enabled=False):
        pixels = to_pixels(crops.training_centres(COUNTED_WINDOWS), device)
        for _ in range(2):  # with the tables so far, then with those that follow from what was counted
            model.symbol_counts = count_symbols(model, pixels, encoder_thresholds(model.symbol_counts))
        wholes = (to_pixels(picture[None], device) for picture in crops.training_pictures(COUNTED_PICTURES))
        model.hyper_thresholds, model.hyper_counts = count_hyper(model, wholes)
