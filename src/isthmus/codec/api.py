"""Encoding with the shipped model and decoding with the model whose id is in the bytes: all that most users need."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isthmus.codec import pipeline
from isthmus.codec.coder import Coder
from isthmus.codec.model import DEFAULT_ENGINE, Model, PictureLike, load_model, load_model_by_id, plain_pixels
from isthmus.codec.targets import AUTO
from isthmus.imaging.windows import as_region
from isthmus.transforms.engine import Engine
from isthmus.values import BytesLike, Picture
from isthmus.zoo.finding import find_by_name

DEFAULT_MODEL = "photo"


def encode(
    picture: PictureLike,
    *,
    quality: float | None = None,
    target_bytes: int | None = None,
    target_bpp: float | None = None,
    target_psnr: float | None = None,
    target_ssimulacra2: float | None = None,
    lossless: bool = False,
    coding: str = AUTO,
    exact: bool = False,
    fit: bool = False,
    depth: int | None = None,
    model: Model | str | Path | None = None,
) -> bytes:
    """A picture to the bytes of a .isth file.

    Args:
        picture: uint8 (rows, columns) or (rows, columns, channels): 2 are grey with alpha, 3 RGB, 4 RGB with alpha; a
            Pillow image, of an animation the frame it is at; or a `Picture`.
        quality: 1 to 100; without it and a target, the model's default. Hyperprior models such as `photo` adapt it to
            the picture: smooth ones get more than busy ones.
        target_bytes: the best quality whose file has at most this many bytes.
        target_bpp: the same, in bits of the file per pixel.
        target_psnr: the lowest quality that reaches this many dB.
        target_ssimulacra2: the lowest quality that reaches this score, such as 90 for no visible difference.
        lossless: every pixel as it is, whatever the model takes.
        coding: "auto" takes what suits the picture, "learned" the model, "exact" lossless WebP, "graphics" AVIF.
        exact: keep the colours of fully transparent pixels where the picture is coded exactly.
        fit: convert and resize the picture to what the model takes.
        depth: 8 allows Pillow images of 16 bits or floats to be reduced.
        model: a loaded model, its name or its file; None is the shipped photo codec.

    Raises:
        InputError: a Pillow image whose file is damaged.
        UsageError: not a picture, not a quality, two wishes, or a target out of reach.
        ModelMismatchError: the model does not take this picture.

    Example:
        >>> picture = np.full((48, 64, 3), 200, np.uint8)
        >>> decode(encode(picture, quality=60)).shape
        (48, 64, 3)
        >>> len(encode(picture, target_bytes=200)) <= 200
        True
    """
    return loaded_model(model or DEFAULT_MODEL).encode(
        picture,
        quality=quality,
        target_bytes=target_bytes,
        target_bpp=target_bpp,
        target_psnr=target_psnr,
        target_ssimulacra2=target_ssimulacra2,
        lossless=lossless,
        coding=coding,
        exact=exact,
        fit=fit,
        depth=depth,
    )


def decode(
    data: BytesLike,
    *,
    model: Model | str | Path | None = None,
    region: Sequence[int] | None = None,
    pixel_limit: int | None = None,
) -> NDArray[np.uint8]:
    """The pixels of a .isth file's bytes.

    Args:
        data: the bytes of a whole file, in whatever holds bytes.
        model: the model that wrote it, its name or its file; None looks for the id among those of this machine.
        region: (x, y, width, height) of the part that is wanted, in pixels; only the tiles that it needs are decoded.
        pixel_limit: the most pixels that the picture may have; None for as many as the bytes can hold, 2^20 and 2^14
            for each, and 2^28 at most.

    Returns:
        (rows, columns) uint8 for grey, (rows, columns, 3) for RGB; alpha, where there is one, as a further channel.

    Raises:
        FormatError: damaged bytes.
        LimitError: more pixels than so few bytes can hold, or than the limit.
        ModelNotFoundError: the model is neither given nor found.
        ModelMismatchError: the bytes are of another model than the given one.
        UsageError: the region reaches beyond the picture.

    Example:
        >>> data = encode(np.full((48, 64, 3), 200, np.uint8))
        >>> decode(data, region=(10, 20, 16, 8)).shape
        (8, 16, 3)
    """
    given = None if model is None else loaded_model(model)
    if region is not None:
        coder = coder_for(data, given)
        return plain_pixels(pipeline.decode_region(data, coder, as_region(region), pixel_limit=pixel_limit))
    return plain_pixels(decode_picture(data, model=given, pixel_limit=pixel_limit))


def decode_picture(data: BytesLike, *, model: Model | None = None, pixel_limit: int | None = None) -> Picture:
    """`decode` with what else the file holds: alpha and metadata."""
    return pipeline.decode([data], coder_for(data, model), pixel_limit=pixel_limit)[0]


def coder_for(
    data: BytesLike, model: Model | None = None, *, beside: Path | None = None, engine: Engine = DEFAULT_ENGINE
) -> Coder | None:
    """The coder of the given model, or of the one that a .isth file names; None where it needs none.

    Raises:
        FormatError: damaged bytes.
        ModelNotFoundError: the model is neither given nor found.
    """
    model_id = pipeline.model_id_of(data)
    if model is None and model_id is not None:
        model = find_model(model_id, beside, engine)
    return None if model is None else model.coder


@lru_cache(maxsize=8)
def find_model(model_id: bytes, beside: Path | None = None, engine: Engine = DEFAULT_ENGINE) -> Model:
    """The model of an id, kept loaded: many files in a row need the same one."""
    return load_model_by_id(model_id, beside=beside, engine=engine)


def loaded_model(model: Model | str | Path) -> Model:
    """The model itself, or the one of a name or a file, kept loaded until that file changes.

    Raises:
        ModelNotFoundError: no such model.
        FormatError: the file is damaged.
    """
    if isinstance(model, Model):
        return model
    path = find_by_name(model)
    return _loaded(path.resolve(), path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _loaded(path: Path, changed: int) -> Model:
    return load_model(path)
