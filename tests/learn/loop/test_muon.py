"""Muon's updates."""

from __future__ import annotations

import pytest
import torch

from isthmus.learn.loop.muon import UPDATE_SIZE, Muon, orthogonalise


@pytest.mark.parametrize("shape", [(2, 12, 30), (3, 30, 12), (1, 16, 16)])
def test_an_update_is_nearly_orthogonal(shape):
    """Singular values of any size become about 1, in the same directions."""
    torch.manual_seed(3)
    matrices = torch.randn(shape)
    matrices[:, 0] *= 5
    made = orthogonalise(matrices, torch.float32)
    assert made.shape == shape
    values = torch.linalg.svdvals(made)
    assert float(values.min()) > 0.5
    assert float(values.max()) < 1.3
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    nearest = left @ right
    assert torch.all((made * nearest).sum((1, 2)) > 0.9 * made.norm(dim=(1, 2)) * nearest.norm(dim=(1, 2)))


def test_a_step_has_the_size_of_an_adam_step():
    """Root mean square per learning rate, whatever the gradient's length; convolutions count as matrices."""
    torch.manual_seed(3)
    for scale in (1e-4, 1e4):
        weight = torch.nn.Parameter(torch.zeros(24, 8, 3, 3))
        weight.grad = scale * torch.randn_like(weight)
        Muon([weight], 0.5).step()
        size = float(weight.detach().square().mean().sqrt())
        assert size == pytest.approx(0.5 * UPDATE_SIZE, rel=0.2)
