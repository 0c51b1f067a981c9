"""Activations of the transforms on pictures: some of them, at some qualities."""

from collections.abc import Iterable, Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from isthmus.learn.hyperprior.calibration.encoding import encoded
from isthmus.learn.hyperprior.calibration.latent_tables import encoder_thresholds
from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec

PLACES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the qualities, between the lowest and the highest."""


@torch.no_grad()
def samples(
    model: HyperpriorCodec, pixels: Tensor, layers: Mapping[str, nn.Module], *, count: int, of_inputs: bool
) -> dict[str, Tensor]:
    """What some layers read, or what they make, by their names.

    Args:
        model: that has the layers.
        pixels: (windows, 3, rows, columns), -0.5..0.5, sides multiples of 64.
        layers: that take and give (batch, channels, rows, columns).
        count: of positions, drawn from each of AT_ONCE windows at one of PLACES.
        of_inputs: what they read.

    Returns:
        (channels, samples) float16 of each layer.
    """
    drawn: dict[str, list[Tensor]] = {name: [] for name in layers}
    random = torch.Generator().manual_seed(0)

    def draw(values: Tensor, name: str) -> None:
        by_channel = values.transpose(0, 1).flatten(1)
        positions = torch.randint(by_channel.shape[1], (count,), generator=random)
        drawn[name].append(by_channel[:, positions.to(values.device)].half().cpu())

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
    run_transforms(model, pixels, handles)
    return {name: torch.cat(parts, 1) for name, parts in drawn.items()}


@torch.no_grad()
def run_transforms(model: HyperpriorCodec, pixels: Tensor, handles: Iterable[RemovableHandle]) -> None:
    """Run both transforms on all windows at each of PLACES, for the hooks in them; the hooks are removed then.

    Args:
        model: with the hooks.
        pixels: (windows, 3, rows, columns), -0.5..0.5, sides multiples of 64.
        handles: of the hooks.
    """
    for one in encoded(model, pixels, PLACES, encoder_thresholds(None, pixels.device)):
        model.decode(one.estimate.decoded, one.knots)
    for handle in handles:
        handle.remove()
