"""Entropy model of the photo codec: hyper-latents and four masked passes choose a scale and a mean for every latent.

Flow, in the decoder's order (sizes relative to the picture):

    hyper-latents 96 at 1/64 -> hyper-synthesis -> features at 1/16
    pass 1: strong channels where row and column are even     | features
    pass 2: strong channels where row and column are odd      | features, the four diagonal neighbours
    pass 3: strong channels at all other positions            | features, the four direct neighbours
    pass 4: weak channels at all positions                    | features, strong channels at the same position

At low rates nearly all bits are in the strong channels, and what knows no neighbour costs half as much again as what
knows four; weak channels tell little about one another (0.5 % at the highest rates, docs/experiments.md).
Everything behind the hyper-latents is made of `integer` layers. Sources: mean-scale hyperprior (Minnen et al. 2018,
arXiv 1809.02736), checkerboard (He et al. 2021, arXiv 2103.15306), uneven channel groups (He et al. 2022,
arXiv 2203.10886), more than two steps (Lin et al. 2023, arXiv 2302.09263).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isthmus.entropy.hyper_latents import HYPER_LIMIT
from isthmus.entropy.hyperprior import SKIPPED_LEVELS
from isthmus.entropy.reference_networks import (
    DECODED_LIMIT,
    KNOTS,
    LATENT_LIMIT,
    MEAN_BITS,
    READ_BITS,
    READ_LIMIT,
    SCALE_LEVELS,
    squash_table,
)
from isthmus.entropy.scale_tables import SCALE_STEP, SMALLEST_SCALE
from isthmus.learn.hyperprior.networks.integer import IntegerConvolution, activate, clamp_inwards, round_to
from isthmus.learn.hyperprior.networks.quality import QualityTable


@dataclass(frozen=True)
class PriorSettings:
    """Widths of the entropy networks."""

    strong: int = 96
    """Channels that are coded first: the strongest of the transform that training starts from."""
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

    level: Tensor
    """Scale level 0..63; real numbers unless quantised."""
    mean: Tensor
    """In quantisation steps."""
    decoded: Tensor
    """Latents as the decoder will know them, in quantisation steps."""


_SQUASH = torch.from_numpy(squash_table().astype("float32"))


def compress_range(steps: Tensor, *, quantise: bool) -> Tensor:
    """sign(y) log(1 + |y|): what networks read instead of latents. Quantised: by the exact table, 64ths to 16ths."""
    squeezed = torch.sign(steps) * torch.log1p(steps.abs())
    if not quantise:
        return squeezed
    index = torch.floor(steps.detach().abs() * 2**MEAN_BITS + 0.5).long().clamp_max(DECODED_LIMIT)
    exact = torch.sign(steps) * _SQUASH.to(steps.device)[index] / 2**READ_BITS
    return squeezed + (exact - squeezed).detach()


def pass_masks(like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(rows, columns) of 0 and 1 each: the positions of passes 1 to 3."""
    rows = torch.arange(like.shape[-2], device=like.device)[:, None] % 2
    columns = torch.arange(like.shape[-1], device=like.device)[None, :] % 2
    even, odd = (1 - rows) * (1 - columns), rows * columns
    return even.float(), odd.float(), (1 - even - odd).float()


CODED_FROM = 0.75
"""Steps below are taken to be coded as zero, and larger ones rounded as sparingly."""
CODED_SHARE = 0.75
"""How far hyper-latents look at what is coded, not at what there was. Both were tuned on held-aside pictures."""


def nearly_coded(steps: Tensor) -> Tensor:
    """Latents moved towards what thrifty rounding will leave of them; the gradient is passed straight through.

    Most are coded as zero, however far they were from it: they need no level that expects more.
    """
    sizes = steps.abs()
    coded = torch.floor(sizes + (1 - CODED_FROM))
    return steps + (torch.sign(steps) * (CODED_SHARE * (coded - sizes))).detach()


class HyperAnalysis(nn.Module):
    """Latents in quantisation steps -> hyper-latents, real numbers (batch, hyper_latents, rows/4, columns/4).

    It reads them as `nearly_coded`, and behind them their magnitudes, which say more of scales.
    """

    def __init__(self, latents: int, settings: PriorSettings) -> None:
        super().__init__()
        width = settings.hyper_hidden
        self.first = nn.Conv2d(2 * latents, width, 1)
        self.second = nn.Conv2d(4 * width, width, 1)
        self.third = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(4 * width, settings.hyper_latents, 1)

    def forward(self, steps: Tensor) -> Tensor:
        """Hyper-latents, not rounded."""
        read = compress_range(nearly_coded(steps), quantise=False)
        x = nn.functional.relu(self.first(torch.cat([read, read.abs()], 1)))
        x = nn.functional.relu(self.second(nn.functional.pixel_unshuffle(x, 2)))
        x = nn.functional.relu(self.third(x))
        return self.last(nn.functional.pixel_unshuffle(x, 2))


class HyperSynthesis(nn.Module):
    """Whole hyper-latents -> features (batch, features, 4*rows, 4*columns)."""

    def __init__(self, settings: PriorSettings) -> None:
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
    """1x1, 1x1: features and contexts -> levels and means of one group of channels.

    In bytes, only contexts and means have weights of two: levels of weak channels need no more.
    """

    def __init__(self, inputs: int, hidden: int, channels: int, *, is_in_bytes: bool = False) -> None:
        super().__init__()
        self.first = IntegerConvolution(inputs, hidden, 1, byte_rows=hidden if is_in_bytes else 0)
        self.last = IntegerConvolution(hidden, 2 * channels, 1, byte_rows=channels if is_in_bytes else 0)
        self.channels = channels
        with torch.no_grad():
            self.last.weight.mul_(0.05)

    def forward(self, x: Tensor, knots: Tensor, *, quantise: bool) -> tuple[Tensor, Tensor]:
        """(levels, means), not rounded."""
        hidden = activate(self.first(x, knots, quantise=quantise), quantise=quantise)
        with torch.autocast(x.device.type, enabled=False):  # means need more than the 8 bits of a bfloat16
            level, mean = self.last(hidden.float(), knots, quantise=quantise).chunk(2, 1)
        return level, mean


class Passes(nn.Module):
    """The four passes. Every position is computed; callers use those of the pass."""

    def __init__(self, latents: int, settings: PriorSettings) -> None:
        super().__init__()
        strong, weak, features = settings.strong, latents - settings.strong, settings.features
        widths, hidden = settings.contexts, settings.hidden
        self.second_context = _context(strong, widths[0])
        self.second_line = _line(strong, ((0, 0), (0, 2), (2, 0), (2, 2)))
        self.third_context = _context(strong, widths[1])
        self.third_line = _line(strong, ((0, 1), (1, 0), (1, 2), (2, 1)))
        self.fourth_context = _context(strong, widths[2], side=1)
        self.first_pass = PassNetwork(features, hidden[0], strong)
        self.second_pass = PassNetwork(features + widths[0], hidden[1], strong)
        self.third_pass = PassNetwork(features + widths[1], hidden[2], strong)
        self.fourth_pass = PassNetwork(features + widths[2], hidden[3], weak, is_in_bytes=True)

    def estimate(
        self, number: int, features: Tensor, strong: Tensor, knots: Tensor, *, quantise: bool
    ) -> tuple[Tensor, Tensor]:
        """(levels, means) of the channels that a pass codes.

        Args:
            number: of the pass, 0..3.
            features: of the hyper-synthesis.
            strong: (batch, strong, rows, columns) decoded latents, zero where nothing is known yet.
            knots: (batch, knots).
            quantise: run the networks in (fake) integers.
        """
        if number == 0:
            return _finish(*self.first_pass(features, knots, quantise=quantise), quantise=quantise)
        context_layer = (self.second_context, self.third_context, self.fourth_context)[number - 1]
        network = (self.second_pass, self.third_pass, self.fourth_pass)[number - 1]
        read = compress_range(strong, quantise=quantise)
        context = activate(context_layer(read, knots, quantise=quantise), quantise=quantise)
        level, mean = network(torch.cat([features, context], 1), knots, quantise=quantise)
        if number < 3:
            line_layer = (self.second_line, self.third_line)[number - 1]
            with torch.autocast(features.device.type, enabled=False):
                line = line_layer(strong, knots, quantise=quantise)
                if quantise:
                    line, mean = round_to(line, 2.0**MEAN_BITS), round_to(mean, 2.0**MEAN_BITS)
                mean = mean + line
        return _finish(level, mean, quantise=quantise)

    def forward(
        self, features: Tensor, steps: Tensor, knots: Tensor, *, quantise: bool, thresholds: Tensor | None = None
    ) -> Estimate:
        """All four passes of an encoder.

        Args:
            features: of the hyper-synthesis.
            steps: (batch, latents, rows, columns) latents in quantisation steps.
            knots: (batch, knots).
            quantise: run the networks in (fake) integers.
            thresholds: (SCALE_LEVELS, symbols) of `decode_thrifty`; None rounds to the nearest.
        """

        def decode(part: Tensor, level: Tensor, mean: Tensor) -> Tensor:
            return decode_rounded(part, mean) if thresholds is None else decode_thrifty(part, level, mean, thresholds)

        strong, weak = steps.split([self.first_pass.channels, self.fourth_pass.channels], 1)
        known, levels, means = torch.zeros_like(strong), torch.zeros_like(strong), torch.zeros_like(strong)
        for number, mask in enumerate(pass_masks(steps)):
            level, mean = self.estimate(number, features, known, knots, quantise=quantise)
            known = known + mask * decode(strong, level, mean)
            levels, means = levels + mask * level, means + mask * mean
        level, mean = self.estimate(3, features, known, knots, quantise=quantise)
        return Estimate(
            level=torch.cat([levels, level], 1),
            mean=torch.cat([means, mean], 1),
            decoded=torch.cat([known, decode(weak, level, mean)], 1),
        )


def _context(strong: int, width: int, side: int = 3) -> IntegerConvolution:
    """What a pass reads of decoded strong channels: nearby, or at the same position."""
    return IntegerConvolution(strong, width, side, input_limit=READ_LIMIT, input_bits=READ_BITS)


def _line(channels: int, neighbours: tuple[tuple[int, int], ...]) -> IntegerConvolution:
    """Guess of a mean from the same channel nearby; brightness starts as the mean of four neighbours."""
    line = IntegerConvolution(channels, channels, 3, depthwise=True, input_limit=DECODED_LIMIT, input_bits=MEAN_BITS)
    with torch.no_grad():
        line.weight.zero_()
        for row, column in neighbours:
            line.weight[:3, 0, row, column] = 0.25
    return line


def _finish(level: Tensor, mean: Tensor, *, quantise: bool) -> tuple[Tensor, Tensor]:
    if quantise:
        level, mean = round_to(level, 1.0), round_to(mean, 2.0**MEAN_BITS)
    level = clamp_inwards(level.float(), 0, SCALE_LEVELS - 1)
    return level, clamp_inwards(mean.float(), -LATENT_LIMIT, LATENT_LIMIT)


def decode_rounded(steps: Tensor, mean: Tensor) -> Tensor:
    """What the decoder gets of latents rounded to the nearest symbol; gradient passed straight through to `steps`."""
    return _with_gradient_of(steps, torch.floor(steps - mean + 0.5) + mean)


def thrifty_thresholds(*, error_weight: float = 1.6, most: float = 0.5) -> Tensor:
    """From where on a symbol is worth its bits.

    A symbol m costs bits(m) - bits(m - 1) more than the one before it; where gains suit lambda, a squared error of one
    step is worth 6 / ln 2 bits. `error_weight` and `most` were tuned on held-aside pictures.

    Returns:
        (SCALE_LEVELS, 16): least magnitude that is coded as symbol 1..16, in steps from the mean. As
        `thrift.thresholds_of`, of normal distributions.
    """
    level = torch.arange(SCALE_LEVELS, dtype=torch.float64)[:, None]
    scale = SMALLEST_SCALE * torch.exp(SCALE_STEP * level) * 2**0.5
    symbol = torch.arange(17, dtype=torch.float64)[None, :]
    mass = 0.5 * (torch.erfc((symbol - 0.5) / scale) - torch.erfc((symbol + 0.5) / scale))
    bits = -torch.log2(mass.clamp_min(2.0**-30))
    dearer = (bits[:, 1:] - bits[:, :-1]) / (2 * error_weight * 6 / math.log(2))
    return (symbol[:, 1:] - 0.5 + dearer.clamp(0, most)).float()


def decode_thrifty(steps: Tensor, level: Tensor, mean: Tensor, thresholds: Tensor) -> Tensor:
    """What the decoder gets when a symbol m is taken only from thresholds[level, m - 1] on; larger ones as the last.

    Symbols of the `SKIPPED_LEVELS` smallest levels are taken as zero, as the encoder does with photographs.
    """
    offset = steps - mean
    nearest = torch.floor(offset.abs() + 0.5)
    row = torch.floor(level + 0.5).long()
    column = (nearest.long() - 1).clamp(0, thresholds.shape[-1] - 1)
    needed = nearest - 1 - column + thresholds[row, column]
    symbol = torch.sign(offset) * (nearest - (offset.abs() < needed).float()).clamp_min(0) * (row >= SKIPPED_LEVELS)
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


def level_bias(spread: Tensor) -> Tensor:
    """The level whose scale is nearest to a standard deviation in quantisation steps."""
    return torch.log(spread / SMALLEST_SCALE) / SCALE_STEP
