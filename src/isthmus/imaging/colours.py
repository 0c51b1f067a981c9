"""Colour facts that a file states without an ICC profile (PNG's cICP, gAMA, cHRM; AVIF's nclx), made one.

The pixels stay as they are; a profile says what they mean, to every program that reads the picture afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image

from isthmus.imaging import boxes
from isthmus.imaging.boxes import Chromaticities
from isthmus.imaging.exif import profile_text
from isthmus.imaging.icc import Curve, fits, make_profile

_D65 = (0.3127, 0.3290)
_SRGB: Chromaticities = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_PRIMARIES: dict[int, Chromaticities] = {
    1: _SRGB,
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (0.310, 0.316, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
"""White, red, green and blue of ITU-T H.273's colour primaries, table 2; 10 is XYZ itself."""
_SRGB_CURVE = Curve(parametric=(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
_BT709_CURVE = Curve(parametric=(1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081))
_CURVES = {
    **dict.fromkeys((1, 6, 14, 15), _BT709_CURVE),
    **dict.fromkeys((2, 13), _SRGB_CURVE),
    **{number: Curve(power=power) for number, power in ((4, 2.2), (5, 2.8), (8, 1.0), (17, 2.6))},
}
_PQ, _HLG = 16, 18
_SAMPLES = 4096
_NEAR_SRGB_GAMMA = 0.02
"""A relative difference from 1 / 2.2 that nobody sees; files round it to 0.45."""
_NEAR_SRGB_POINT = 0.002
_UNSPECIFIED = 2


@dataclass(frozen=True)
class Colours:
    """What a file states of its colours; None where it does not.

    Attributes:
        icc: its own profile.
        coding_points: colour primaries and transfer characteristics of H.273; they go before the profile.
        has_narrow_range: black is 16 and white 235.
        gamma: the exponent that was applied to linear light (PNG's gAMA); a profile goes before it.
        chromaticities: of white and the primaries (PNG's cHRM); a profile goes before them.
    """

    icc: bytes | None = None
    coding_points: tuple[int, int] | None = None
    has_narrow_range: bool = False
    gamma: float | None = None
    chromaticities: Chromaticities | None = None

    def profile(self, channels: int, *, was_converted: bool = False) -> tuple[bytes | None, str | None]:
        """The profile of the pixels, and a line where it is not simply the file's own.

        Args:
            channels: 1 for grey, 3 for RGB.
            was_converted: the pixels had other colours than these before, such as CMYK.

        Returns:
            None where sRGB is meant.
        """
        if self.coding_points is not None:
            return _of_coding_points(*self.coding_points, channels)
        if self.icc is not None:
            if was_converted:
                return None, "its colour profile is of the colours before and left out"
            if fits(self.icc, channels):
                return self.icc, None
            return None, f"its colour profile is none of {'grey' if channels == 1 else 'RGB'} pictures and left out"
        return (None, None) if was_converted else _of_numbers(self.gamma, self.chromaticities, channels)


def colours_of(image: Image.Image, file: BinaryIO | None) -> Colours:
    """The colours of an image; its file, where it is open, says what Pillow does not."""
    profile = image.info.get("icc_profile") or None
    if image.format == "PNG":
        profile = profile or profile_text(image)
        chunk = boxes.png_chunk(file, b"cICP") if file is not None else None
        if chunk is not None and len(chunk) == 4:
            return Colours(profile, (chunk[0], chunk[1]), has_narrow_range=chunk[3] == 0)
        if profile is None and "srgb" not in image.info:
            return Colours(gamma=image.info.get("gamma"), chromaticities=image.info.get("chromaticity"))
    if file is not None and profile is None and image.format == "AVIF":
        return Colours(coding_points=boxes.avif_coding_points(file))
    if file is not None and image.format == "JPEG2000":
        return Colours(profile or boxes.jpeg2000_profile(file))
    if file is not None and image.format == "BMP":
        points, gamma = boxes.bmp_calibration(file) or (None, None)
        return Colours(profile or boxes.bmp_profile(file), gamma=gamma, chromaticities=points)
    return Colours(profile)


def _of_numbers(
    gamma: float | None, chromaticities: Chromaticities | None, channels: int
) -> tuple[bytes | None, str | None]:
    """A profile where gamma and primaries are not those of sRGB, and the line that says so."""
    if gamma is not None and abs(gamma * 2.2 - 1) < _NEAR_SRGB_GAMMA:
        gamma = None
    other = None if channels == 1 or _is_srgb(chromaticities) else chromaticities
    if gamma is None and other is None:
        return None, None
    what = " and ".join(([f"gamma of {gamma:.5g}"] if gamma is not None else []) + (["primaries"] if other else []))
    if gamma is not None and not 0.01 <= gamma <= 100:
        return None, f"its {what} cannot be: left out"
    curve = _SRGB_CURVE if gamma is None else Curve(power=1 / gamma)
    return _said(make_profile(channels, curve, other or _SRGB, f"Isthmus: {what}"), what)


def _is_srgb(chromaticities: Chromaticities | None) -> bool:
    return chromaticities is None or bool(np.abs(np.subtract(chromaticities, _SRGB)).max() <= _NEAR_SRGB_POINT)


def _of_coding_points(primaries: int, transfer: int, channels: int) -> tuple[bytes | None, str | None]:
    if primaries in (1, _UNSPECIFIED) and transfer in (13, _UNSPECIFIED):
        return None, None
    what = f"coding-independent colours (primaries {primaries}, transfer {transfer})"
    curve = _transfer(transfer)
    chromaticities = _SRGB if primaries == _UNSPECIFIED else _PRIMARIES.get(primaries)
    if curve is None or chromaticities is None:
        return None, f"its {what} are not known here: left out"
    return _said(make_profile(channels, curve, chromaticities, f"Isthmus: {what}"), what)


def _said(profile: bytes | None, what: str) -> tuple[bytes | None, str]:
    return profile, f"its {what} {'cannot be: left out' if profile is None else 'became a colour profile'}"


def _transfer(transfer: int) -> Curve | None:
    """The curve from coded values to linear light of H.273's transfer characteristics, table 3."""
    if transfer in _CURVES:
        return _CURVES[transfer]
    coded = np.linspace(0, 1, _SAMPLES)
    if transfer == _PQ:  # SMPTE ST 2084: 1 is 10,000 cd/m²
        root = coded ** (1 / 78.84375)
        linear = (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    elif transfer == _HLG:  # ARIB STD-B67, the scene's light
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        linear = np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12)
    else:
        return None
    return Curve(samples=tuple(linear.tolist()))
