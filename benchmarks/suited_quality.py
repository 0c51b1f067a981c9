"""What a quality that follows the activity of pictures (decision 6) changes for many of them: means, spread, the worst.

    python benchmarks/suited_quality.py --data FOLDER [--model photo] [--bpp 0.2 0.4 0.6 0.9 1.3]

Every picture is coded over the whole range of qualities; what other strengths of the rule would do is interpolated.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from unittest.mock import patch

import numpy as np
from scipy.interpolate import PchipInterpolator

import isthmus
from isthmus.codec.hyperprior import adaptive_quality
from isthmus.codec.hyperprior.adaptive_quality import adapt_quality
from isthmus.imaging.reading import read_picture
from isthmus.metrics.bd_rate import Curve, bd_rate
from isthmus.metrics.distortion import psnr
from isthmus.metrics.ssimulacra2 import ssimulacra2
from isthmus.sources.folders import walk

QUALITIES = (1, 6, 12, 18, 24, 30, 36, 42, 48, 54, 60, 66, 72, 78, 84, 90, 95, 100)
STRENGTHS = (0.0, 3.0, 6.0, 8.0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--bpp", type=float, nargs="+", default=[0.2, 0.4, 0.6, 0.9, 1.3])
    options = parser.parse_args()
    model = isthmus.load_model(options.model, threads=2)
    pictures = [read_picture(path).pixels for path in walk(options.data).files]
    curves = []
    with patch.object(adaptive_quality, "QUALITY_PER_OCTAVE", 0):
        for picture in pictures:
            rows = []
            for quality in QUALITIES:
                data = model.encode(picture, quality=quality)
                shown = model.decode(data)
                bits = np.log(8 * len(data) / picture[..., 0].size)
                rows.append((bits, psnr(shown, picture), ssimulacra2(picture, shown)))
            curves.append(PchipInterpolator(QUALITIES, np.array(rows)))
    one_for_all = None
    for strength in STRENGTHS:
        with patch.object(adaptive_quality, "QUALITY_PER_OCTAVE", strength):
            used = [[adapt_quality(one, quality) for one in pictures] for quality in range(1, 101)]
        # (qualities, pictures, 3)
        values = np.array([[curve(at) for curve, at in zip(curves, row, strict=True)] for row in used])
        rates, levels = np.exp(values[..., 0]).mean(1), values[..., 1].mean(1)
        curve = Curve(tuple(rates[::9].tolist()), tuple(levels[::9].tolist()))
        one_for_all = one_for_all or curve
        change = bd_rate(one_for_all, curve).percent
        print(f"{strength:g} qualities an octave: BD-rate of the means {change:+.1f} % against one quantiser for all")
        for bpp in options.bpp:
            scores = values[..., 2]
            figures = (levels, scores.mean(1), scores.std(1), np.percentile(scores, 10, axis=1))
            at_rate = [float(np.interp(np.log(bpp), np.log(rates), figure)) for figure in figures]
            print(
                "  {:.1f} bpp: PSNR {:.2f} dB, SSIMULACRA2 {:.1f} ± {:.1f}, a tenth below {:.1f}".format(bpp, *at_rate)
            )


if __name__ == "__main__":
    main()
