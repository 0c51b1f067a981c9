"""What every plain autoencoder is: an analysis transform, a synthesis transform, and the activation behind it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from isthmus.values import LatentSpec, PictureSpec


class Autoencoder(nn.Module):
    """Pictures to latents and back.

        pictures (batch, channels, rows, columns) in [0, 1] -> analysis -> latents (batch, K, rows', columns')
        latents -> synthesis -> logits (batch, channels, rows, columns) -> output -> pictures

    Args:
        analysis: the analysis transform.
        synthesis: the synthesis transform, up to the values before the output's activation.
        output: the activation behind it, such as `nn.Sigmoid()` or `nn.Identity()`.
        picture: the pictures that it takes.
        latents: the latents that it makes.
    """

    def __init__(
        self,
        analysis: nn.Module,
        synthesis: nn.Module,
        output: nn.Module,
        *,
        picture: PictureSpec,
        latents: LatentSpec,
    ) -> None:
        super().__init__()
        self.analysis = analysis
        self.synthesis = synthesis
        self.output = output
        self.picture = picture
        self.latents = latents

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits of the reconstruction, which the losses take."""
        logits: Tensor = self.synthesis(self.analysis(pictures))
        return logits

    def reconstruct(self, pictures: Tensor) -> Tensor:
        """Pictures through the bottleneck and back, float32 around [0, 1]."""
        values: Tensor = self.output(self(pictures))
        return values

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures of latents."""
        values: Tensor = self.output(self.synthesis(latents))
        return values


@torch.no_grad()
def initialise(module: nn.Module, kind: str) -> None:
    """Set a network's first weights.

    Args:
        module: every `Linear` and convolution in it is set.
        kind: "glorot": uniform with Glorot's limits (Glorot and Bengio 2010) and zero biases; "pytorch" leaves
            PyTorch's own, which these networks learn far less with.
    """
    if kind == "pytorch":
        return
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
