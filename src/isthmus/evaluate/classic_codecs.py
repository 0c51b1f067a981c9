"""The codecs that people use, with the settings that they use them with, through Pillow and imagecodecs."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import PIL
from PIL import Image, features

from isthmus.errors import MissingExtraError
from isthmus.evaluate.codec import Codec, CodecInfo, Pixels
from isthmus.imaging.formats import open_image

QUALITY = "quality 1 to 100"
_WHOLE_SCALE = tuple(float(quality) for quality in range(1, 101))


def _jpeg(threads: int, *, subsampling: str) -> Codec:
    turbo = features.version_feature("libjpeg_turbo")
    info = CodecInfo(
        name=f"jpeg-{subsampling.replace(':', '')}",
        label=f"JPEG {subsampling}",
        settings=f"baseline, chroma {subsampling}, optimised Huffman tables",
        library=f"Pillow {PIL.__version__}, {f'libjpeg-turbo {turbo}' if turbo else 'libjpeg'}",
        threads=1,
        quality_unit=QUALITY,
    )
    save = partial(_save, form="JPEG", subsampling=subsampling, optimize=True)
    return Codec(info, (10, 20, 35, 50, 65, 80, 90, 95), _WHOLE_SCALE, _at_quality(save), _open)


def _webp(threads: int) -> Codec:
    info = CodecInfo(
        name="webp",
        label="WebP",
        settings="lossy (4:2:0), method 6",
        library=f"Pillow {PIL.__version__}, libwebp {_version('webp', 'WebP')}",
        threads=1,
        quality_unit=QUALITY,
    )
    save = partial(_save, form="WEBP", method=6)
    return Codec(info, (5, 20, 40, 60, 75, 85, 92, 97), _WHOLE_SCALE, _at_quality(save), _open)


def _avif(threads: int, *, subsampling: str = "4:4:4", tune: str | None = None) -> Codec:
    """Without a tune what Pillow writes: since libavif 1.4 that is libaom's tune=iq, which is for eyes."""
    info = CodecInfo(
        name=f"avif-{tune or subsampling.replace(':', '')}",
        label=f"AVIF {f'tune={tune}' if tune else subsampling}",
        settings=f"speed 6, chroma {subsampling} (grey pictures 4:0:0), 8 bits, {tune or 'the default'} tune",
        library=f"Pillow {PIL.__version__}, libavif {_version('avif', 'AVIF')}",
        threads=threads,
        quality_unit=QUALITY,
    )

    def encode(pixels: Pixels, quality: float) -> bytes:
        chroma = "4:0:0" if pixels.ndim == 2 else subsampling
        advanced = {"advanced": {"tune": tune}} if tune else {}
        return _save(
            pixels, form="AVIF", quality=round(quality), speed=6, subsampling=chroma, max_threads=threads, **advanced
        )

    return Codec(info, (15, 28, 40, 52, 63, 74, 84, 92), _WHOLE_SCALE, encode, _open)


def _jpeg_xl(threads: int) -> Codec:
    try:
        import imagecodecs
    except ImportError as error:
        raise MissingExtraError(extra="evaluate", purpose="comparing with JPEG XL") from error
    info = CodecInfo(
        name="jxl",
        label="JPEG XL",
        settings="lossy, effort 7, the distance that libjxl gives each quality",
        library=f"imagecodecs {imagecodecs.__version__}, {imagecodecs.jpegxl_version()}",
        threads=threads,
        quality_unit=QUALITY,
    )

    def encode(pixels: Pixels, quality: float) -> bytes:
        return bytes(
            imagecodecs.jpegxl_encode(pixels, level=round(quality), effort=7, lossless=False, numthreads=threads)
        )

    def decode(data: bytes) -> Pixels:
        return np.asarray(imagecodecs.jpegxl_decode(data, numthreads=threads))

    lossy = _WHOLE_SCALE[:-1]  # 100 is the distance 0, no longer lossy
    return Codec(info, (20, 40, 55, 68, 78, 86, 92, 96), lossy, encode, decode)


def _jpeg_2000(threads: int) -> Codec:
    info = CodecInfo(
        name="jpeg2000",
        label="JPEG 2000",
        settings="irreversible 9-7 wavelet, colour transform, one layer of a chosen PSNR",
        library=f"Pillow {PIL.__version__}, OpenJPEG {_version('jpg_2000', 'JPEG 2000')}",
        threads=1,
        quality_unit="wanted PSNR in dB",
    )

    def encode(pixels: Pixels, quality: float) -> bytes:
        return _save(
            pixels, form="JPEG2000", irreversible=True, mct=int(pixels.ndim == 3), quality_mode="dB",
            quality_layers=[quality], no_jp2=False,
        )  # fmt: skip

    scale = tuple(0.5 * step for step in range(30, 121))  # 15 to 60 dB
    return Codec(info, (26, 28, 31, 34, 37, 40, 43, 46), scale, encode, _open)


def _png(threads: int) -> Codec:
    info = CodecInfo(
        name="png",
        label="PNG",
        settings="lossless, compression level 9, filters chosen by libpng",
        library=f"Pillow {PIL.__version__}, zlib {features.version('zlib')}",
        threads=1,
        quality_unit="none: lossless",
    )

    def encode(pixels: Pixels, quality: float) -> bytes:
        return _save(pixels, form="PNG", optimize=True)

    return Codec(info, (100,), (100,), encode, _open)


BUILDERS: dict[str, Callable[[int], Codec]] = {
    "jpeg-444": partial(_jpeg, subsampling="4:4:4"),
    "jpeg-420": partial(_jpeg, subsampling="4:2:0"),
    "webp": _webp,
    "avif-444": partial(_avif, subsampling="4:4:4"),
    "avif-420": partial(_avif, subsampling="4:2:0"),
    "avif-psnr": partial(_avif, tune="psnr"),
    "avif-ssim": partial(_avif, tune="ssim"),
    "jxl": _jpeg_xl,
    "jpeg2000": _jpeg_2000,
    "png": _png,
}
"""Each codec's name and what builds it, given the threads that it may use."""

FAMILIES: dict[str, tuple[str, ...]] = {"jpeg": ("jpeg-444", "jpeg-420"), "avif": ("avif-444", "avif-420")}
"""Names that stand for several."""

COLOUR_VARIANTS = {"jpeg-420": "jpeg-444", "avif-420": "avif-444"}
"""Codecs that code grey pictures as another one does."""


def _at_quality(save: Callable[..., bytes]) -> Callable[[Pixels, float], bytes]:
    """An encoder whose whole quality is Pillow's keyword."""

    def encode(pixels: Pixels, quality: float) -> bytes:
        return save(pixels, quality=round(quality))

    return encode


def _save(pixels: Pixels, *, form: str, **settings: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form, **settings)
    return out.getvalue()


def _open(data: bytes) -> Pixels:
    with open_image(io.BytesIO(data)) as image:
        return np.asarray(image)


def _version(feature: str, name: str) -> str:
    """A library's version; absent, the extra brings a Pillow that has it."""
    version = features.version(feature)
    if version is None:
        raise MissingExtraError(extra="evaluate", purpose=f"comparing with {name}")
    return version
