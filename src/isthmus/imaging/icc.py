"""ICC profiles: what colours one describes, and a small one for facts that a file states otherwise."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus.imaging.boxes import Chromaticities

_SPACES = {1: b"GRAY", 3: b"RGB "}
_HEADER_BYTES = 128
_VERSION = 0x04400000
_DATE = (2026, 1, 1, 0, 0, 0)  # the same bytes for the same facts
_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@dataclass(frozen=True)
class Curve:
    """From coded values in [0, 1] to linear light: a power, an ICC parametric curve, or samples.

    Attributes:
        power: the exponent where that is all.
        parametric: g, a, b, c, d: (a x + b)^g from d on, c x below it.
        samples: of evenly spaced coded values, in [0, 1].
    """

    power: float | None = None
    parametric: tuple[float, float, float, float, float] | None = None
    samples: tuple[float, ...] = ()


def fits(profile: bytes, channels: int) -> bool:
    """Whether these bytes are a colour profile of pictures of that many channels."""
    return len(profile) > _HEADER_BYTES and profile[36:40] == b"acsp" and profile[16:20] == _SPACES[channels]


def make_profile(channels: int, curve: Curve, chromaticities: Chromaticities, name: str) -> bytes | None:
    """A display profile of version 4 with one curve and, for colours, three primaries.

    Args:
        channels: 1 for grey, 3 for RGB.
        curve: of every channel.
        chromaticities: of white and the primaries; white alone matters for grey.
        name: what programs show.

    Returns:
        The profile; None where the chromaticities span no colours.

    Source:
        ICC.1:2022, 7.2 (header), 8.3 and 8.4 (required tags), annex E (chromatic adaptation).
    """
    white = _xyz(*chromaticities[:2])
    primaries = [_xyz(*chromaticities[start : start + 2]) for start in (2, 4, 6)]
    if white is None or any(primary is None for primary in primaries):
        return None
    adaptation = _adaptation(white)
    trc = _curve_tag(curve)
    tags = [
        (b"desc", _text(name)),
        (b"cprt", _text("no rights are claimed")),
        (b"wtpt", _xyz_tag(np.array(_D50))),
        (b"chad", b"sf32" + bytes(4) + _fixed(adaptation.ravel())),
    ]
    if channels == 1:
        tags.append((b"kTRC", trc))
    else:
        columns = np.array(primaries).T
        if abs(np.linalg.det(columns)) < 1e-4:
            return None
        columns = adaptation @ (columns * np.linalg.solve(columns, white))  # equal parts of all three make white
        if np.abs(columns).max() > 100:
            return None
        tags += [(name, _xyz_tag(columns[:, index])) for index, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))]
        tags += [(name, trc) for name in (b"rTRC", b"gTRC", b"bTRC")]
    return _assemble(_SPACES[channels], tags)


def _xyz(x: float, y: float) -> NDArray[np.float64] | None:
    """A chromaticity as X, Y, Z with Y 1; None where it is none."""
    return np.array([x / y, 1.0, (1 - x - y) / y]) if 0 <= x <= 1 and 0 < y <= 1 else None


def _adaptation(white: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Bradford matrix from a white to D50, that of every profile."""
    gains = (_BRADFORD @ np.array(_D50)) / (_BRADFORD @ white)
    matrix: NDArray[np.float64] = np.linalg.inv(_BRADFORD) @ np.diag(gains) @ _BRADFORD
    return matrix


def _curve_tag(curve: Curve) -> bytes:
    if curve.samples:
        values: bytes = np.rint(np.clip(curve.samples, 0, 1) * 65535).astype(">u2").tobytes()
        return b"curv" + bytes(4) + struct.pack(">I", len(curve.samples)) + values
    if curve.parametric is not None:
        return b"para" + bytes(4) + struct.pack(">HH", 3, 0) + _fixed(curve.parametric)
    return b"para" + bytes(4) + struct.pack(">HH", 0, 0) + _fixed([curve.power or 1.0])


def _text(text: str) -> bytes:
    data = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">4x2I4s2I", 1, 12, b"enUS", len(data), 28) + data


def _xyz_tag(values: NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(values)


def _fixed(values: NDArray[np.float64] | tuple[float, ...] | list[float]) -> bytes:
    """s15Fixed16 numbers."""
    numbers: bytes = np.rint(np.asarray(values) * 65536).astype(">i4").tobytes()
    return numbers


def _assemble(space: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    """Header, tag table and the tags' data, equal data once."""
    offset = _HEADER_BYTES + 4 + 12 * len(tags)
    table, body, places = [struct.pack(">I", len(tags))], b"", dict[bytes, int]()
    for name, data in tags:
        if data not in places:
            places[data] = offset + len(body)
            body += data + bytes(-len(data) % 4)
        table.append(struct.pack(">4s2I", name, places[data], len(data)))
    size = offset + len(body)
    header = struct.pack(
        ">I4xI4s4s4s6H4s28x12s48x",
        size,
        0x04400000,
        b"mntr",
        space,
        b"XYZ ",
        2026,
        1,
        1,
        0,
        0,
        0,
        b"acsp",
        _fixed(_D50),
    )
    return header + b"".join(table) + body
