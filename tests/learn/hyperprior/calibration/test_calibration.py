"""Blocks of the transforms in 8-bit integers: measured, exported, and near to what was trained."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from isthmus.learn.data.crops import to_pixels
from isthmus.learn.export.graph_builder import GraphBuilder
from isthmus.learn.hyperprior.calibration.activation_ranges import best_range, calibrate_blocks
from isthmus.learn.hyperprior.calibration.calibration import BlockCalibration
from isthmus.learn.hyperprior.calibration.equalisation import channel_scales, equalise, hidden_scales
from isthmus.learn.hyperprior.calibration.gptq import Moments, gptq
from isthmus.learn.hyperprior.export.int8_blocks import coarse_block, fine_block, int8_weight
from isthmus.learn.hyperprior.export.transform_graphs import analysis_graph, synthesis_graph
from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec
from isthmus.learn.hyperprior.networks.folding import fold_for_export
from isthmus.learn.hyperprior.networks.quality import knot_weights
from isthmus.learn.hyperprior.networks.transforms import (
    WEIGHT_LIMIT,
    CoarseBlock,
    FineBlock,
    QuantisedBlock,
    TransformStart,
    fake_quantise,
    set_fake_quantisation,
    weight_scales,
)
from isthmus.learn.hyperprior.training.weights import Weights, load_weights
from isthmus.transforms.onnx_runtime import OnnxRuntimeGraph
from tests.learn.hyperprior.small_codec import LATENTS, small_calibration, small_codec, small_settings


def pictures(seed: int) -> torch.Tensor:
    """(4, 3, 128, 128) pixels: smooth squares with some noise."""
    random = np.random.default_rng(seed)
    squares = random.integers(20, 236, (4, 8, 8, 3)).repeat(16, 1).repeat(16, 2)
    return to_pixels(np.clip(squares + random.normal(0, 6, squares.shape), 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def blocks() -> dict[str, BlockCalibration]:
    """Of `small_codec`, on some pictures."""
    return calibrate_blocks(small_codec(), pictures(1))


def blocks_of(model: HyperpriorCodec) -> dict[str, QuantisedBlock]:
    """By their names."""
    return {name: module for name, module in model.named_modules() if isinstance(module, QuantisedBlock)}


def operators(graph: bytes) -> set[str]:
    """That a graph uses."""
    return {node.op_type for node in onnx.load_from_string(graph).graph.node}


def test_blocks_without_a_calibration_are_exported_in_floats(blocks):
    """And those with one in int8."""
    model = fold_for_export(small_codec())
    assert "QuantizeLinear" not in operators(analysis_graph(model, {}))
    for graph in (analysis_graph(model, blocks), synthesis_graph(model, blocks)):
        assert "QuantizeLinear" in operators(graph)


def test_ranges_of_the_training_are_kept(blocks):
    """They clip, so they are part of what was trained; int8 weights suit what they leave."""
    ranges = {name: block.ranges / 2 for name, block in blocks.items()}
    model = small_codec()
    set_fake_quantisation(model, ranges)
    kept = calibrate_blocks(model, pictures(1))
    for name, block in kept.items():
        assert torch.equal(block.ranges, ranges[name])
    differ = [not torch.equal(kept[name].int8_weights[layer], weight)
              for name, block in blocks.items() for layer, weight in block.int8_weights.items()]  # fmt: skip
    assert any(differ)


def test_ranges_are_those_of_the_layers(blocks):
    """All blocks have some."""
    twin = fold_for_export(small_codec())
    assert set(blocks) == set(blocks_of(twin))
    block = twin.analysis.fine[0]
    seen = []
    handle = block.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    twin.analysis(pictures(1))
    handle.remove()
    low, high = blocks["analysis.fine.0"].ranges[0].tolist()
    assert float(seen[0].min()) <= low < high <= float(seen[0].max())
    outside = ((seen[0] < low) | (seen[0] > high)).float().mean()
    assert outside < 1e-3


def compare(one: HyperpriorCodec, other: HyperpriorCodec, *, edge: int) -> None:
    """Quantisation steps and pixels are the same, but for some at the edge."""
    pixels, knots = pictures(2), knot_weights(torch.full((4,), 0.4))
    steps = [model.limited_steps(model.analysis(pixels), knots) for model in (one, other)]
    shown = [model.decode(steps[0], knots) for model in (one, other)]
    for (before, after), border in ((steps, edge), (shown, 16 * edge)):
        inside = (..., slice(border, -border or None), slice(border, -border or None))
        torch.testing.assert_close(before[inside], after[inside], rtol=1e-4, atol=1e-4)
        assert float((before - after).abs().mean()) < 0.1 * float(before.abs().mean())


def test_folding_changes_nothing():
    """What goes in and comes out stays the same."""
    model = small_codec()
    torch.manual_seed(6)
    for block in blocks_of(model).values():
        block.expand.bias.normal_(0, 0.1)
    twin = fold_for_export(model)
    compare(model, twin, edge=0)


def test_equalisation_changes_nothing_but_what_is_between_layers():
    """The channels are more alike."""
    model = small_codec()
    model.analysis.stem.weight[7] *= 30  # one that reaches far
    torch.manual_seed(6)
    for quality_bias in model.synthesis.coarse_quality_biases:
        quality_bias.table.normal_(0, 0.3)
    for parameter in (model.synthesis.coarse[0].spatial.weight, model.synthesis.coarse[0].spatial.bias):
        parameter[1] *= 20
    twin = deepcopy(model)
    equalise(twin, pictures(2))
    compare(model, twin, edge=0)
    divided = (twin.synthesis.coarse[0].expand.weight / model.synthesis.coarse[0].expand.weight)[0, :, 0, 0]
    assert divided[1] >= 4 * divided[0]
    pixels = nn.functional.pixel_unshuffle(pictures(2), 8)
    reach = [one.analysis.stem(pixels).abs().amax((0, 2, 3)) for one in (model, twin)]
    assert float(reach[1].max() / reach[1].median()) < 0.5 * float(reach[0].max() / reach[0].median())


def test_channels_are_brought_near_to_the_usual_one():
    """Those that are near already stay as they are."""
    scales = channel_scales(torch.tensor([1.0, 1.9, 1.0, 16.0, 1.0, 1 / 16, 1.0]))
    assert scales.tolist() == [1, 1, 1, 8, 1, 1 / 8, 1]


def test_units_that_reach_far_are_divided():
    """Where a whole layer is alike, nothing is."""
    torch.manual_seed(4)
    sums, sensitivity = torch.randn(6, 20_000), torch.ones(6)
    assert torch.equal(hidden_scales(sums, sensitivity), torch.ones(6))
    sums[2] *= 8
    scales = hidden_scales(sums, sensitivity)
    assert scales[2] >= 4
    assert len(set(scales[[0, 1, 3, 4, 5]].tolist())) == 1


def test_ranges_weigh_steps_against_what_they_hold():
    """Values far away are held if much depends on them; below zero little does behind a leak."""
    torch.manual_seed(4)
    values = torch.randn(2, 200_000)
    values[0, :40] = 60
    low, high = best_range(values, torch.ones(2)).tolist()
    assert -6 < low < -3
    assert high == 60
    assert 3 < float(best_range(values, torch.tensor([1e-6, 1.0]))[1]) < 6
    assert best_range(-values, torch.ones(2), slope=0.001)[0] > -6


def test_the_analysis_is_nearly_what_was_trained(blocks):
    """On pictures that nothing was measured on."""
    pixels = pictures(2)[:1]
    model = fold_for_export(small_codec())
    with torch.no_grad():
        trained = model.analysis(pixels).numpy()
    coded = OnnxRuntimeGraph(analysis_graph(model, blocks), name="analysis").run(pixels.contiguous().numpy())
    difference = np.sqrt(np.mean((coded - trained) ** 2) / np.mean(trained**2))
    assert 0 < difference < 0.02


def test_the_synthesis_is_nearly_what_was_trained():
    """With quality biases that say something."""
    model = small_codec()
    torch.manual_seed(5)
    tables = [*model.synthesis.coarse_quality_biases, model.synthesis.detail_quality_bias]
    for quality_bias in tables:
        quality_bias.table.normal_(0, 0.3)
    pixels, knots = pictures(2), knot_weights(torch.full((4,), 0.4))
    blocks = calibrate_blocks(model, pixels)
    with torch.no_grad():
        model = fold_for_export(model)
        latents = model.analysis(pixels)
        trained = model.synthesis(latents, knots)[0].permute(1, 2, 0).numpy()
        quality_biases = torch.cat([quality_bias(knots[:1]) for quality_bias in tables], 1)
    graph = OnnxRuntimeGraph(synthesis_graph(model, blocks), name="synthesis")
    (coded,) = graph.run_named({"latents": latents[:1].contiguous().numpy(), "quality_bias": quality_biases.numpy()})
    shown = np.clip((trained + 0.5) * 255, 0, 255)
    rows, columns = shown.shape[0] // 8, shown.shape[1] // 8
    assert coded.shape == (1, rows, columns, 8 * 8 * 3)
    picture = coded.reshape(rows, columns, 8, 8, 3).transpose(0, 2, 1, 3, 4).reshape(shown.shape)
    assert np.sqrt(np.mean((picture - shown) ** 2)) < 1.5


def correlated(channels: int) -> torch.Tensor:
    """(2, channels, 20, 30) of a few smooth things that all channels see, some channels more than others."""
    torch.manual_seed(8)
    seen = torch.nn.functional.interpolate(torch.randn(2, 3, 5, 6), (20, 30), mode="bilinear")
    mixed = torch.einsum("oc,bcij->boij", torch.randn(channels, 3), seen) + 0.1 * torch.randn(2, channels, 20, 30)
    return mixed * torch.logspace(-1, 1, channels)[:, None, None]


def test_rounded_weights_make_good_what_the_others_lose():
    """A layer's outputs are nearer than with the nearest bytes."""
    x = correlated(8)
    layer = nn.Conv2d(8, 5, 3, padding=1, bias=False).requires_grad_(requires_grad=False)
    wanted, weight = layer(x), layer.weight.clone()
    steps = weight_scales(weight)
    units = steps[:, None, None, None]
    moments = Moments(3)
    moments.add(x)
    bytes_ = gptq(weight.flatten(1), steps, moments.mean(), WEIGHT_LIMIT).reshape(weight.shape)
    assert int(bytes_.abs().max()) <= WEIGHT_LIMIT
    errors = []
    for whole in (bytes_, torch.round(weight / units)):
        layer.weight.copy_(whole * units)
        errors.append(float((layer(x) - wanted).square().mean()))
    assert errors[0] < 0.5 * errors[1]


@pytest.mark.parametrize("build", [fine_block, coarse_block])
def test_the_largest_products_do_not_overflow(build):
    """On no processor: weights and activations as large as they can be, hundreds of one sign in a sum."""
    block = FineBlock(192, 16) if build is fine_block else CoarseBlock(192, 16)
    for parameter in block.parameters():
        torch.nn.init.ones_(parameter) if parameter.dim() > 1 else torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        values = torch.ones(1, 192, 6, 7)
        expected = block(values).numpy()
        largest = float(np.abs(expected).max())
        # no value leaves its range, inputs are its very end: bytes of 255
        ranges = torch.tensor([0.0, largest]).repeat(len(block.INT8_INPUTS) + len(block.INT8_OUTPUTS), 1)
        ranges[0, 1] = 1.0
        ranges[1, 1] = 192.0 if build is coarse_block else 9 * 192.0
    weights = {
        name: torch.full_like(block.layer(name).weight, WEIGHT_LIMIT).to(torch.int8) for name in block.INT8_INPUTS
    }
    builder = GraphBuilder("one", {"x": 192})
    graph = builder.finish({"y": build(builder, "x", block, BlockCalibration(ranges, weights))})
    (made,) = OnnxRuntimeGraph(graph, name="one").run_named({"x": values.numpy()})
    np.testing.assert_allclose(made, expected, rtol=0.1)  # the steps of bytes; an overflow halves the sums


def test_weights_have_seven_bits(blocks):
    """So that two products of them and bytes fit into 16."""
    initializers = onnx.load_from_string(analysis_graph(fold_for_export(small_codec()), blocks)).graph.initializer
    weights = [numpy_helper.to_array(one) for one in initializers if one.data_type == onnx.TensorProto.INT8]
    assert len(weights) == 5
    assert all(np.abs(weight).max() == WEIGHT_LIMIT for weight in weights)
    assert 2 * 255 * WEIGHT_LIMIT < 2**15


def test_training_sees_bytes():
    """Of the activations those within the range in 256 steps, the others at the ends; gradients go on."""
    torch.manual_seed(2)
    x = torch.randn(4, 5, 80, 80, requires_grad=True)
    seen = fake_quantise(x, torch.tensor([-2.0, 3.1]))
    step = 5.1 / 255
    places = seen / step
    torch.testing.assert_close(places, torch.round(places), atol=1e-3, rtol=0)
    assert (float(seen.detach().min()), float(seen.detach().max())) == (pytest.approx(-2.0), pytest.approx(3.1))
    inside = (x > -2) & (x < 3.1)
    assert float((seen - x).detach()[inside].abs().max()) <= 0.501 * step
    seen.sum().backward()
    assert torch.equal(x.grad, inside.float())


def test_blocks_are_fake_quantised_when_asked(blocks):
    """Nearly what they compute in floats; those without a calibration go on in floats."""
    model, pixels = small_codec(), pictures(2)
    floats = model.analysis(pixels)
    set_fake_quantisation(model, {name: block.ranges for name, block in blocks.items()})
    assert 0 < float((model.analysis(pixels) - floats).abs().mean()) < 0.02 * float(floats.abs().mean())
    set_fake_quantisation(model, {})
    assert torch.equal(model.analysis(pixels), floats)


def test_weights_without_int8_are_exported_as_the_nearest(blocks):
    """Those that were trained since are not exported as what they were."""
    model = small_codec()
    calibration = replace(small_calibration(model), blocks=blocks).without_int8_weights()
    block = calibration.blocks["synthesis.detail"]
    assert torch.equal(block.ranges, blocks["synthesis.detail"].ranges)
    whole, weight = int8_weight(model.synthesis.detail, "first", block), model.synthesis.detail.first.weight
    steps = weight_scales(weight).numpy()
    assert np.abs(whole * steps[:, None, None, None] - weight.numpy()).max() <= 0.501 * steps.max()
    assert np.abs(whole).max() == WEIGHT_LIMIT


def test_a_calibration_is_kept_with_the_weights(blocks, tmp_path):
    """To the last bit."""
    model = small_codec()
    calibration = replace(small_calibration(model), blocks=blocks)
    start = TransformStart(np.full(192, 0.3), np.full(LATENTS, 0.3), np.arange(LATENTS))
    Weights(model.state_dict(), start, 1, small_settings(), calibration).save(tmp_path / "w.npz")
    kept = load_weights(tmp_path / "w.npz").calibration
    before, after = calibration.to_tensors(), kept.to_tensors()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
