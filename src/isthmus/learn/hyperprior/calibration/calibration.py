"""What export has to know of a trained codec on pictures, as a value: `calibrate` makes it, `export` takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor

BLOCK, SYMBOLS, RANGES, INT8, QUALITY_MAP = "block.", "symbols.", ".ranges", ".int8.", "quality_map"


@dataclass(frozen=True)
class BlockCalibration:
    """Of one `QuantisedBlock`.

    Attributes:
        ranges: (INT8_INPUTS + INT8_OUTPUTS, 2) float32: the least and largest activation in front of each layer, and
            behind those whose outputs become int8.
        int8_weights: by layer, int8 of its weight's shape; a layer that is not here has the nearest ones.
    """

    ranges: Tensor
    int8_weights: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class SymbolStatistics:
    """What the tables are fitted to.

    Attributes:
        counts: COUNTS_SHAPE int64, how often each symbol was seen at each scale index.
        hyper_thresholds: (HYPER_GROUPS, channels, 2, NEIGHBOUR_CONTEXTS - 1) int16, between contexts, in 12ths.
        hyper_counts: (HYPER_GROUPS, channels, CONTEXTS, symbols) int64.
    """

    counts: Tensor
    hyper_thresholds: Tensor
    hyper_counts: Tensor


@dataclass(frozen=True)
class Calibration:
    """All of it; it belongs to the weights that it was measured on.

    Attributes:
        symbols: counted.
        blocks: by name; empty: all blocks stay in floats.
        quality_map: (ASKED, SCORES) float32 of `quality_map.fit_quality_map`; None: qualities are those of the latents.
    """

    symbols: SymbolStatistics
    blocks: Mapping[str, BlockCalibration] = field(default_factory=dict)
    quality_map: Tensor | None = None

    @property
    def ranges(self) -> dict[str, Tensor]:
        """Of each block, for `transforms.set_fake_quantisation`."""
        return {name: block.ranges for name, block in self.blocks.items()}

    def without_int8_weights(self) -> Calibration:
        """For weights that are about to change: they are exported as the nearest until they are calibrated again."""
        return replace(self, blocks={name: BlockCalibration(block.ranges) for name, block in self.blocks.items()})

    def to_tensors(self) -> dict[str, Tensor]:
        """By name, for files."""
        tensors = {SYMBOLS + name: value for name, value in vars(self.symbols).items()}
        for name, block in self.blocks.items():
            tensors[BLOCK + name + RANGES] = block.ranges
            tensors |= {BLOCK + name + INT8 + layer: weight for layer, weight in block.int8_weights.items()}
        if self.quality_map is not None:
            tensors[QUALITY_MAP] = self.quality_map
        return tensors

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Calibration:
        """`to_tensors` backwards.

        Raises:
            KeyError: a part is missing.
            TypeError: a part that is none.
        """
        blocks = {}
        for name, ranges in tensors.items():
            if name.startswith(BLOCK) and name.endswith(RANGES):
                block = name.removesuffix(RANGES)
                blocks[block.removeprefix(BLOCK)] = BlockCalibration(ranges, _below(tensors, block + INT8))
        return cls(SymbolStatistics(**_below(tensors, SYMBOLS)), blocks, tensors.get(QUALITY_MAP))


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those whose names begin with the prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
