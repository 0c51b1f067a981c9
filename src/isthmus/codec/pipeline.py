"""The order of the steps, in both directions; every command and the Python interface come through here.

encode: picture -> padded values -> latents -> symbols -> payload -> .isth bytes
decode: the same list backwards
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.quantiser import check_quality
from isthmus.codec.targets import Target, highest_quality, lowest_quality
from isthmus.container.image_file import ImageFile, read_header, read_image, write_image
from isthmus.errors import FormatError, ModelMismatchError
from isthmus.imaging import fitting
from isthmus.metrics.distortion import psnr
from isthmus.values import Picture

if TYPE_CHECKING:
    from isthmus.codec.model import Model

Sized = TypeVar("Sized", Picture, ImageFile)

LATENTS_AT_ONCE = 1000
BATCH_VALUES = 1 << 23  # picture values that go through a graph at once: 32 MiB of float32


def encode(pictures: Sequence[Picture], model: Model, *, quality: int, fit: bool = False) -> list[bytes]:
    """Pictures to .isth bytes.

    Raises:
        ModelMismatchError: a picture that the model does not take, and `fit` is false; none is encoded.
        UsageError: not a quality.
    """
    check_quality(quality)
    fitted = [taken(picture, model, fit=fit) for picture in pictures]
    files: list[bytes] = []
    for batch in _batches(fitted):
        latents = analyse(batch, model)
        symbols = model.quantiser.to_symbols(latents, quality)
        files.extend(
            _to_file(picture, model.prior.encode(one, quality), model, quality)
            for picture, one in zip(batch, symbols, strict=True)
        )
    return files


def decode(files: Sequence[bytes], model: Model) -> list[Picture]:
    """.isth bytes to pictures.

    Raises:
        FormatError: or one of its subclasses: damaged bytes.
        ModelMismatchError: bytes of another model.
    """
    images = [_of_this_model(read_image(data), model) for data in files]
    pictures: list[Picture] = []
    for batch in _batches(images):
        symbols = np.stack([_symbols(image, model) for image in batch])
        latents = np.concatenate(
            [model.quantiser.to_latents(one[None], image.quality) for one, image in zip(symbols, batch, strict=True)]
        )
        pixels = synthesise(latents, model)
        pictures.extend(_from_file(one, image) for one, image in zip(pixels, batch, strict=True))
    return pictures


def encode_to_target(picture: Picture, model: Model, target: Target) -> bytes:
    """One picture at the quality that meets a target; the analysis runs once, each probe only quantises and codes.

    Raises:
        UsageError: the target is out of the model's reach.
    """
    latents = analyse([picture], model)

    @cache
    def file_at(quality: int) -> bytes:
        symbols = model.quantiser.to_symbols(latents, quality)
        return _to_file(picture, model.prior.encode(symbols[0], quality), model, quality)

    def psnr_at(quality: int) -> float:
        return psnr(decode([file_at(quality)], model)[0].pixels, picture.pixels)

    if target.psnr is not None:
        return file_at(lowest_quality(psnr_at, target.psnr))
    limit = target.file_bytes
    if target.bits_per_pixel is not None:
        limit = int(target.bits_per_pixel * picture.width * picture.height / 8)
    if limit is None:
        return file_at(target.quality or model.file.default_quality)
    return file_at(highest_quality(lambda quality: len(file_at(quality)), limit))


def symbols_of(data: bytes, model: Model) -> NDArray[np.int32]:
    """The symbols (latent channels, rows, columns) that a .isth file holds.

    Raises:
        FormatError: damaged bytes.
        ModelMismatchError: bytes of another model.
    """
    return _symbols(_of_this_model(read_image(data), model), model)


def latents_of(pictures: Sequence[Picture], model: Model) -> NDArray[np.float32]:
    """Latents of pictures of one size, before quantisation, in batches.

    Raises:
        ModelMismatchError: a picture that the model does not take.
    """
    fitting_pictures = [taken(picture, model, fit=False) for picture in pictures]
    return np.concatenate([analyse(batch, model) for batch in _batches(fitting_pictures)])


def pictures_of(latents: NDArray[np.float32], model: Model) -> NDArray[np.float32]:
    """Pictures (count, rows, columns, channels) float32 in [0, 1] of latents, in batches."""
    parts = [
        np.clip(model.synthesis.run(latents[start : start + LATENTS_AT_ONCE]), 0, 1)
        for start in range(0, len(latents), LATENTS_AT_ONCE)
    ]
    return np.concatenate(parts).transpose(0, 2, 3, 1)


def analyse(pictures: Sequence[Picture], model: Model) -> NDArray[np.float32]:
    """Latents (batch, channels, rows, columns) of pictures of one size."""
    padded = np.stack([fitting.pad(picture.pixels, model.file.latents.stride) for picture in pictures])
    values = np.ascontiguousarray(padded.transpose(0, 3, 1, 2), dtype=np.float32) / np.float32(255)
    return model.analysis.run(values)


def synthesise(latents: NDArray[np.float32], model: Model) -> NDArray[np.uint8]:
    """Pixels (batch, rows, columns, channels) uint8 of latents, still padded."""
    values = model.synthesis.run(latents)
    pixels = np.rint(np.clip(values, 0, 1) * np.float32(255)).astype(np.uint8)
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))


def model_id_of(data: bytes) -> bytes:
    """The id of the model that a .isth file needs.

    Raises:
        FormatError: damaged or foreign bytes.
    """
    return read_header(data).model_id


def taken(picture: Picture, model: Model, *, fit: bool) -> Picture:
    """The picture as the model takes it.

    Raises:
        ModelMismatchError: the model does not take it and `fit` is false.
    """
    spec = model.file.picture
    if fit:
        return fitting.fit(picture, spec)
    fits = spec.size is None or (picture.height, picture.width) == spec.size
    if fits and picture.channels == spec.channels:
        return picture
    raise ModelMismatchError(
        f"the picture is {picture}, the model {model.name} takes {spec}: "
        "convert it, or pass --fit (in Python fit=True) to have it converted and resized"
    )


def _batches(pictures: Sequence[Sized]) -> Iterator[list[Sized]]:
    """Neighbours of one size and mode, as many as go through a graph at once; decoded or as they are stored."""
    batch: list[Sized] = []
    for picture in pictures:
        shape = (picture.height, picture.width, picture.channels)
        if batch and (
            shape != (batch[0].height, batch[0].width, batch[0].channels)
            or len(batch) >= max(1, BATCH_VALUES // math.prod(shape))
        ):
            yield batch
            batch = []
        batch.append(picture)
    if batch:
        yield batch


def _to_file(picture: Picture, payload: bytes, model: Model, quality: int) -> bytes:
    alpha = fitting.encode_alpha(picture.alpha) if picture.alpha is not None else None
    return write_image(
        ImageFile(
            model_id=model.id,
            width=picture.width,
            height=picture.height,
            channels=picture.channels,
            quality=quality,
            tiles=(payload,),
            alpha=alpha,
            icc=picture.icc,
            exif=picture.exif,
        )
    )


def _from_file(pixels: NDArray[np.uint8], image: ImageFile) -> Picture:
    """The decoded pixels with what else the file holds."""
    cropped = fitting.crop(pixels, image.height, image.width)
    if cropped.shape != (image.height, image.width, image.channels):
        raise FormatError(f"the model makes {cropped.shape} where the file announces {image.width}×{image.height}")
    alpha = fitting.decode_alpha(image.alpha, image.height, image.width) if image.alpha is not None else None
    return Picture(cropped, alpha=alpha, icc=image.icc, exif=image.exif)


def _of_this_model(image: ImageFile, model: Model) -> ImageFile:
    """Refuse a file of another model, or one whose facts this model cannot have written."""
    spec = model.file.picture
    if image.model_id != model.id:
        raise ModelMismatchError(
            f"the file needs the model with the id {image.model_id.hex()}, {model.name} has {model.id.hex()}"
        )
    if image.channels != spec.channels or (spec.size is not None and spec.size != (image.height, image.width)):
        raise FormatError(f"the file announces {image.width}×{image.height} pixels, the model makes {spec}")
    if image.tile_size:
        raise FormatError("the file is tiled, which this kind of model does not use")
    return image


def _symbols(image: ImageFile, model: Model) -> NDArray[np.int32]:
    grid = model.file.latents.grid(image.height, image.width)
    return model.prior.decode(image.tiles[0], grid, image.quality)
