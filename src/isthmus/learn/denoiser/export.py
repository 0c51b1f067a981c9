"""A trained denoiser to a checked .isthmus file, and such a file's weights back, to train them on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from isthmus.codec.photo_denoiser import KIND, PLACE, SHORT, PhotoDenoiser
from isthmus.container.model_file import ModelFile, parse_model, write_model
from isthmus.errors import FormatError, TrainingError
from isthmus.learn.denoiser.networks import (
    ENERGY_SPREAD,
    LEAST_ENERGY,
    LEVEL_SCALE,
    MIDDLE_ENERGY,
    Denoiser,
    LevelNetwork,
    NoiseNetwork,
)
from isthmus.learn.denoiser.settings import NetworkSettings
from isthmus.learn.export.graph_builder import GraphBuilder
from isthmus.learn.hyperprior.export.int8_blocks import array
from isthmus.values import LatentSpec, PictureSpec

NAME = "denoise"
_TOLERANCE = 1 / 255
"""How far the graph, whose weights are rounded to half precision, may be from the network it was made of."""


def export_denoiser(model: Denoiser, *, name: str = NAME, facts: Mapping[str, Any] | None = None) -> bytes:
    """The bytes of a model file.

    Args:
        model: trained, on the CPU.
        name: what people will call it.
        facts: licence, recipe and figures for the manifest.

    Raises:
        TrainingError: the graphs do not compute what the networks do, or not finite numbers.
    """
    settings = model.settings
    layout = [reach(settings), settings.estimator, *settings.widths, *settings.depths]
    data = write_model(
        ModelFile(
            name=name,
            kind=KIND,
            picture=PictureSpec(3, None, None),
            latents=LatentSpec(settings.widths[-1], settings.stride),
            default_quality=50,
            graphs={"noise": noise_graph(model.noise), "level": level_graph(model.level)},
            arrays={"layout": np.array(layout, np.int32)},
            facts=facts or {},
        )
    )
    _check(model, data, name)
    return data


def reach(settings: NetworkSettings) -> int:
    """How far, in pixels, an output pixel looks: what tiles overlap by; a multiple of the stride."""
    blocks = [2 * depth * SHORT * 2**level for level, depth in enumerate(settings.depths)]
    pixels = 2 * SHORT + 2 * sum(blocks[:-1]) + blocks[-1]  # head and tail, down and up again
    return -(-pixels // settings.stride) * settings.stride


def noise_graph(network: NoiseNetwork) -> bytes:
    """Values (1, 4, rows, columns): pixels -0.5..0.5 and level -> noise (1, 3, rows, columns) over the level."""
    builder = GraphBuilder("noise", {"values": 4})
    x = _convolution(builder, "values", network.head, weight=_head_weight(network.head), stride=SHORT, pad=SHORT)
    kept = []
    for blocks, down in zip(network.down_blocks, network.down, strict=False):
        x = _residual(builder, x, blocks)
        kept.append(x)
        x = _convolution(builder, x, cast("nn.Conv2d", down), stride=2, pad=0)
    x = _residual(builder, x, network.down_blocks[-1])
    for number in reversed(range(len(kept))):
        up = cast("nn.Conv2d", network.up[number])
        wide = builder.node("DepthToSpace", _convolution(builder, x, up), blocksize=2, mode="CRD")
        x = _residual(builder, builder.node("Add", wide, kept[number]), network.up_blocks[number])
    x = builder.node("DepthToSpace", _convolution(builder, x, network.tail), blocksize=SHORT, mode="CRD")
    return builder.finish({"noise": x})


def level_graph(network: LevelNetwork) -> bytes:
    """Pixels (1, 3, rows, columns) -> log level and trust, (1, 1, rows / 8 - 2, columns / 8 - 2) each."""
    builder = GraphBuilder("level", {"pixels": 3})
    energies = []
    for layer in (network.fine, network.coarse):
        x = _convolution(builder, "pixels", layer, stride=layer.stride[0], pad=0)
        energies.append(_means(builder, builder.node("Mul", x, x), layer.out_channels, PLACE // layer.stride[0]))
    x = builder.node("Add", builder.join(1, *energies), builder.constant(np.float32(LEAST_ENERGY)))
    x = builder.node("Sub", builder.node("Log", x), builder.constant(np.float32(MIDDLE_ENERGY)))
    x = builder.node("Div", x, builder.constant(np.float32(ENERGY_SPREAD)))
    x = builder.node("Relu", _convolution(builder, x, network.first))
    x = _convolution(builder, builder.node("Relu", _convolution(builder, x, network.second, pad=0)), network.last)
    level, trust = builder.split(x, np.array([1, 1]), axis=1)
    return builder.finish({"level": level, "trust": builder.node("Sigmoid", trust)})


def _means(builder: GraphBuilder, x: str, channels: int, side: int) -> str:
    """Of squares of a side, channel by channel."""
    weight = builder.constant(np.full((channels, 1, side, side), 1 / side**2, np.float32))
    return builder.node("Conv", x, weight, kernel_shape=[side, side], strides=[side, side], group=channels)


def denoiser_of(file: ModelFile) -> Denoiser:
    """The networks of a model file, to train them on; the opposite of `export_denoiser`.

    Raises:
        FormatError: its graphs are not as `export_denoiser` writes them.
    """
    numbers = file.arrays["layout"].tolist()
    half = len(numbers) // 2
    model = Denoiser(NetworkSettings(tuple(numbers[2 : half + 1]), tuple(numbers[half + 1 :]), numbers[1]))
    for network, name in ((model.noise, "noise"), (model.level, "level")):
        stored = iter(_stored_layers(onnx.load_from_string(file.graphs[name]).graph))
        try:
            for layer in _layers(network):
                weight, bias = next(stored)
                if layer is model.noise.head:
                    weight = _head_weights_back(weight)
                if weight.shape != layer.weight.shape or bias.shape != weight.shape[:1]:
                    raise ValueError(weight.shape)
                layer.weight = nn.Parameter(torch.from_numpy(weight))
                layer.bias = nn.Parameter(torch.from_numpy(bias))
        except (StopIteration, RuntimeError, ValueError) as error:
            raise FormatError(f"the model {file.name} is not of the networks that its layout says") from error
    return model


def _layers(network: NoiseNetwork | LevelNetwork) -> Iterator[nn.Conv2d]:
    """Convolutions in the order of the graph."""
    if isinstance(network, LevelNetwork):
        yield from (network.fine, network.coarse, network.first, network.second, network.last)
        return
    yield network.head
    for blocks, down in zip(network.down_blocks, network.down, strict=False):
        yield from _convolutions(blocks)
        yield down  # type: ignore[misc]
    yield from _convolutions(network.down_blocks[-1])
    for number in reversed(range(len(network.up))):
        yield network.up[number]  # type: ignore[misc]
        yield from _convolutions(network.up_blocks[number])
    yield network.tail


def _convolutions(module: nn.Module) -> Iterator[nn.Conv2d]:
    return (one for one in module.modules() if isinstance(one, nn.Conv2d))


def _stored_layers(graph: onnx.GraphProto) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Weight and bias of each convolution, in order."""
    stored = {one.name: numpy_helper.to_array(one).astype(np.float32) for one in graph.initializer}
    halves = {node.output[0]: stored[node.input[0]] for node in graph.node if node.op_type == "Cast"}
    for node in graph.node:
        if node.op_type == "Conv" and node.input[1] in halves:  # no mean
            yield halves[node.input[1]], stored[node.input[2]]


def _residual(builder: GraphBuilder, x: str, blocks: nn.Module) -> str:
    for first, second in zip(*[_convolutions(blocks)] * 2, strict=True):
        inner = builder.node("Relu", _convolution(builder, x, first))
        x = builder.node("Add", x, _convolution(builder, inner, second))
    return x


def _convolution(
    builder: GraphBuilder,
    x: str,
    layer: nn.Conv2d,
    *,
    weight: NDArray[np.float32] | None = None,
    stride: int = 1,
    pad: int | None = None,
) -> str:
    numbers = array(layer.weight) if weight is None else weight
    side = numbers.shape[2]
    pads = [side // 2 if pad is None else pad] * 4
    inputs = x, builder.half(numbers), builder.constant(array(layer.bias))
    return builder.node("Conv", *inputs, kernel_shape=[side, side], strides=[stride, stride], pads=pads)


def _over_pixels(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """A 3x3 weight behind space to depth, (outputs, colours * 4, 3, 3), as a 6x6 one of stride 2 over the pixels."""
    outputs, inputs = weight.shape[:2]
    parts = weight.reshape(outputs, inputs // SHORT**2, SHORT, SHORT, 3, 3)  # colour, row, column within a block
    return parts.transpose(0, 1, 4, 2, 5, 3).reshape(outputs, -1, 3 * SHORT, 3 * SHORT)


def _head_weight(head: nn.Conv2d) -> NDArray[np.float32]:
    """(outputs, 4, 6, 6) over pixels and the level of each, of which the first of each block counts."""
    weight = array(head.weight)
    level = np.zeros((len(weight), 1, 3 * SHORT, 3 * SHORT), np.float32)
    level[:, 0, ::SHORT, ::SHORT] = LEVEL_SCALE * weight[:, -1]
    return np.concatenate([_over_pixels(weight[:, :-1]), level], 1)


def _head_weights_back(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """`_head_weight` backwards."""
    pixels = weight[:, :3].reshape(len(weight), 3, 3, SHORT, 3, SHORT).transpose(0, 1, 3, 5, 2, 4)
    level = weight[:, 3:, ::SHORT, ::SHORT] / np.float32(LEVEL_SCALE)
    return np.concatenate([pixels.reshape(len(weight), 3 * SHORT**2, 3, 3), level], 1)


@torch.no_grad()
def _check(model: Denoiser, data: bytes, name: str) -> None:
    """Denoise noise with the file that was just made and with the networks."""
    random = np.random.default_rng(0)
    side = 4 * model.settings.stride
    values = random.uniform(0.4, 0.6, (side, 2 * side, 3)).astype(np.float32)  # levels as strong ones are clipped
    pixels = torch.from_numpy(values.transpose(2, 0, 1)[None]) - 0.5
    level = torch.full((1, 1, 1, 1), 0.1)
    wanted = (model.denoise(pixels, level)[0] + 0.5).numpy().transpose(1, 2, 0)
    denoiser = PhotoDenoiser(parse_model(data, name=name))
    found = denoiser.denoise_values(values, level=0.1)
    estimate = denoiser.estimate_values(values), float(model.estimate(pixels))
    if not np.abs(found - wanted).max() < _TOLERANCE or not abs(estimate[0] - estimate[1]) < _TOLERANCE:
        raise TrainingError("the exported denoiser does not compute what the trained one does: it is not finite?")
