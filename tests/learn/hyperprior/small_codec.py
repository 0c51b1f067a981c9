"""A photo codec with few channels and random weights: quick to make, with all the parts of the real one."""

from __future__ import annotations

import numpy as np
import torch

from isthmus.learn.data.crops import to_pixels
from isthmus.learn.hyperprior.calibration.calibration import Calibration, SymbolStatistics
from isthmus.learn.hyperprior.calibration.latent_tables import encoder_thresholds
from isthmus.learn.hyperprior.calibration.symbol_statistics import count_hyper, count_symbols
from isthmus.learn.hyperprior.networks.codec import CodecSettings, HyperpriorCodec
from isthmus.learn.hyperprior.networks.entropy_model import EntropyModelSettings
from isthmus.learn.hyperprior.networks.transforms import TransformStart

LATENTS, FIRST_GROUP, HYPER = 24, 8, 6


def small_settings() -> CodecSettings:
    """A few channels of everything."""
    prior = EntropyModelSettings(
        first_group=FIRST_GROUP,
        hyper_latents=HYPER,
        hyper_hidden=8,
        hyper_synthesis=(8, 12),
        features=12,
        contexts=(8, 8, 8),
        hidden=(16, 16, 16, 16),
    )
    return CodecSettings(LATENTS, (4,), (4,), (4,), (4, 5), prior)


def small_codec(seed: int = 3) -> HyperpriorCodec:
    """Untrained, in evaluation mode; its entropy networks choose many scale indices, as trained ones do."""
    torch.manual_seed(seed)
    start = TransformStart(np.full(192, 0.3), np.full(LATENTS, 0.3), np.arange(LATENTS))
    model = HyperpriorCodec(small_settings(), start).eval().requires_grad_(requires_grad=False)
    for block in (*model.analysis.fine, *model.analysis.coarse, *model.synthesis.coarse, model.synthesis.detail):
        block.expand.weight.normal_(0, 0.1)
    passes = model.passes
    for network in (passes.first_pass, passes.second_pass, passes.third_pass, passes.fourth_pass):
        network.last.weight.mul_(20)  # an untrained network would choose hardly more than one scale
    return model


def small_calibration(model: HyperpriorCodec) -> Calibration:
    """Tables fitted to what the model makes of random pictures; blocks in floats."""
    pictures = np.random.default_rng(1).integers(0, 256, (6, 16, 16, 3), np.uint8).repeat(12, 1).repeat(12, 2)
    counts = count_symbols(model, to_pixels(pictures), encoder_thresholds(None, torch.device("cpu")))
    return Calibration(SymbolStatistics(counts, *count_hyper(model, (to_pixels(one[None]) for one in pictures))))
