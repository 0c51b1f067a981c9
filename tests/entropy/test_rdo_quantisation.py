"""Where rounding takes a symbol: in the encoder, and the same in training."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isthmus.entropy.hyperprior import SKIPPED_SCALES
from isthmus.entropy.rdo_quantisation import ERROR_WEIGHT, STEP_ERROR_BITS, bits_of, thresholds_of, to_symbols
from isthmus.entropy.fixed_point import MEAN_BITS, SCALES
from isthmus.entropy.tables import FrequencyTable
from isthmus.learn.hyperprior.networks.entropy_model import decode_rdo, gaussian_rdo_thresholds


def test_bits_are_those_of_the_tables_and_of_escapes():
    """Escapes count the bits of their sign, their length and their value."""
    table = FrequencyTable(-1, np.array([1 << 13, 1 << 15, 1 << 14, 1 << 13], np.uint16))
    ((up, down),) = bits_of([table])
    assert up[:4].tolist() == [1, 2, 3 + 6, 3 + 6 + 2]
    assert down[:3].tolist() == [1, 3, 3 + 6]


def test_a_symbol_is_taken_where_its_error_outweighs_its_bits():
    """The least distance is where both are worth the same."""
    bits = np.array([[[0.0, 2.0, 4.0], [0.0, 3.0, 9.0]]])
    ((up, down),) = thresholds_of(bits).astype(np.float64)
    for distance, symbol, dearer in ((up[0], 1, 2), (up[1], 2, 2), (down[0], 1, 3), (down[1], 2, 6)):
        mended = (distance - (symbol - 1)) ** 2 - (distance - symbol) ** 2
        assert ERROR_WEIGHT * STEP_ERROR_BITS * mended == pytest.approx(dearer, rel=1e-5)


def test_training_rounds_as_the_encoder_does():
    """At every level."""
    random = np.random.default_rng(6)
    thresholds = (random.uniform(0, 0.4, (SCALES, 16)) + np.arange(16) + 0.5).astype(np.float32)
    levels = random.integers(SKIPPED_SCALES, SCALES, 20_000).astype(np.int32)
    means = random.integers(-200, 200, levels.size).astype(np.int32)
    steps = random.normal(0, 8, levels.size).astype(np.float32)
    mean = means.astype(np.float32) / 2**MEAN_BITS
    near = np.abs(steps - mean) >= 0.5
    both = np.stack([thresholds, thresholds], axis=1)
    symbols = np.zeros(levels.size, np.int32)
    symbols[near] = to_symbols((steps - mean)[near], levels[near].astype(np.uint8), means[near] < 0, both)
    tensors = (torch.from_numpy(values) for values in (steps, levels.astype(np.float32), mean, thresholds))
    np.testing.assert_array_equal(decode_rdo(*tensors).numpy(), symbols + mean)


def test_normal_thresholds_are_thrifty_everywhere():
    """Up to half of a step farther than the nearest."""
    saved = gaussian_rdo_thresholds().numpy() - np.arange(16) - 0.5
    assert saved.shape == (SCALES, 16)
    assert saved.min() >= 0
    assert saved.max() <= 0.5
