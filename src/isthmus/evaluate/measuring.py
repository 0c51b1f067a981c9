"""One picture through every codec at every quality: real bytes, times, and what comes back compared."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from isthmus.errors import InputError, IsthmusError
from isthmus.evaluate.codec import Codec, Pixels
from isthmus.evaluate.metrics import metrics_of
from isthmus.imaging.reading import count_frames
from isthmus.metrics.distortion import mse, psnr_of_mse
from isthmus.sources.source import Source


@dataclass(frozen=True)
class Measurement:
    """One picture, codec and quality.

    Attributes:
        picture: its path below the data folder.
        codec: the codec's name.
        quality: in the codec's own unit.
        file_bytes: of the whole file.
        pixels: rows × columns.
        mse: over all values, of 8 bits.
        psnr: dB; infinite for an exact picture.
        ssimulacra2: None where it was not asked for, or the picture is too small.
        ms_ssim: likewise.
        ssim: likewise.
        encode_seconds: wall time from pixels to bytes.
        decode_seconds: wall time from bytes to pixels.
    """

    picture: str
    codec: str
    quality: float
    file_bytes: int
    pixels: int
    mse: float
    psnr: float
    ssimulacra2: float | None
    ms_ssim: float | None
    ssim: float | None
    encode_seconds: float
    decode_seconds: float

    @property
    def bits_per_pixel(self) -> float:
        """Of the whole file."""
        return 8 * self.file_bytes / self.pixels


@dataclass(frozen=True)
class Failure:
    """What could not be measured.

    Attributes:
        picture: its path below the data folder.
        codec: the codec that failed; None where the picture could not be read.
        message: why, in one line.
    """

    picture: str
    codec: str | None
    message: str


@dataclass(frozen=True)
class PictureOutcome:
    """All that came of one picture.

    Attributes:
        picture: its path below the data folder.
        sha256: of its file, in hexadecimal; empty where it could not be read.
        conversions: what reading it changed, a line each.
        measurements: a codec that failed at one quality has none here.
        failures: at most one a codec.
        codec_seconds: spent in the codecs.
        metric_seconds: spent comparing pictures.
        total_seconds: from the file to this outcome.
    """

    picture: str
    sha256: str
    conversions: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    failures: tuple[Failure, ...]
    codec_seconds: float
    metric_seconds: float
    total_seconds: float


@dataclass
class _Clock:
    codec_seconds: float = 0.0
    metric_seconds: float = 0.0


class _CodecFailedError(Exception):
    """A codec did not do one picture at one quality."""


def read_pixels(source: Source) -> tuple[Pixels, tuple[str, ...]]:
    """A picture as every codec gets it: 8-bit grey or RGB, the first frame, without alpha.

    Returns:
        (rows, columns) or (rows, columns, 3) uint8, and what was changed, a line each.

    Raises:
        InputError: it cannot be read.
    """
    picture = source.read(depth=8, frame=0)
    changes = list(picture.conversions)
    if source.path is not None and count_frames(source.path) > 1:
        changes.append("only the first frame is measured")
    if picture.alpha is not None:
        changes.append("alpha is not measured")
    pixels = picture.pixels[:, :, 0] if picture.channels == 1 else picture.pixels
    return np.ascontiguousarray(pixels), tuple(changes)


def measure_picture(
    source: Source,
    name: str,
    codecs: Sequence[Codec],
    metrics: Sequence[str],
    on_measured: Callable[[], None] = lambda: None,
) -> PictureOutcome:
    """Every codec at its first quality, then every codec at its second, and so on: drift hits all alike.

    Args:
        source: the picture.
        name: what the results call it.
        codecs: those to measure; one that fails is reported, the others go on.
        metrics: names in `metrics.METRICS`.
        on_measured: called for each measurement.
    """
    start = time.perf_counter()
    try:
        digest = digest_of(source)
        original, conversions = read_pixels(source)
    except IsthmusError as error:
        return PictureOutcome(name, "", (), (), (Failure(name, None, str(error)),), 0, 0, time.perf_counter() - start)
    clock = _Clock()
    found: dict[str, list[Measurement]] = {codec.info.name: [] for codec in codecs}
    failures: dict[str, Failure] = {}
    for step in range(max(len(codec.qualities) for codec in codecs)):
        for codec in codecs:
            if step < len(codec.qualities) and codec.info.name not in failures:
                try:
                    row = _measure(original, name, codec, codec.qualities[step], metrics, clock)
                    found[codec.info.name].append(row)
                except _CodecFailedError as error:
                    failures[codec.info.name] = Failure(name, codec.info.name, str(error))
                on_measured()
    rows = tuple(row for codec, each in found.items() if codec not in failures for row in each)
    return PictureOutcome(
        name, digest, conversions, rows, tuple(failures.values()),
        clock.codec_seconds, clock.metric_seconds, time.perf_counter() - start,
    )  # fmt: skip


def warm_up(source: Source, codecs: Sequence[Codec]) -> None:
    """Let every codec load what it needs, uncounted; what fails here is reported where it is measured."""
    try:
        pixels, _ = read_pixels(source)
    except IsthmusError:
        return
    for codec in codecs:
        try:
            codec.decode(codec.encode(pixels, codec.qualities[0]))
        except Exception:  # noqa: S112 - see above
            continue


def digest_of(source: Source) -> str:
    """SHA-256 of a picture's file, or of its pixels, in hexadecimal.

    Raises:
        InputError: it cannot be read.
    """
    if source.path is None:
        data = source.data if source.data is not None else source.read().pixels.tobytes()
        return hashlib.sha256(data).hexdigest()
    try:
        with source.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}") from error


def like_original(decoded: Pixels, original: Pixels) -> Pixels:
    """The decoded picture in the original's mode: codecs without grey give three equal channels."""
    if original.ndim == 2 and decoded.ndim == 3:
        return np.asarray(Image.fromarray(decoded).convert("L"))
    return decoded


def _measure(
    original: Pixels, name: str, codec: Codec, quality: float, metrics: Sequence[str], clock: _Clock
) -> Measurement:
    try:
        start = time.perf_counter()
        data = codec.encode(original, quality)
        encoded = time.perf_counter()
        decoded = codec.decode(data)
        end = time.perf_counter()
    except Exception as error:  # codecs raise whatever their libraries meet; each is reported, none ends the run
        reason = str(error) if isinstance(error, IsthmusError) else f"{type(error).__name__}: {error}"
        raise _CodecFailedError(f"at {quality:g}: {' '.join(reason.split())}") from error
    clock.codec_seconds += end - start
    decoded = like_original(decoded, original)
    if decoded.shape != original.shape or decoded.dtype != np.uint8:
        raise _CodecFailedError(
            f"at {quality:g}: {original.shape} uint8 was encoded, {decoded.shape} {decoded.dtype} came back"
        )
    compared = time.perf_counter()
    distortion = mse(original, decoded)
    found = {one.name: one.compute(original, decoded) for one in metrics_of(metrics) if one.compute is not None}
    clock.metric_seconds += time.perf_counter() - compared
    return Measurement(
        picture=name,
        codec=codec.info.name,
        quality=quality,
        file_bytes=len(data),
        pixels=original.shape[0] * original.shape[1],
        mse=distortion,
        psnr=psnr_of_mse(distortion, peak=255.0),
        ssimulacra2=found.get("ssimulacra2"),
        ms_ssim=found.get("ms_ssim"),
        ssim=found.get("ssim"),
        encode_seconds=encoded - start,
        decode_seconds=end - encoded,
    )
