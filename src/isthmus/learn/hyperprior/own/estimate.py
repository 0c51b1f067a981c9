"""How a run is getting on: what training estimates on held-aside pictures, against files of WebP."""

from __future__ import annotations

import numpy as np
import torch

from isthmus.learn.hyperprior.networks.quality import position_of
from isthmus.learn.hyperprior.own.comparison import (
    OTHERS,
    PACK_FRAMING,
    SCORE,
    WEBP,
    Curve,
    levels,
    other_codecs,
    other_coder,
    ratio_to,
)
from isthmus.learn.hyperprior.own.training import OwnRun

HELD_WINDOWS = 12
TRIED_QUALITIES = (25, 45, 65)


class Progress:
    """Measures a run's average now and then.

    Args:
        run: whose held-aside pictures are coded.
    """

    def __init__(self, run: OwnRun) -> None:
        self._run = run
        self._windows = run.pictures.held_aside_windows(HELD_WINDOWS)
        codecs, _ = other_codecs([WEBP])
        self._webp = Curve("WebP", tuple(map(float, OTHERS[WEBP])))
        for window in self._windows:
            self._webp.add(window, other_coder(codecs[WEBP], OTHERS[WEBP])(window), keep=False)

    @torch.no_grad()
    def against_webp(self) -> float:
        """Estimated bytes for each byte of WebP at equal SSIMULACRA2; NaN where they have no level in common."""
        run, windows = self._run, self._windows
        curve = Curve("own", tuple(map(float, TRIED_QUALITIES)))
        run.model.eval()
        coded: list[list[tuple[int, np.ndarray]]] = [[] for _ in windows]
        for quality in TRIED_QUALITIES:
            position = torch.full((len(windows),), float(position_of(np.array(quality))))
            bits, shown = run.code(run.average, windows, position)
            bytes_ = (bits * windows.shape[1] * windows.shape[2] / 8 + PACK_FRAMING).tolist()
            pixels = (shown.clamp(-0.5, 0.5) * 255 + 127.5).round().byte().permute(0, 2, 3, 1).numpy()
            for one, size, back in zip(coded, bytes_, pixels, strict=True):
                one.append((size, np.ascontiguousarray(back)))
        for window, both in zip(windows, coded, strict=True):
            curve.measured.append([(size, *levels(window, back)) for size, back in both])
        return ratio_to(curve, self._webp, SCORE)
