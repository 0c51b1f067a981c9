"""The last part of a calibration, which needs the model file that the others lead to."""

from __future__ import annotations

from dataclasses import replace

import torch

from isthmus.codec.model import Model
from isthmus.container.model_file import parse_model
from isthmus.learn.data.crops import Crops
from isthmus.learn.hyperprior.calibration.calibration import Calibration
from isthmus.learn.hyperprior.calibration.quality_map import fit_quality_map
from isthmus.learn.hyperprior.export.export import export_codec
from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec

CODED_PICTURES = 120
"""Of the training."""


def with_quality_map(model: HyperpriorCodec, calibration: Calibration, crops: Crops) -> Calibration:
    """The calibration of a model trained for eyes, with what its qualities are to mean.

    Args:
        model: trained, on the CPU.
        calibration: of these weights.
        crops: what it was trained on.
    """
    exported = Model(parse_model(export_codec(model, calibration=calibration), name="photo"))
    table = fit_quality_map(exported, crops.some_training(CODED_PICTURES))
    return replace(calibration, quality_map=torch.from_numpy(table))
