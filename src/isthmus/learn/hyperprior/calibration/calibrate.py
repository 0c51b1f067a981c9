"""What export has to know of pictures: a trained photo codec's symbols on them, and the ranges of its activations."""

import torch

from isthmus.entropy.rdo_quantisation import bits_of, thresholds_of
from isthmus.learn.hyperprior.calibration.activation_ranges import measure_ranges
from isthmus.learn.hyperprior.calibration.equalisation import balance
from isthmus.learn.hyperprior.calibration.latent_tables import level_tables
from isthmus.learn.hyperprior.calibration.symbol_statistics import count_hyper, count_symbols
from isthmus.learn.hyperprior.dataset.crops import PhotoCrops, to_pixels
from isthmus.learn.hyperprior.networks.codec import PhotoCodec
from isthmus.learn.hyperprior.networks.entropy_model import thrifty_thresholds
from isthmus.learn.hyperprior.networks.transforms import compute_in_bytes

MEASURED_WINDOWS, COUNTED_WINDOWS, COUNTED_PICTURES = 32, 120, 300
"""Of the training, on which ranges are measured, symbols counted, hyper-latents counted."""


def observe(model: PhotoCodec, crops: PhotoCrops) -> None:
    """Look at what the model makes of some training pictures, and keep in it what its export asks for.

    Its weights become others that compute the same, and suit bytes: it is one to export, or to begin a run with. It
    computes in floats from then on.
    """
    device = next(model.parameters()).device
    pixels = to_pixels(crops.training_centres(MEASURED_WINDOWS), device)
    compute_in_bytes(model, wanted=False)
    with torch.autocast(device.type, enabled=False):
        balance(model, pixels)
        measure_ranges(model, pixels)
    count(model, crops)


def count(model: PhotoCodec, crops: PhotoCrops) -> None:
    """Only the symbols. In float32, also in the middle of training in bfloat16."""
    device = next(model.parameters()).device
    with torch.autocast(device.type, enabled=False):
        pixels = to_pixels(crops.training_centres(COUNTED_WINDOWS), device)
        tables, shared = level_tables(count_symbols(model, pixels, thrifty_thresholds().to(device)).numpy())
        thresholds = thresholds_of(bits_of(tables))[shared, 0]  # as the encoder will round, with these tables
        model.symbol_counts = count_symbols(model, pixels, torch.from_numpy(thresholds).to(device))
        wholes = (to_pixels(picture[None], device) for picture in crops.training_wholes(COUNTED_PICTURES))
        model.hyper_edges, model.hyper_counts = count_hyper(model, wholes)
