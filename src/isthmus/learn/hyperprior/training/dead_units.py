"""Units of the entropy networks that are never on."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec
from isthmus.learn.hyperprior.networks.integer import IntegerConvolution


def watched_layers(model: HyperpriorCodec) -> Iterator[tuple[str, nn.Conv2d | IntegerConvolution]]:
    """Layers of the entropy networks whose outputs are clipped at zero."""
    for name, module in model.named_modules():
        is_last = name.endswith(("_pass.last", "hyper_analysis.last", "_mean_predictor"))
        if name.startswith(("hyper_", "passes")) and isinstance(module, nn.Conv2d | IntegerConvolution) and not is_last:
            yield name, module


@torch.no_grad()
def dead_units(model: HyperpriorCodec, pixels: Tensor) -> dict[str, Tensor]:
    """Layer -> (outputs,) bool: never above zero on these pictures, at qualities over the whole range."""
    highest: dict[str, Tensor] = {}

    def watch(name: str) -> object:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            top = output.float().amax((0, 2, 3))
            highest[name] = torch.maximum(highest[name], top) if name in highest else top

        return hook

    handles = [module.register_forward_hook(watch(name)) for name, module in watched_layers(model)]  # type: ignore[arg-type]
    try:
        for part in torch.split(pixels, 8):
            model(part, torch.linspace(0, 1, len(part), device=part.device), quantise=False)
    finally:
        for handle in handles:
            handle.remove()
    return {name: top <= 0 for name, top in highest.items()}
