"""One codec behind a small interface: what it is, its qualities, its two directions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (rows, columns) grey or (rows, columns, 3) RGB


@dataclass(frozen=True)
class CodecInfo:
    """What a reader has to know to measure the same again.

    Attributes:
        name: as the command line and results.json have it, such as "jpeg-420".
        label: as figures and tables have it, such as "JPEG 4:2:0".
        settings: everything but the quality, in words.
        library: the library that does the work, with its version.
        threads: how many it may use.
        quality_unit: what the numbers of its quality mean.
    """

    name: str
    label: str
    settings: str
    library: str
    threads: int
    quality_unit: str


@dataclass(frozen=True)
class Codec:
    """One codec, ready.

    Attributes:
        info: name, settings, version.
        qualities: what is measured, from small files to large ones.
        scale: every quality that a search may choose, from small files to large ones.
        encode: pixels and a quality to the bytes of a whole file.
        decode: the bytes back to pixels; a grey picture may come back as RGB.
    """

    info: CodecInfo
    qualities: tuple[float, ...]
    scale: tuple[float, ...]
    encode: Callable[[Pixels, float], bytes]
    decode: Callable[[bytes], Pixels]
