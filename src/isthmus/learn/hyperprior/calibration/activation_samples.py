"""What goes through layers of the photo codec's transforms on pictures: some of it, at some qualities."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from isthmus.learn.hyperprior.calibration.encoding import Encoded, encoded
from isthmus.learn.hyperprior.calibration.latent_tables import encoder_thresholds
from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec

PLACES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the qualities, between the lowest and the highest."""
LEAST_ERROR = 1e-5
"""Of a window in squares, for pixels of -0.5..0.5: no more is made of what is smoother."""


class Samples(NamedTuple):
    """Of one layer."""

    values: Tensor
    """(channels, samples) float16."""
    weights: Tensor
    """(samples,) of squared errors: where the picture is coded well, a small one takes as many dB as a large one does
    elsewhere."""


def samples(
    model: HyperpriorCodec, pixels: Tensor, layers: Mapping[str, nn.Module], *, count: int, of_inputs: bool
) -> dict[str, Samples]:
    """What some layers read, or what they make, by their names.

    Args:
        model: that has the layers.
        pixels: (windows, 3, rows, columns), -0.5..0.5, sides multiples of 64.
        layers: that take and give (batch, channels, rows, columns).
        count: of positions, drawn from each of AT_ONCE windows at one of PLACES.
        of_inputs: what they read.
    """
    drawn: dict[str, list[Tensor]] = {name: [] for name in layers}
    weights: dict[str, list[Tensor]] = {name: [] for name in layers}
    waiting: list[tuple[str, Tensor]] = []
    random = torch.Generator().manual_seed(0)

    def draw(values: Tensor, name: str) -> None:
        by_channel = values.transpose(0, 1).flatten(1)
        positions = torch.randint(by_channel.shape[1], (count,), generator=random)
        drawn[name].append(by_channel[:, positions.to(values.device)].half().cpu())
        waiting.append((name, positions * len(values) // by_channel.shape[1]))

    def on_input(_layer: nn.Module, inputs: tuple[Tensor, ...], *, name: str) -> None:
        draw(inputs[0], name)

    def on_output(_layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor, *, name: str) -> None:
        draw(output, name)

    handles = [
        layer.register_forward_pre_hook(partial(on_input, name=name))
        if of_inputs
        else layer.register_forward_hook(partial(on_output, name=name))
        for name, layer in layers.items()
    ]
    for errors in run(model, pixels):
        for name, windows in waiting:
            weights[name].append((1 / errors.clamp_min(LEAST_ERROR)).cpu()[windows])
        waiting.clear()
    for handle in handles:
        handle.remove()
    return {name: Samples(torch.cat(parts, 1), torch.cat(weights[name])) for name, parts in drawn.items()}


def run(model: HyperpriorCodec, pixels: Tensor) -> Iterator[Tensor]:
    """All of the transforms, at some qualities.

    Yields:
        (windows,) mean squared errors, of AT_ONCE windows at one of PLACES.
    """
    for one in encoded_at_places(model, pixels):
        yield squared_errors(model, one)


def encoded_at_places(model: HyperpriorCodec, pixels: Tensor) -> Iterator[Encoded]:
    """AT_ONCE windows at each of PLACES, rounded as training does."""
    return encoded(model, pixels, PLACES, encoder_thresholds(model.symbol_counts))


@torch.no_grad()
def squared_errors(model: HyperpriorCodec, one: Encoded) -> Tensor:
    """(windows,) their means."""
    return (model.decode(one.estimate.decoded, one.knots) - one.pixels).square().mean((1, 2, 3))
