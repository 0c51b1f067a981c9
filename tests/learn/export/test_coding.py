"""Steps and tables are fitted in few looks at the codes, to what many looks would find."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.entropy.tables import fit_rounded_table, fit_table
from isthmus.learn.export.coding import fit_prior, fit_steps
from isthmus.learn.recipes.settings import CodingSettings


@given(seed=st.integers(0, 2**32 - 1), spread=st.sampled_from([0.01, 1.0, 300.0]), count=st.integers(1, 3000))
def test_the_table_of_sorted_values_is_the_table_of_rounded_ones(seed, spread, count):
    """Zeros, as ReLU makes them, included; spreads beyond the largest table too."""
    random = np.random.default_rng(seed)
    values = random.normal(0, spread, count).astype(np.float32)
    values[random.random(count) < 0.3] = 0
    step = np.float32(0.1)
    scaled = values.astype(np.float64) / float(step)
    values = values[np.abs(scaled - np.floor(scaled) - 0.5) > 1e-3]  # float32 may take either side of an edge
    if not len(values):
        return
    slow = fit_table(np.rint(values / step).astype(np.int32))
    fast = fit_rounded_table(np.sort(values), step=float(step))
    assert fast.lowest == slow.lowest
    assert np.array_equal(fast.frequencies, slow.frequencies)


def test_qualities_of_equal_steps_share_tables_and_each_has_its_own_fit():
    """The tables of every quality are those of its rounded codes."""
    random = np.random.default_rng(1)
    latents = random.laplace(0, 2, (500, 3, 2, 2)).astype(np.float32)
    steps = np.repeat(np.linspace(4, 0.5, 10, dtype=np.float32), 10)[:, None] * np.array([1, 2, 3], np.float32)
    prior = fit_prior(latents, steps)
    for quality in (1, 10, 11, 100):
        for channel, table in enumerate(prior.tables(quality)):
            expected = fit_table(np.rint(latents[:, channel] / steps[quality - 1, channel]).astype(np.int32))
            assert table.lowest == expected.lowest
            assert np.abs(table.frequencies.astype(int) - expected.frequencies.astype(int)).max() < 400  # ties


@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e2])
def test_the_default_quality_adds_the_share_of_error_that_was_asked_for(scale):
    """Whatever the codes' unit is; a synthesis that amplifies one channel gets finer steps there."""
    random = np.random.default_rng(2)
    basis = np.linalg.qr(random.normal(size=(64, 8)))[0].astype(np.float32)
    codes = random.normal(0, 0.1, (400, 8)).astype(np.float32)
    pictures = (0.5 + codes @ basis.T + random.normal(0, 0.01, (400, 64))).astype(np.float32).reshape(-1, 1, 8, 8)
    gains = np.array([scale, *[4 * scale] * 7], np.float32)
    latents = (codes * gains)[:, :, None, None]

    def synthesise(values):
        return (0.5 + (values[:, :, 0, 0] / gains) @ basis.T).reshape(-1, 1, 8, 8)

    settings = CodingSettings(default_quality=60, default_excess=0.05)
    steps = fit_steps(pictures, latents, synthesise, settings)[59]
    assert steps[1] / steps[0] == pytest.approx(4, rel=0.1)
    coded = np.rint(latents / steps[:, None, None]) * steps[:, None, None]
    error, least = (np.mean((synthesise(values) - pictures) ** 2) for values in (coded, latents))
    assert error / least - 1 == pytest.approx(0.05, rel=0.02)


def test_a_synthesis_that_ignores_its_codes_gets_steps_all_the_same():
    """Nothing is divided by nothing."""
    random = np.random.default_rng(3)
    pictures = random.random((50, 1, 4, 4)).astype(np.float32)
    steps = fit_steps(pictures, random.random((50, 2, 1, 1)).astype(np.float32), lambda codes: np.full(
        (len(codes), 1, 4, 4), 0.5, np.float32), CodingSettings())  # fmt: skip
    assert np.isfinite(steps).all()
    assert (steps > 0).all()
    perfect = fit_steps(pictures, pictures, lambda codes: codes, CodingSettings())
    assert (perfect > 0).all()
