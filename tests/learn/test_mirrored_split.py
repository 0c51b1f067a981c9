"""The layer from 1/16 to 1/8, which does not know left from right: as it is trained, and as it is exported."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isthmus.learn.export.graph_builder import GraphBuilder
from isthmus.learn.export.mirrored_split import class_order, mirrored_split
from isthmus.learn.models.block_cosine import merge_matrix
from isthmus.learn.models.photo_transforms import FINE, MirroredSplit
from isthmus.transforms.onnx_runtime import OnnxRuntimeGraph


@pytest.fixture(scope="module")
def split() -> MirroredSplit:
    """With any weights and biases, of latents in any order."""
    random = np.random.default_rng(4)
    kept = random.permutation(768)[:40]
    layer = MirroredSplit(random.normal(0, 1, (4 * FINE, 40)), np.linspace(0.5, 2, 40), np.ones(4 * FINE), kept)
    layer.bias.data[:] = torch.from_numpy(random.normal(0, 1, 4 * FINE))
    return layer.requires_grad_(requires_grad=False)


@pytest.mark.parametrize("axis", [0, 1])
def test_mirrored_latents_make_mirrored_positions(split: MirroredSplit, axis: int):
    """But for the bias, which is any."""
    latents = torch.randn(1, 40, 3, 5)
    mirrored = latents.flip(2 + axis) * (1 - 2.0 * split.turns[axis])[:, None, None]
    made, other = (
        torch.nn.functional.pixel_shuffle(split(x) - split.bias[:, None, None], 2) for x in (latents, mirrored)
    )
    torch.testing.assert_close(other, made.flip(2 + axis) * (1 - 2.0 * split.fine_turns[axis])[:, None, None])


def test_cosine_transforms_are_such():
    """What training starts from stays what it is."""
    kept = np.random.default_rng(5).permutation(768)[:50]
    matrix = merge_matrix(8)[kept].T
    layer = MirroredSplit(matrix, np.ones(50), np.ones(4 * FINE), kept)
    np.testing.assert_allclose(layer.folded().detach().numpy()[:, :, 0, 0], matrix, atol=1e-6)


def test_the_graph_makes_the_same(split: MirroredSplit):
    """With a quarter of the products."""
    order = class_order(split)
    builder = GraphBuilder("split", {"x": 40})
    x = builder.channels_last(builder.node("Gather", "x", builder.constant(order), axis=1))
    graph = builder.finish({"y": mirrored_split(builder, x, split)})
    latents = torch.randn(1, 40, 3, 5)
    made = OnnxRuntimeGraph(graph, name="split").run(latents.numpy())
    expected = torch.nn.functional.pixel_shuffle(split(latents), 2).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(made, expected, rtol=0, atol=0.02 * np.abs(expected).max())  # weights are halves
