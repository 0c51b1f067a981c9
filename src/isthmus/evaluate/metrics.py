"""What pictures are compared by, and the level of each that curves are drawn over and BD-rates are taken at."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from isthmus.errors import UsageError
from isthmus.evaluate.codec import Pixels
from isthmus.metrics.similarity import ms_ssim, ssim
from isthmus.metrics.ssimulacra2 import SMALLEST_SIDE, ssimulacra2


class Measured(Protocol):
    """A measurement, or the mean of several."""

    @property
    def psnr(self) -> float: ...  # noqa: D102
    @property
    def ssimulacra2(self) -> float | None: ...  # noqa: D102
    @property
    def ms_ssim(self) -> float | None: ...  # noqa: D102
    @property
    def ssim(self) -> float | None: ...  # noqa: D102


@dataclass(frozen=True)
class Metric:
    """One measure of quality; higher is better.

    Attributes:
        name: as in options and results.
        label: as tables have it.
        axis: as figures have it.
        digits: behind the point.
        compute: of an original and what came back; None where a picture is too small for it. None: it is the PSNR,
            which is always measured.
        is_similarity: at most 1; its level is -10 log10(1 - value) in dB, as papers have it.
    """

    name: str
    label: str
    axis: str
    digits: int
    compute: Callable[[Pixels, Pixels], float | None] | None
    is_similarity: bool = False

    def level(self, measured: Measured) -> float | None:
        """Of one measurement; None where it has none, infinite where nothing differs."""
        value: float | None = getattr(measured, self.name)
        if value is None or not self.is_similarity:
            return value
        return -10 * math.log10(1 - value) if value < 1 else math.inf


def _ssimulacra2(first: Pixels, second: Pixels) -> float | None:
    return ssimulacra2(first, second) if min(first.shape[:2]) >= SMALLEST_SIDE else None


METRICS = {
    metric.name: metric
    for metric in (
        Metric("ssimulacra2", "SSIMULACRA2", "SSIMULACRA2", 1, _ssimulacra2),
        Metric("psnr", "PSNR", "PSNR in dB", 2, None),
        Metric("ms_ssim", "MS-SSIM", "MS-SSIM in dB: -10 log(1 - x)", 4, ms_ssim, is_similarity=True),
        Metric("ssim", "SSIM", "SSIM in dB: -10 log(1 - x)", 4, ssim, is_similarity=True),
    )
}
"""By name, what follows eyes best first."""
DEFAULT_METRICS = ("ssimulacra2", "ms_ssim")


def metrics_of(names: Sequence[str]) -> tuple[Metric, ...]:
    """Those of some names, and the PSNR.

    Raises:
        UsageError: there is no metric of a name.
    """
    for name in names:
        if name not in METRICS:
            raise UsageError(f"no metric {name!r}: there are {', '.join(METRICS)}")
    return tuple(metric for name, metric in METRICS.items() if name in names or metric.compute is None)
