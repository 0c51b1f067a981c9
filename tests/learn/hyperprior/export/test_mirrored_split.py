"""The layer from 1/16 to 1/8, which does not know up from down: as it is trained, and as it is exported."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isthmus.learn.export.graph_builder import GraphBuilder
from isthmus.learn.hyperprior.export.mirrored_split import mirrored_split
from isthmus.learn.hyperprior.networks.transforms import FINE, MirroredSplit, is_odd_vertically
from isthmus.learn.models.dct import merge_matrix
from isthmus.transforms.onnx_runtime import OnnxRuntimeGraph

FINE_TURNS = is_odd_vertically(np.arange(FINE), 8)
KEPT = np.random.default_rng(4).permutation(768)[:40]
TURNS = is_odd_vertically(KEPT, 16)


@pytest.fixture(scope="module")
def split() -> MirroredSplit:
    """With any weights and biases, of latents in any order."""
    random = np.random.default_rng(4)
    matrix, scale = random.normal(0, 1, (4 * FINE, 40)), np.linspace(0.5, 2, 40)
    layer = MirroredSplit(matrix, scale, np.ones(4 * FINE), TURNS, FINE_TURNS)
    layer.bias.data[:] = torch.from_numpy(random.normal(0, 1, 4 * FINE))
    return layer.requires_grad_(requires_grad=False)


def test_mirrored_latents_make_mirrored_positions(split: MirroredSplit):
    """But for the bias, which is any."""
    latents = torch.randn(1, 40, 3, 5)
    mirrored = latents.flip(2) * torch.from_numpy(1 - 2.0 * TURNS).float()[:, None, None]
    bias = split(torch.zeros_like(latents))
    made, other = (split(x) - bias for x in (latents, mirrored))
    torch.testing.assert_close(other, made.flip(2) * torch.from_numpy(1 - 2.0 * FINE_TURNS).float()[:, None, None])
    assert not torch.allclose(other, made)


def test_cosine_transforms_are_such():
    """What training starts from stays what it is."""
    matrix = merge_matrix(8)[KEPT].T
    layer = MirroredSplit(matrix, np.ones(40), np.ones(4 * FINE), TURNS, FINE_TURNS)
    np.testing.assert_allclose(layer.folded().detach().numpy()[:, :, 0, 0], matrix, atol=1e-6)


def test_the_graph_makes_the_same(split: MirroredSplit):
    """With half of the products, row by row; the lower rows in the mirror's own signs."""
    builder = GraphBuilder("split", {"x": 40})
    x = builder.channels_last(builder.node("Gather", "x", builder.constant(np.argsort(TURNS, kind="stable")), axis=1))
    halves = builder.split(x, np.bincount(TURNS, minlength=2))
    signs = (1 - 2 * FINE_TURNS).astype(np.float32)
    bias = split.bias.numpy().reshape(FINE, 2, 2)
    lower_in_signs = np.stack([bias[:, 0], bias[:, 1] * signs[:, None]], 1)
    rows = mirrored_split(builder, halves, TURNS, split.folded().numpy().reshape(FINE, 2, 2, -1), lower_in_signs)
    graph = builder.finish({"y": builder.interleaved_rows(list(rows), FINE)})
    latents = torch.randn(1, 40, 3, 5)
    made = OnnxRuntimeGraph(graph, name="split").run(latents.numpy())
    made[:, 1::2] *= signs
    expected = split(latents).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(made, expected, rtol=0, atol=0.02 * np.abs(expected).max())  # weights are halves
