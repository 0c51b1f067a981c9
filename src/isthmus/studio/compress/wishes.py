"""What a person asks of a codec on the compress page."""

from __future__ import annotations

import math
from dataclasses import dataclass

from isthmus.codec.targets import Target
from isthmus.errors import UsageError

QUALITY, BYTES, PSNR, SSIMULACRA2 = WISHES = ("quality", "bytes", "psnr", "ssimulacra2")


@dataclass(frozen=True)
class Wish:
    """What is asked of a codec.

    Attributes:
        kind: one of `WISHES`: a quality; the best file of at most so many bytes; the smallest that reaches so much.
        value: in the kind's own unit.

    Raises:
        UsageError: another kind, or a number that cannot be.
    """

    kind: str
    value: float

    def __post_init__(self) -> None:
        if self.kind not in WISHES:
            raise UsageError(f"a wish is one of {', '.join(WISHES)}, not {self.kind[:40]!r}")
        if not math.isfinite(self.value) or (self.kind != SSIMULACRA2 and self.value <= 0):
            raise UsageError("a target is a finite number above zero")
        if self.kind == QUALITY and not 1 <= self.value <= 100:
            raise UsageError(f"a quality is from 1 to 100, not {self.value:g}")

    @property
    def target(self) -> Target:
        """The same wish of Isthmus' own codec, as the command line has it.

        Raises:
            UsageError: one that only other codecs take, such as a SSIMULACRA2 below zero, which a match may ask for.
        """
        if self.kind == QUALITY:
            return Target(quality=self.value)
        if self.kind == BYTES:
            return Target(file_bytes=int(self.value))
        return Target(psnr=self.value) if self.kind == PSNR else Target(ssimulacra2=self.value)
