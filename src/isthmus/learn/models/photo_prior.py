"""Entropy model of the photo codec: hyper-latents and four masked passes choose a scale and a mean for every latent.

Flow, in the decoder's order (sizes relative to the picture):

    hyper-latents 96 at 1/64 -> hyper-synthesis -> features at 1/16
    pass 1: strong channels at even positions   | features
    pass 2: strong channels at odd positions    | features, strong channels at even positions
    pass 3: weak channels at even positions     | features, strong channels
    pass 4: weak channels at odd positions      | features, strong channels, weak channels at even positions

"Even" are positions where row + column is even. Everything behind the hyper-latents is made of `integer` layers.
Sources: mean-scale hyperprior (Minnen et al. 2018, arXiv 1809.02736), checkerboard (He et al. 2021, arXiv 2103.15306),
uneven channel groups (He et al. 2022, arXiv 2203.10886).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isthmus.entropy.exact import squash_table
from isthmus.learn.models.integer import ACTIVATION_BITS, IntegerConvolution, activate, clamp_inwards, round_to
from isthmus.learn.models.quality import KNOTS, QualityTable

SCALE_LEVELS = 64
SMALLEST_SCALE = 0.11
LARGEST_SCALE = 256.0
SCALE_STEP = math.log(LARGEST_SCALE / SMALLEST_SCALE) / (SCALE_LEVELS - 1)
"""Level i stands for a standard deviation of SMALLEST_SCALE * exp(SCALE_STEP * i) quantisation steps."""
MEAN_BITS = 6
"""Means are multiples of 1/64 of a quantisation step. With 1/16, the 384 rounded means of a block cost 0.3 dB at low
rates, where nearly every symbol is zero and the mean is what the decoder shows."""
LATENT_LIMIT = 511
"""Latents and means are kept within this many quantisation steps."""
PREDICTION_LIMIT = (LATENT_LIMIT + 1) * 2**MEAN_BITS
"""Largest magnitude of a decoded latent as an integer."""
HYPER_LIMIT = 31
"""Hyper-latents are kept in -31..31."""
HYPER_GROUPS = 10
"""Qualities in ten groups share their tables of hyper-latents."""


@dataclass(frozen=True)
class PriorSettings:
    """Widths of the entropy networks."""

    strong: int = 96
    """Channels that are coded first: the strongest of the transform that training starts from."""
    hyper_latents: int = 96
    """Channels at 1/64."""
    hyper_hidden: int = 160
    """Width of the hyper-transforms."""
    features: int = 192
    """Channels that the hyper-synthesis hands to the passes."""
    contexts: tuple[int, int, int] = (96, 128, 96)
    """Widths of what passes 2, 3 and 4 read from decoded latents."""
    hidden: tuple[int, int, int, int] = (192, 192, 256, 256)
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
    """sign(y) log(1 + |y|): what networks read instead of latents. Quantised: by the exact table, 64ths to 128ths."""
    squeezed = torch.sign(steps) * torch.log1p(steps.abs())
    if not quantise:
        return squeezed
    index = torch.floor(steps.detach().abs() * 2**MEAN_BITS + 0.5).long().clamp_max(PREDICTION_LIMIT)
    exact = torch.sign(steps) * _SQUASH.to(steps.device)[index] / 2**ACTIVATION_BITS
    return squeezed + (exact - squeezed).detach()


def even_positions(like: Tensor) -> Tensor:
    """(rows, columns) of 0 and 1."""
    rows = torch.arange(like.shape[-2], device=like.device)[:, None]
    columns = torch.arange(like.shape[-1], device=like.device)[None, :]
    return ((rows + columns) % 2 == 0).to(torch.float32)


class HyperAnalysis(nn.Module):
    """Latents in quantisation steps -> hyper-latents, real numbers (batch, hyper_latents, rows/4, columns/4)."""

    def __init__(self, latents: int, settings: PriorSettings) -> None:
        super().__init__()
        width = settings.hyper_hidden
        self.first = nn.Conv2d(latents, width, 1)
        self.second = nn.Conv2d(4 * width, width, 1)
        self.third = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(4 * width, settings.hyper_latents, 1)

    def forward(self, steps: Tensor) -> Tensor:
        """Hyper-latents, not rounded."""
        x = nn.functional.relu(self.first(compress_range(steps, quantise=False)))
        x = nn.functional.relu(self.second(nn.functional.pixel_unshuffle(x, 2)))
        x = nn.functional.relu(self.third(x))
        return self.last(nn.functional.pixel_unshuffle(x, 2))


class HyperSynthesis(nn.Module):
    """Whole hyper-latents -> features (batch, features, 4*rows, 4*columns)."""

    def __init__(self, settings: PriorSettings) -> None:
        super().__init__()
        width = settings.hyper_hidden
        self.first = IntegerConvolution(
            settings.hyper_latents, 4 * width, 1, input_limit=HYPER_LIMIT, input_bits=0, gain=1.0
        )
        self.second = IntegerConvolution(width, width, 3)
        self.last = IntegerConvolution(width, 4 * settings.features, 1)

    def forward(self, hyper: Tensor, knots: Tensor, *, quantise: bool) -> Tensor:
        """Features, whole multiples of 1/128 if asked."""
        x = activate(self.first(hyper, knots, quantise=quantise), quantise=quantise)
        x = nn.functional.pixel_shuffle(x, 2)
        x = activate(self.second(x, knots, quantise=quantise), quantise=quantise)
        x = activate(self.last(x, knots, quantise=quantise), quantise=quantise)
        return nn.functional.pixel_shuffle(x, 2)


class PassNetwork(nn.Module):
    """1x1, 1x1: features and contexts -> levels and means of one group of channels."""

    def __init__(self, inputs: int, hidden: int, channels: int) -> None:
        super().__init__()
        self.first = IntegerConvolution(inputs, hidden, 1)
        self.last = IntegerConvolution(hidden, 2 * channels, 1)
        with torch.no_grad():
            self.last.weight.mul_(0.05)

    def forward(self, x: Tensor, knots: Tensor, *, quantise: bool) -> tuple[Tensor, Tensor]:
        """(levels, means), not rounded."""
        hidden = activate(self.first(x, knots, quantise=quantise), quantise=quantise)
        with torch.autocast(x.device.type, enabled=False):  # means need more than the 8 bits of a bfloat16
            level, mean = self.last(hidden.float(), knots, quantise=quantise).chunk(2, 1)
        return level, mean


class Passes(nn.Module):
    """The four passes. Every position is computed; callers use the masked half."""

    def __init__(self, latents: int, settings: PriorSettings) -> None:
        super().__init__()
        self.strong = settings.strong
        weak = latents - settings.strong
        second, third, fourth = settings.contexts
        features = settings.features
        self.second_context = IntegerConvolution(settings.strong, second, 3)
        self.second_line = IntegerConvolution(
            settings.strong, settings.strong, 3, depthwise=True, input_limit=PREDICTION_LIMIT, input_bits=MEAN_BITS
        )
        self.third_context = IntegerConvolution(settings.strong, third, 3)
        self.fourth_narrow = IntegerConvolution(weak, fourth, 1)
        self.fourth_context = IntegerConvolution(fourth, fourth, 3)
        self.first_pass = PassNetwork(features, settings.hidden[0], settings.strong)
        self.second_pass = PassNetwork(features + second, settings.hidden[1], settings.strong)
        self.third_pass = PassNetwork(features + third, settings.hidden[2], weak)
        self.fourth_pass = PassNetwork(features + third + fourth, settings.hidden[3], weak)
        with torch.no_grad():  # the brightness of three axes is first guessed as the mean of four neighbours
            self.second_line.weight.zero_()
            for row, column in ((0, 1), (1, 0), (1, 2), (2, 1)):
                self.second_line.weight[:3, 0, row, column] = 0.25

    def estimate_first(self, features: Tensor, knots: Tensor, *, quantise: bool) -> tuple[Tensor, Tensor]:
        """(levels, means) of the strong channels at even positions."""
        return _finish(*self.first_pass(features, knots, quantise=quantise), quantise=quantise)

    def estimate_second(
        self, features: Tensor, strong_even: Tensor, knots: Tensor, *, quantise: bool
    ) -> tuple[Tensor, Tensor]:
        """`strong_even`: decoded latents, zero at odd positions."""
        read = compress_range(strong_even, quantise=quantise)
        context = activate(self.second_context(read, knots, quantise=quantise), quantise=quantise)
        level, mean = self.second_pass(torch.cat([features, context], 1), knots, quantise=quantise)
        with torch.autocast(features.device.type, enabled=False):
            line = self.second_line(strong_even, knots, quantise=quantise)
            if quantise:
                line, mean = round_to(line, 2.0**MEAN_BITS), round_to(mean, 2.0**MEAN_BITS)
        return _finish(level, mean + line, quantise=quantise)

    def read_strong(self, strong: Tensor, knots: Tensor, *, quantise: bool) -> Tensor:
        """What passes 3 and 4 know of the strong channels."""
        read = compress_range(strong, quantise=quantise)
        return activate(self.third_context(read, knots, quantise=quantise), quantise=quantise)

    def estimate_third(
        self, features: Tensor, context: Tensor, knots: Tensor, *, quantise: bool
    ) -> tuple[Tensor, Tensor]:
        """(levels, means) of the weak channels at even positions."""
        return _finish(*self.third_pass(torch.cat([features, context], 1), knots, quantise=quantise), quantise=quantise)

    def estimate_fourth(
        self, features: Tensor, context: Tensor, weak_even: Tensor, knots: Tensor, *, quantise: bool
    ) -> tuple[Tensor, Tensor]:
        """`weak_even`: decoded latents, zero at odd positions."""
        read = compress_range(weak_even, quantise=quantise)
        narrow = activate(self.fourth_narrow(read, knots, quantise=quantise), quantise=quantise)
        near = activate(self.fourth_context(narrow, knots, quantise=quantise), quantise=quantise)
        inputs = torch.cat([features, context, near], 1)
        return _finish(*self.fourth_pass(inputs, knots, quantise=quantise), quantise=quantise)

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

        even = even_positions(steps)
        strong, weak = steps[:, : self.strong], steps[:, self.strong :]
        level_1, mean_1 = self.estimate_first(features, knots, quantise=quantise)
        strong_even = even * decode(strong, level_1, mean_1)
        level_2, mean_2 = self.estimate_second(features, strong_even, knots, quantise=quantise)
        strong_known = strong_even + (1 - even) * decode(strong, level_2, mean_2)
        context = self.read_strong(strong_known, knots, quantise=quantise)
        level_3, mean_3 = self.estimate_third(features, context, knots, quantise=quantise)
        weak_even = even * decode(weak, level_3, mean_3)
        level_4, mean_4 = self.estimate_fourth(features, context, weak_even, knots, quantise=quantise)
        weak_known = weak_even + (1 - even) * decode(weak, level_4, mean_4)
        odd = 1 - even
        return Estimate(
            level=torch.cat([even * level_1 + odd * level_2, even * level_3 + odd * level_4], 1),
            mean=torch.cat([even * mean_1 + odd * mean_2, even * mean_3 + odd * mean_4], 1),
            decoded=torch.cat([strong_known, weak_known], 1),
        )


def _finish(level: Tensor, mean: Tensor, *, quantise: bool) -> tuple[Tensor, Tensor]:
    if quantise:
        level, mean = round_to(level, 1.0), round_to(mean, 2.0**MEAN_BITS)
    level = clamp_inwards(level.float(), 0, SCALE_LEVELS - 1)
    return level, clamp_inwards(mean.float(), -LATENT_LIMIT, LATENT_LIMIT)


def decode_rounded(steps: Tensor, mean: Tensor) -> Tensor:
    """What the decoder gets of latents rounded to the nearest symbol; gradient passed straight through to `steps`."""
    return steps + (torch.floor(steps - mean + 0.5) + mean - steps).detach()


def thrifty_thresholds(*, error_weight: float = 1.75, most: float = 0.4) -> Tensor:
    """From where on a symbol is worth its bits.

    A symbol m costs bits(m) - bits(m - 1) more than the one before it; where gains suit lambda, a squared error of one
    step is worth 6 / ln 2 bits. `error_weight` and `most` were tuned on held-aside pictures.

    Returns:
        (SCALE_LEVELS, 16): least magnitude that is coded as symbol 1..16, in steps from the mean.
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

    Symbols of the smallest level are not coded.
    """
    offset = steps - mean
    nearest = torch.floor(offset.abs() + 0.5)
    row = torch.floor(level + 0.5).long()
    column = (nearest.long() - 1).clamp(0, thresholds.shape[1] - 1)
    needed = nearest - 1 - column + thresholds[row, column]
    symbol = torch.sign(offset) * (nearest - (offset.abs() < needed).float()).clamp_min(0) * (row > 0)
    return steps + (symbol + mean - steps).detach()


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
