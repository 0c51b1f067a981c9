"""Training rounds as the encoder of the exported model does."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isthmus.entropy.fixed_point import MEAN_BITS, SCALES
from isthmus.entropy.hyperprior import SKIPPED_SCALES
from isthmus.entropy.rdo_quantisation import quantise_rdo
from isthmus.entropy.scale_tables import COUNTS_SHAPE
from isthmus.learn.hyperprior.calibration.latent_tables import encoder_thresholds
from isthmus.learn.hyperprior.networks.entropy_model import decode_rdo


@pytest.mark.parametrize("counted", [False, True])
def test_training_rounds_as_the_encoder_does(counted):
    """At every scale index, with tables of normal distributions and with counted ones."""
    random = np.random.default_rng(6)
    counts = torch.from_numpy(random.integers(0, 999, COUNTS_SHAPE)) if counted else None
    thresholds = encoder_thresholds(counts, torch.device("cpu"))
    scales = random.integers(SKIPPED_SCALES, SCALES, 20_000).astype(np.int32)
    mean = random.integers(-200, 200, scales.size).astype(np.float32) / 2**MEAN_BITS
    steps = random.normal(0, 8, scales.size).astype(np.float32)
    near = np.abs(steps - mean) >= 0.5
    symbols = np.zeros(scales.size, np.int32)
    symbols[near] = quantise_rdo((steps - mean)[near], scales[near].astype(np.uint8), thresholds.numpy())
    tensors = (torch.from_numpy(values) for values in (steps, scales.astype(np.float32), mean))
    np.testing.assert_array_equal(decode_rdo(*tensors, thresholds).numpy(), symbols + mean)
