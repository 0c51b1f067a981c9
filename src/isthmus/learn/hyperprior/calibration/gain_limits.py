"""Gains kept so low that no picture's latents leave what the entropy coder can code."""

from __future__ import annotations

import torch
from torch import Tensor

from isthmus.entropy.fixed_point import LATENT_LIMIT
from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec

LONGEST_LATENT = 0.98 * LATENT_LIMIT
EDGES_EVERY = (8, 12, 16, 20, 24, 32)
"""Pixels between the edges of the pictures that reach farthest."""
SIDE = 128


@torch.no_grad()
def limit_gains(model: HyperpriorCodec, pixels: Tensor) -> None:
    """Keep latents of the brightest, most vivid and hardest pictures within what can be coded, at every quality.

    At the highest qualities that makes the steps of the lowest frequencies coarser than they would be: brightness then
    goes in steps of 0.4 grey levels.

    Args:
        model: that was given a wider range of qualities, or trained; its gains change.
        pixels: (windows, 3, rows, columns), -0.5..0.5, some usual ones.
    """
    corners = torch.cartesian_prod(*[torch.tensor([-0.5, 0.5])] * 3).to(pixels)
    flat = corners[:, :, None, None].expand(-1, -1, SIDE, SIDE)
    place = torch.arange(SIDE, device=pixels.device)
    stripes = torch.stack([(place // every % 2).to(pixels) for every in EDGES_EVERY]) * 2 - 1
    across = (flat[:, None] * stripes[None, :, None, None, :]).flatten(0, 1)
    hard = [flat, across, across.transpose(2, 3), pixels]
    reach = torch.stack([model.analysis(some).abs().amax((0, 2, 3)) for some in hard]).amax(0)
    model.log_gain.table.copy_(torch.minimum(model.log_gain.table, (LONGEST_LATENT / reach).log()))
