"""Where RDO quantisation takes a symbol, in the encoder; `tests/learn` holds training to the same."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.entropy.rdo_quantisation import (
    ERROR_WEIGHT,
    MAX_RAISE,
    STEP_ERROR_BITS,
    quantise_rdo,
    rdo_thresholds,
    symbol_bits,
)
from isthmus.entropy.tables import FrequencyTable


def test_bits_are_those_of_the_tables_and_of_escapes():
    """Escapes count the bits of their sign, their length and their value."""
    table = FrequencyTable(-1, np.array([1 << 13, 1 << 15, 1 << 14, 1 << 13], np.uint16))
    (bits,) = symbol_bits([table])
    assert bits[:4].tolist() == [1, 2, 3 + 6, 3 + 6 + 2]


def test_a_symbol_is_coded_where_its_error_outweighs_its_bits():
    """At the threshold both are worth the same."""
    bits = np.array([[0.0, 2.0, 4.0], [0.0, 3.0, 9.0]])
    for row, dearer in zip(rdo_thresholds(bits).astype(np.float64), ((2, 2), (3, 6)), strict=True):
        for symbol, (distance, cost) in enumerate(zip(row, dearer, strict=True), start=1):
            saved = (distance - (symbol - 1)) ** 2 - (distance - symbol) ** 2
            assert ERROR_WEIGHT * STEP_ERROR_BITS * saved == pytest.approx(cost, rel=1e-5)


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0, 100.0])
def test_a_stronger_rdo_never_takes_a_symbol_that_a_weaker_one_leaves(strength):
    """And never reaches into the next symbol."""
    bits = np.cumsum(np.abs(np.random.default_rng(1).normal(3, 2, (5, 9))), axis=1)
    edges = np.arange(8) + 0.5
    weaker, stronger = rdo_thresholds(bits, strength / 2), rdo_thresholds(bits, strength)
    assert np.all(weaker <= stronger)
    assert np.all(stronger <= np.float32(edges + MAX_RAISE))


def test_symbols_are_the_nearest_or_one_nearer_to_zero():
    """Of both signs, beyond the last threshold as at it."""
    thresholds = np.float32([[0.75, 1.5], [0.5, 1.9]])
    offsets = np.float32([0.6, -0.6, 0.8, 1.6, -1.6, 7.45, 7.95, -7.95])
    rows = np.array([0, 1, 0, 0, 1, 1, 1, 1], np.uint8)
    assert quantise_rdo(offsets, rows, thresholds).tolist() == [0, -1, 1, 2, -1, 7, 8, -8]
