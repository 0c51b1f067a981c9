"""The photo codec as one differentiable whole: pixels -> reconstruction and rate, at any quality.

Flow:

    pixels -> Analysis -> latents -> * gains of the quality -> quantisation steps
    quantisation steps -> HyperAnalysis -> round -> hyper-latents
    hyper-latents -> HyperSynthesis -> Passes -> scale indices and means -> rate
    decoded steps / gains -> Synthesis -> pixels

The rate sees additive uniform noise, and in the end its scale indices see the symbols themselves; everything else sees
rounded values with gradients passed straight through (Balle et al. 2017, arXiv 1611.01704; Minnen and Singh 2020, arXiv
2007.08739). One model serves all rates with gains per channel and quality (Cui et al. 2021, arXiv 2003.02012).
"""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.entropy.fixed_point import KNOTS, LATENT_LIMIT, SCALES
from isthmus.entropy.hyper_latents import HYPER_GROUPS, HYPER_LIMIT
from isthmus.entropy.hyperprior import HYPER_POSITIONS, SKIPPED_SCALES
from isthmus.entropy.passes import PASSES
from isthmus.entropy.scale_tables import COUNTED_SCALES, LARGEST_COUNTED, SCALE_STEP, SMALLEST_SCALE
from isthmus.learn.hyperprior.networks.entropy_model import (
    EntropyModelSettings,
    Estimate,
    HyperAnalysis,
    HyperDensity,
    HyperSynthesis,
    Passes,
    scale_index_of,
)
from isthmus.learn.hyperprior.networks.integer import clamp_inwards
from isthmus.learn.hyperprior.networks.quality import QualityTable, knot_weights, lambda_at
from isthmus.learn.hyperprior.networks.transforms import Analysis, Synthesis, TransformStart

LEAST_PROBABILITY = 2.0**-24


@dataclass(frozen=True)
class CodecSettings:
    """Sizes of the photo codec."""

    latents: int = 384
    """Channels at 1/16."""
    analysis_fine: tuple[int, ...] = (96, 96)
    """Hidden widths of the analysis' residual blocks at 1/8."""
    analysis_coarse: tuple[int, ...] = (192, 192, 192)
    """The same at 1/16."""
    synthesis_coarse: tuple[int, ...] = (96, 160)
    """Hidden widths of the synthesis' residual blocks at 1/16."""
    synthesis_detail: tuple[int, int] = (64, 64)
    """Channels that each layer of the synthesis' detail at 1/8 reads, and hidden width."""
    prior: EntropyModelSettings = field(default_factory=EntropyModelSettings)


@dataclass(frozen=True)
class CodecOutput:
    """One batch, coded."""

    reconstruction: Tensor
    """(batch, 3, rows, columns), -0.5..0.5."""
    latent_bits: Tensor
    """(batch,) bits of the latents."""
    hyper_bits: Tensor
    """(batch,) bits of the hyper-latents."""


class HyperpriorCodec(nn.Module):
    """The networks and the quality-dependent gains."""

    def __init__(self, settings: CodecSettings, start: TransformStart) -> None:
        super().__init__()
        self.settings = settings
        self.analysis = Analysis(start, settings.analysis_fine, settings.analysis_coarse)
        self.synthesis = Synthesis(start, settings.synthesis_detail, settings.synthesis_coarse)
        self.hyper_analysis = HyperAnalysis(settings.latents, settings.prior)
        self.hyper_synthesis = HyperSynthesis(settings.prior)
        self.passes = Passes(settings.latents, settings.prior)
        self.hyper_density = HyperDensity(settings.prior.hyper_latents)
        lambdas = lambda_at(torch.linspace(0, 1, KNOTS)).numpy()
        # the step of a uniform quantiser whose error, weighed against rate at high resolution, is best for each lambda
        steps = np.sqrt(18 / (math.log(2) * lambdas * 255**2))
        spread = start.latent_scale[None, :] / steps[:, None]
        self.log_gain = QualityTable(np.log(spread))
        bias = scale_index_of(torch.from_numpy(spread * 0.7)).clamp(0, 56).numpy()
        for one in PASSES:
            part = bias[:, one.channels(settings.prior.first_group)]
            table = self.passes.get_parameter(f"{one.network}.last.bias.table")
            with torch.no_grad():
                table[:, : part.shape[1]] = torch.from_numpy(part.astype(np.float32))

    def gains(self, knots: Tensor) -> Tensor:
        """(batch, latents, 1, 1): quantisation steps per unit of latent."""
        return self.log_gain(knots).exp()

    def limited_steps(self, latents: Tensor, knots: Tensor) -> Tensor:
        """Latents of the analysis in quantisation steps, (batch, latents, rows, columns) float32."""
        return (latents.float() * self.gains(knots)).clamp(-LATENT_LIMIT, LATENT_LIMIT)

    def rounded_hyper(self, steps: Tensor) -> Tensor:
        """Hyper-latents as the decoder will know them; gradient passed straight through."""
        return _rounded(self.hyper_of(steps))

    def hyper_of(self, steps: Tensor) -> Tensor:
        """Hyper-latents, not rounded; positions beyond the grid, up to whole hyper-latents, are zeros."""
        beyond = [-length % HYPER_POSITIONS for length in steps.shape[-2:]]
        if any(beyond):
            steps = nn.functional.pad(steps, (0, beyond[1], 0, beyond[0]))
        return clamp_inwards(self.hyper_analysis(steps).float(), -HYPER_LIMIT, HYPER_LIMIT)

    def estimate(
        self, hyper: Tensor, steps: Tensor, knots: Tensor, *, quantise: bool, thresholds: Tensor | None = None
    ) -> Estimate:
        """What the entropy model says, from whole hyper-latents and the latents that become known on the way.

        Beyond the latents' grid nothing is coded, and what reads there reads zeros.
        """
        features = self.hyper_synthesis(hyper, knots, quantise=quantise)[..., : steps.shape[-2], : steps.shape[-1]]
        return self.passes(features, steps, knots, quantise=quantise, thresholds=thresholds)

    def decode(self, decoded: Tensor, knots: Tensor) -> Tensor:
        """Decoded quantisation steps -> pixels."""
        return self.synthesis(decoded / self.gains(knots), knots)

    def forward(
        self,
        pixels: Tensor,
        position: Tensor,
        *,
        quantise: bool,
        thresholds: Tensor | None = None,
        symbol_bits: Tensor | None = None,
    ) -> CodecOutput:
        """Code pixels.

        Args:
            pixels: (batch, 3, rows, columns), -0.5..0.5, sides multiples of 16.
            position: (batch,) place of each picture's quality between the knots, 0..1.
            quantise: run the entropy networks in (fake) integers.
            thresholds: of `decode_rdo`; None rounds to the nearest.
            symbol_bits: of `scale_bits`, what symbols cost with the tables that will code them; None: as if they were
                normal.
        """
        knots = knot_weights(position)
        steps = self.limited_steps(self.analysis(pixels), knots)
        hyper = self.hyper_of(steps)
        whole = _rounded(hyper)
        estimate = self.estimate(whole, steps, knots, quantise=quantise, thresholds=thresholds)
        if self.training:
            measured, hyper = steps + torch.rand_like(steps) - 0.5, hyper + torch.rand_like(hyper) - 0.5
        else:
            measured, hyper = estimate.decoded, whole
        if symbol_bits is None:
            bits = _bits(normal_mass(measured - estimate.mean, estimate.scale_index))
        else:
            bits = _coded_bits(measured, estimate, symbol_bits)
        return CodecOutput(
            reconstruction=self.decode(estimate.decoded, knots).float(),
            latent_bits=bits.sum((1, 2, 3)),
            hyper_bits=_bits(self.hyper_density(hyper, group_knots(position))).sum((1, 2, 3)),
        )


def group_knots(position: Tensor) -> Tensor:
    """Knot weights of the middle of each quality's group: groups share tables of hyper-latents."""
    return group_centre_knots(torch.floor((position * HYPER_GROUPS).clamp(0, HYPER_GROUPS - 0.5)))


def group_centre_knots(groups: Tensor) -> Tensor:
    """(count,) numbers of groups of qualities -> (count, knots) weights of their middles."""
    return knot_weights((groups + 0.5) / HYPER_GROUPS)


def normal_mass(offset: Tensor, scale_index: Tensor) -> Tensor:
    """Probability that a normal variable of a scale index falls into the unit interval around `offset`."""
    precision = torch.exp(-SCALE_STEP * scale_index) * (1 / (SMALLEST_SCALE * 2**0.5))
    distance = offset.abs()
    return 0.5 * (torch.erfc((distance - 0.5) * precision) - torch.erfc((distance + 0.5) * precision))


def _bits(probability: Tensor) -> Tensor:
    return -torch.log2(clamp_inwards(probability, LEAST_PROBABILITY, 2.0))


def _rounded(values: Tensor) -> Tensor:
    return values + (torch.floor(values + 0.5) - values).detach()


def _coded_bits(measured: Tensor, estimate: Estimate, symbol_bits: Tensor) -> Tensor:
    """Bits of the symbols as they are coded.

    Scale indices learn from them: noise knows nothing of RDO quantisation. Latents and means learn from `measured`,
    since a rounded latent has no useful gradient, and so do scale indices that are left out or too wide to be counted.
    """
    scale_index, symbol = estimate.scale_index, (estimate.decoded - estimate.mean).detach()
    row = torch.floor(scale_index.detach() + 0.5).long()
    column = torch.floor(symbol + 0.5).long() + LARGEST_COUNTED
    is_counted = (row >= SKIPPED_SCALES) & (row < COUNTED_SCALES) & (column >= 0) & (column <= 2 * LARGEST_COUNTED)
    column = column.clamp(0, 2 * LARGEST_COUNTED)
    above, below = (row + 1).clamp_max(SCALES - 1), (row - 1).clamp_min(0)
    slope = (symbol_bits[above, column] - symbol_bits[below, column]) / 2
    noisy = _bits(normal_mass(measured - estimate.mean, torch.where(is_counted, scale_index.detach(), scale_index)))
    unseen = noisy - noisy.detach()  # no bits, only their gradient
    coded = symbol_bits[row, column] + slope * (scale_index - scale_index.detach()) + unseen
    return torch.where(is_counted, coded, torch.where(row < SKIPPED_SCALES, unseen, noisy))
