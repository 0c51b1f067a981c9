"""A denoiser with few channels and random weights: quick to make, with all the parts of the real one."""

from __future__ import annotations

import torch

from isthmus.codec.photo_denoiser import PhotoDenoiser
from isthmus.container.model_file import parse_model
from isthmus.learn.denoiser.export import export_denoiser
from isthmus.learn.denoiser.networks import Denoiser
from isthmus.learn.denoiser.settings import NetworkSettings

SIZES = NetworkSettings((4, 6, 8), (1, 1, 1), 4)


def small_network(seed: int = 3) -> Denoiser:
    """Its weights are random, those that start at zero too."""
    torch.manual_seed(seed)
    model = Denoiser(SIZES).eval().requires_grad_(requires_grad=False)
    for parameter in model.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def small_file(seed: int = 3) -> bytes:
    """Exported."""
    return export_denoiser(small_network(seed), facts={"licence": "none"})


def small_denoiser(seed: int = 3) -> PhotoDenoiser:
    """Ready to run."""
    return PhotoDenoiser(parse_model(small_file(seed), name="small"))
