"""Entropy model of the photo codec: hyper-latents and four masked passes choose a scale and a mean for every latent.

Flow, in the decoder's order (sizes relative to the picture):

    hyper-latents 96 at 1/64 -> hyper-synthesis -> features at 1/16
    pass 1: first group where row and column are even         | features
    pass 2: first group where row and column are odd          | features, the four diagonal neighbours
    pass 3: first group at all other positions                | features, the four direct neighbours
    pass 4: second group at all positions                     | features, the first group at the same position

At low rates nearly all bits are in the first channel group, and what reads no neighbour costs half as much again as
what reads four; channels of the second group tell little about one another (at most 3 %, decision 4).
Everything behind the hyper-latents is made of `integer` layers. Sources: mean-scale hyperprior (Minnen et al. 2018,
arXiv 1809.02736), checkerboard (He et al. 2021, arXiv 2103.15306), uneven channel groups (He et al. 2022,
arXiv 2203.10886), more than two steps (Lin et al. 2023, arXiv 2302.09263).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isthmus.entropy.fixed_point import (
    COMPANDED_BITS,
    COMPANDED_LIMIT,
    DECODED_LIMIT,
    KNOTS,
    LATENT_LIMIT,
    MEAN_BITS,
    SCALES,
    companding_table,
)
from isthmus.entropy.hyper_latents import HYPER_LIMIT
from isthmus.entropy.hyperprior import SKIPPED_SCALES
from isthmus.entropy.passes import PASSES, Pass
from isthmus.entropy.scale_tables import SCALE_STEP, SMALLEST_SCALE
from isthmus.learn.hyperprior.networks.integer import IntegerConvolution, activate, clamp_inwards, round_to
from isthmus.learn.hyperprior.networks.quality import QualityTable


@dataclass(frozen=True)
class EntropyModelSettings:
    """Widths of the entropy networks."""

    first_group: int = 96
    """Channels of the first group: the strongest of the transform that training starts from."""
    hyper_latents: int = 96
    """Channels at 1/64."""
    hyper_hidden: int = 160
    """Width of the hyper-analysis."""
    hyper_synthesis: tuple[int, int] = (128, 160)
    """What the second and the last layer of the hyper-synthesis read."""
    features: int = 192
    """Channels that the hyper-synthesis hands to the passes."""
    contexts: tuple[int, int, int] = (96, 96, 128)
    """Widths of what passes 2, 3 and 4 read from decoded latents."""
    hidden: tuple[int, int, int, int] = (128, 128, 192, 192)
    """Width of the hidden layer of each pass."""


@dataclass(frozen=True)
class Estimate:
    """What the entropy model says about latents, (batch, latents, rows, columns) each."""

    scale_index: Tensor
    """0..63; real numbers unless quantised."""
    mean: Tensor
    """In quantisation steps."""
    decoded: Tensor
    """Latents as the decoder will know them, in quantisation steps."""


_COMPANDING = torch.from_numpy(companding_table().astype("float32"))


def compand(steps: Tensor, *, quantise: bool) -> Tensor:
    """sign(y) log(1 + |y|): what networks read instead of latents. Quantised: by the exact table, 64ths to 16ths."""
    companded = torch.sign(steps) * torch.log1p(steps.abs())
    if not quantise:
        return companded
    index = torch.floor(steps.detach().abs() * 2**MEAN_BITS + 0.5).long().clamp_max(DECODED_LIMIT)
    exact = torch.sign(steps) * _COMPANDING.to(steps.device)[index] / 2**COMPANDED_BITS
    return companded + (exact - companded).detach()


def pass_mask(one: Pass, like: Tensor) -> Tensor:
    """(rows, columns) of 0 and 1: the positions that a pass over the first channel group codes."""
    mask = torch.zeros(like.shape[-2:], device=like.device)
    for row, column in one.positions:
        mask[row::2, column::2] = 1
    return mask


DEAD_ZONE_EDGE = 0.75
"""Steps below are taken to be coded as zero, and larger ones rounded as sparingly."""
DEAD_ZONE_STRENGTH = 0.75
"""How far hyper-latents look at what is coded, not at what there was. Both were tuned on held-aside pictures."""


def soft_dead_zone(steps: Tensor) -> Tensor:
    """Latents moved towards what RDO quantisation will leave of them; the gradient is passed straight through.

    Most are coded as zero, however far they were from it: they need no scale index that expects more.
    """
    sizes = steps.abs()
    coded = torch.floor(sizes + (1 - DEAD_ZONE_EDGE))
    return steps + (torch.sign(steps) * (DEAD_ZONE_STRENGTH * (coded - sizes))).detach()


class HyperAnalysis(nn.Module):
    """Latents in quantisation steps -> hyper-latents, real numbers (batch, hyper_latents, rows/4, columns/4).

    It reads them as `soft_dead_zone`, and behind them their magnitudes, which say more of scales.
    """

    def __init__(self, latents: int, settings: EntropyModelSettings) -> None:
        super().__init__()
        width = settings.hyper_hidden
        self.first = nn.Conv2d(2 * latents, width, 1)
        self.second = nn.Conv2d(4 * width, width, 1)
        self.third = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(4 * width, settings.hyper_latents, 1)

    def forward(self, steps: Tensor) -> Tensor:
        """Hyper-latents, not rounded."""
        read = compand(soft_dead_zone(steps), quantise=False)
        x = nn.functional.relu(self.first(torch.cat([read, read.abs()], 1)))
        x = nn.functional.relu(self.second(nn.functional.pixel_unshuffle(x, 2)))
        x = nn.functional.relu(self.third(x))
        return self.last(nn.functional.pixel_unshuffle(x, 2))


class HyperSynthesis(nn.Module):
    """Whole hyper-latents -> features (batch, features, 4*rows, 4*columns)."""

    def __init__(self, settings: EntropyModelSettings) -> None:
        super().__init__()
        width, wider = settings.hyper_synthesis
        self.first = IntegerConvolution(
            settings.hyper_latents, 4 * width, 1, input_limit=HYPER_LIMIT, input_bits=0, gain=1.0
        )
        self.second = IntegerConvolution(width, wider, 3)
        self.last = IntegerConvolution(wider, 4 * settings.features, 1)

    def forward(self, hyper: Tensor, knots: Tensor, *, quantise: bool) -> Tensor:
        """Features, whole multiples of 1/32 if asked."""
        x = activate(self.first(hyper, knots, quantise=quantise), quantise=quantise)
        x = nn.functional.pixel_shuffle(x, 2)
        x = activate(self.second(x, knots, quantise=quantise), quantise=quantise)
        x = activate(self.last(x, knots, quantise=quantise), quantise=quantise)
        return nn.functional.pixel_shuffle(x, 2)


class PassNetwork(nn.Module):
    """1x1, 1x1: features and contexts -> scale indices and means of one channel group.

    In int8, only contexts and means have weights of two bytes: scale indices of the second group need no more.
    """

    def __init__(self, inputs: int, hidden: int, channels: int, *, is_int8: bool = False) -> None:
        super().__init__()
        self.first = IntegerConvolution(inputs, hidden, 1, int8_rows=hidden if is_int8 else 0)
        self.last = IntegerConvolution(hidden, 2 * channels, 1, int8_rows=channels if is_int8 else 0)
        self.channels = channels
        with torch.no_grad():
            self.last.weight.mul_(0.05)

    def forward(self, x: Tensor, knots: Tensor, *, quantise: bool) -> tuple[Tensor, Tensor]:
        """(scale indices, means), not rounded."""
        hidden = activate(self.first(x, knots, quantise=quantise), quantise=quantise)
        with torch.autocast(x.device.type, enabled=False):  # means need more than the 8 bits of a bfloat16
            scale_index, mean = self.last(hidden.float(), knots, quantise=quantise).chunk(2, 1)
        return scale_index, mean


class Passes(nn.Module):
    """The four passes. Every position is computed; callers use those of the pass."""

    def __init__(self, latents: int, settings: EntropyModelSettings) -> None:
        super().__init__()
        first, second, features = settings.first_group, latents - settings.first_group, settings.features
        widths, hidden = settings.contexts, settings.hidden
        self.second_context = _context(first, widths[0])
        self.second_mean_predictor = _mean_predictor(first, PASSES[1].neighbours)
        self.third_context = _context(first, widths[1])
        self.third_mean_predictor = _mean_predictor(first, PASSES[2].neighbours)
        self.fourth_context = _context(first, widths[2], side=1)
        self.first_pass = PassNetwork(features, hidden[0], first)
        self.second_pass = PassNetwork(features + widths[0], hidden[1], first)
        self.third_pass = PassNetwork(features + widths[1], hidden[2], first)
        self.fourth_pass = PassNetwork(features + widths[2], hidden[3], second, is_int8=True)

    def estimate(
        self, one: Pass, features: Tensor, first_group: Tensor, knots: Tensor, *, quantise: bool
    ) -> tuple[Tensor, Tensor]:
        """(scale indices, means) of the channels that a pass codes, at every position.

        Args:
            one: of `entropy.passes.PASSES`.
            features: of the hyper-synthesis.
            first_group: (batch, first group, rows, columns) decoded latents, zero where nothing is decoded yet.
            knots: (batch, knots).
            quantise: run the networks in fake-quantised integers.
        """
        inputs = features
        if one.context is not None:
            companded = compand(first_group, quantise=quantise)
            context = self.get_submodule(one.context)(companded, knots, quantise=quantise)
            inputs = torch.cat([features, activate(context, quantise=quantise)], 1)
        scale_index, mean = self.get_submodule(one.network)(inputs, knots, quantise=quantise)
        if one.mean_predictor is not None:
            with torch.autocast(features.device.type, enabled=False):
                predicted = self.get_submodule(one.mean_predictor)(first_group, knots, quantise=quantise)
                if quantise:
                    predicted, mean = round_to(predicted, 2.0**MEAN_BITS), round_to(mean, 2.0**MEAN_BITS)
                mean = mean + predicted
        return _finish(scale_index, mean, quantise=quantise)

    def forward(
        self, features: Tensor, steps: Tensor, knots: Tensor, *, quantise: bool, thresholds: Tensor | None = None
    ) -> Estimate:
        """All four passes of an encoder.

        Args:
            features: of the hyper-synthesis.
            steps: (batch, latents, rows, columns) latents in quantisation steps.
            knots: (batch, knots).
            quantise: run the networks in (fake) integers.
            thresholds: (SCALES, symbols) of `decode_rdo`; None rounds to the nearest.
        """

        def decode(part: Tensor, scale_index: Tensor, mean: Tensor) -> Tensor:
            if thresholds is None:
                return decode_nearest(part, mean)
            return decode_rdo(part, scale_index, mean, thresholds)

        first, second = steps.split([self.first_pass.channels, self.fourth_pass.channels], 1)
        context, scale_indices, means = torch.zeros_like(first), torch.zeros_like(first), torch.zeros_like(first)
        for one in PASSES[:-1]:
            mask = pass_mask(one, steps)
            scale_index, mean = self.estimate(one, features, context, knots, quantise=quantise)
            context = context + mask * decode(first, scale_index, mean)
            scale_indices, means = scale_indices + mask * scale_index, means + mask * mean
        scale_index, mean = self.estimate(PASSES[-1], features, context, knots, quantise=quantise)
        return Estimate(
            scale_index=torch.cat([scale_indices, scale_index], 1),
            mean=torch.cat([means, mean], 1),
            decoded=torch.cat([context, decode(second, scale_index, mean)], 1),
        )


def _context(channels: int, width: int, side: int = 3) -> IntegerConvolution:
    """What a pass reads of the decoded first group: nearby, or at the same position."""
    return IntegerConvolution(channels, width, side, input_limit=COMPANDED_LIMIT, input_bits=COMPANDED_BITS)


def _mean_predictor(channels: int, neighbours: tuple[tuple[int, int], ...]) -> IntegerConvolution:
    """Linear prediction of a mean from the same channel nearby; brightness starts as the mean of four neighbours."""
    layer = IntegerConvolution(channels, channels, 3, depthwise=True, input_limit=DECODED_LIMIT, input_bits=MEAN_BITS)
    with torch.no_grad():
        layer.weight.zero_()
        for row, column in neighbours:
            layer.weight[:3, 0, row, column] = 0.25
    return layer


def _finish(scale_index: Tensor, mean: Tensor, *, quantise: bool) -> tuple[Tensor, Tensor]:
    if quantise:
        scale_index, mean = round_to(scale_index, 1.0), round_to(mean, 2.0**MEAN_BITS)
    scale_index = clamp_inwards(scale_index.float(), 0, SCALES - 1)
    return scale_index, clamp_inwards(mean.float(), -LATENT_LIMIT, LATENT_LIMIT)


def decode_nearest(steps: Tensor, mean: Tensor) -> Tensor:
    """What the decoder gets of latents rounded to the nearest symbol; gradient passed straight through to `steps`."""
    return _with_gradient_of(steps, torch.floor(steps - mean + 0.5) + mean)


def decode_rdo(steps: Tensor, scale_index: Tensor, mean: Tensor, thresholds: Tensor) -> Tensor:
    """What the decoder gets when a symbol m is coded only from thresholds[scale_index, m - 1] on.

    Symbols of the `SKIPPED_SCALES` smallest scale indices are taken as zero, as the encoder does with photographs.
    """
    offset = steps - mean
    nearest = torch.floor(offset.abs() + 0.5)
    row = torch.floor(scale_index + 0.5).long()
    column = (nearest.long() - 1).clamp(0, thresholds.shape[-1] - 1)
    needed = nearest - 1 - column + thresholds[row, column]
    symbol = torch.sign(offset) * (nearest - (offset.abs() < needed).float()).clamp_min(0) * (row >= SKIPPED_SCALES)
    return _with_gradient_of(steps, symbol + mean)


def _with_gradient_of(steps: Tensor, values: Tensor) -> Tensor:
    """`values` to the last bit, so that whole multiples stay such; the gradient goes to `steps`."""
    return values.detach() + (steps - steps.detach())


class HyperDensity(nn.Module):
    """Probability of whole hyper-latents: for each channel a mixture of three logistics that moves with quality."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        start = torch.tensor([-3.0, 0.0, 3.0]).repeat(KNOTS, channels, 1)
        self.mean = QualityTable(start.reshape(KNOTS, -1).numpy())
        self.log_scale = QualityTable.zeros(3 * channels)
        self.weight = QualityTable.zeros(3 * channels)
        self.channels = channels

    def forward(self, hyper: Tensor, knots: Tensor) -> Tensor:
        """(batch, channels, rows, columns) whole or noisy -> probability of the unit interval around each."""
        shape = (knots.shape[0], self.channels, 3, 1, 1)
        mean = self.mean(knots).reshape(shape)
        scale = self.log_scale(knots).reshape(shape).clamp(-3, 5).exp()
        weight = self.weight(knots).reshape(shape).softmax(2)
        offset = hyper[:, :, None] - mean
        flip = -torch.sign(offset).detach()
        mass = torch.sigmoid(flip * (offset + 0.5) / scale) - torch.sigmoid(flip * (offset - 0.5) / scale)
        return (weight * mass.abs()).sum(2)


def scale_index_of(spread: Tensor) -> Tensor:
    """The scale index whose scale is nearest to a standard deviation in quantisation steps."""
    return torch.log(spread / SMALLEST_SCALE) / SCALE_STEP
