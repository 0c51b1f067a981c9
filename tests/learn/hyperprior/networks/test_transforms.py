"""The transforms of the photo codec: what bfloat16 may round."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from isthmus.learn.hyperprior.networks.transforms import set_mixed
from tests.learn.hyperprior.small_codec import small_codec


def analysed(model, pixels, *, is_mixed):
    """Latents of the model's analysis."""
    set_mixed(model, is_mixed=is_mixed)
    return model.analysis(pixels)


def test_bfloat16_rounds_what_residual_blocks_add_and_no_linear_transform():
    """A brightness, or a large coefficient, needs more than eight bits."""
    model, pixels = small_codec(), torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)) - 0.5
    exact, mixed = (analysed(model, pixels, is_mixed=is_mixed) for is_mixed in (False, True))
    assert mixed.dtype == torch.float32
    assert 0 < float((mixed - exact).abs().max()) < 0.01 * float(exact.abs().max())
    for block in (*model.analysis.fine, *model.analysis.coarse):
        block.expand.weight.zero_()
    exact, mixed = (analysed(model, pixels, is_mixed=is_mixed) for is_mixed in (False, True))
    assert torch.equal(mixed, exact)
