"""The order of the steps, in both directions; every command and the Python interface come through here.

encode: picture -> latents of its tiles -> payloads -> .isth bytes
decode: the same list backwards
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.coder import PLAIN_THRIFT, BatchCoder, Quantisation
from isthmus.codec.quantiser import check_quality
from isthmus.codec.targets import Target, highest_quality, least_thrift, lowest_quality, most_thrift
from isthmus.container.image_file import ImageFile, read_header, read_image, salvage_image, write_image
from isthmus.errors import FormatError, ModelMismatchError, UsageError
from isthmus.imaging import fitting
from isthmus.imaging.windows import Window
from isthmus.metrics.distortion import psnr
from isthmus.values import QUALITIES, Picture

if TYPE_CHECKING:
    from isthmus.codec.model import Model

Sized = TypeVar("Sized", Picture, ImageFile)

BATCH_VALUES = 1 << 23  # picture values that go through a graph at once: 32 MiB of float32


def encode(pictures: Sequence[Picture], model: Model, *, quality: int, fit: bool = False) -> list[bytes]:
    """Pictures to .isth bytes, each of the quality that suits it where `quality` is asked for.

    Raises:
        ModelMismatchError: a picture that the model does not take, and `fit` is false; none is encoded.
        UsageError: not a quality.
    """
    check_quality(quality)
    fitted = [taken(picture, model, fit=fit) for picture in pictures]
    files = []
    for suited, group in groupby(fitted, lambda picture: model.coder.suited(picture, quality)):
        alike = list(group)
        payloads = payloads_of(alike, model, suited)
        files += [
            _to_file(picture, tiles, model, suited.quality) for picture, tiles in zip(alike, payloads, strict=True)
        ]
    return files


def payloads_of(pictures: Sequence[Picture], model: Model, how: Quantisation) -> Iterator[tuple[bytes, ...]]:
    """The payloads of each picture's tiles; the model takes the pictures."""
    for batch in _batches(pictures):
        if isinstance(model.coder, BatchCoder):
            yield from model.coder.encode_batch(batch, how.quality)
            continue
        for tiles in model.coder.analyse(batch):
            yield model.coder.encode(tiles, how.quality, thrift=how.thrift)


def decode(files: Sequence[bytes], model: Model) -> list[Picture]:
    """.isth bytes to pictures.

    Raises:
        FormatError: or one of its subclasses: damaged bytes.
        ModelMismatchError: bytes of another model.
    """
    images = [_of_this_model(read_image(data), model) for data in files]
    return [_from_file(pixels, image) for pixels, image in zip(pixels_of(images, model), images, strict=True)]


def pixels_of(images: Sequence[ImageFile], model: Model) -> Iterator[NDArray[np.uint8]]:
    """Pixels (rows, columns, channels) of each; the images are of this model.

    Raises:
        FormatError: a payload that is none.
    """
    for batch in _batches(images):
        yield from model.coder.decode(batch)


def decode_region(data: bytes, model: Model, region: Window) -> Picture:
    """A part of a picture; only the tiles that it needs are decoded.

    Raises:
        UsageError: the region reaches beyond the picture.
        FormatError: or one of its subclasses: damaged bytes.
        ModelMismatchError: bytes of another model.
    """
    image = _of_this_model(read_image(data), model)
    if region.bottom > image.height or region.right > image.width:
        raise UsageError(f"the region {region} reaches beyond the picture of {image.width}×{image.height}")
    whole = _from_file(np.empty((image.height, image.width, image.channels), np.uint8), image)
    rows, columns = region.inside(Window(0, 0, image.height, image.width))
    alpha = whole.alpha[rows, columns] if whole.alpha is not None else None
    return Picture(model.coder.decode_region(image, region), alpha=alpha, icc=whole.icc, exif=whole.exif)


def salvage(data: bytes, model: Model) -> tuple[Picture, tuple[str, ...]]:
    """What a damaged file still holds, and the names of what is missing; missing tiles are blank.

    Raises:
        FormatError: its header is damaged, or no tile of it is whole.
        ModelMismatchError: bytes of another model.
    """
    image, missing = salvage_image(data)
    _of_this_model(image, model)
    pixels = model.coder.decode_region(image, Window(0, 0, image.height, image.width))
    return _from_file(pixels, image), missing


def encode_to_target(picture: Picture, model: Model, target: Target) -> bytes:
    """One picture at the quality that meets a target; the analysis runs once, each probe only quantises and codes.

    Raises:
        UsageError: the target is out of the model's reach.
    """
    if not target.is_search:
        return encode([picture], model, quality=target.quality or model.file.default_quality)[0]
    coder = model.coder
    tiles = list(next(iter(coder.analyse([picture]))))

    @cache
    def file_at(quality: int, thrift: float = PLAIN_THRIFT) -> bytes:
        return _to_file(picture, coder.encode(tiles, quality, thrift=thrift), model, quality)

    @cache
    def psnr_at(quality: int, thrift: float = PLAIN_THRIFT) -> float:
        return psnr(decode([file_at(quality, thrift)], model)[0].pixels, picture.pixels)

    if target.psnr is not None:
        quality = lowest_quality(psnr_at, target.psnr)
        return file_at(quality, most_thrift(lambda thrift: psnr_at(quality, thrift), target.psnr, coder.thrifts))
    limit = target.file_bytes or int((target.bits_per_pixel or 0) * picture.width * picture.height / 8)
    quality = highest_quality(lambda quality: len(file_at(quality)), limit)
    if quality == QUALITIES:
        return file_at(quality)
    # the next quality, rounded more sparingly, may still fit
    thrift = least_thrift(lambda thrift: len(file_at(quality + 1, thrift)), limit, coder.thrifts)
    return file_at(quality) if thrift is None else file_at(quality + 1, thrift)


def symbols_of(data: bytes, model: Model) -> list[NDArray[np.int32]]:
    """The symbols (latent channels, rows, columns) of each tile of a .isth file.

    Raises:
        FormatError: damaged bytes.
        ModelMismatchError: bytes of another model.
    """
    return model.coder.symbols(_of_this_model(read_image(data), model))


def latents_of(pictures: Sequence[Picture], model: Model) -> NDArray[np.float32]:
    """Latents of pictures of one size, before quantisation, in batches.

    Raises:
        ModelMismatchError: a picture that the model does not take.
    """
    fitting_pictures = [taken(picture, model, fit=False) for picture in pictures]
    return np.concatenate([model.plain_coder.latents_of(batch) for batch in _batches(fitting_pictures)])


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
    if model.coder.takes(picture):
        return picture
    if fit:
        return fitting.fit(picture, spec)
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


def _to_file(picture: Picture, tiles: tuple[bytes, ...], model: Model, quality: int) -> bytes:
    alpha = fitting.encode_alpha(picture.alpha) if picture.alpha is not None else None
    return write_image(
        ImageFile(
            model_id=model.id,
            width=picture.width,
            height=picture.height,
            channels=picture.channels,
            quality=quality,
            tiles=tiles,
            tile_size=model.coder.tile_size(picture),
            alpha=alpha,
            icc=picture.icc,
            exif=picture.exif,
        )
    )


def _from_file(pixels: NDArray[np.uint8], image: ImageFile) -> Picture:
    """The decoded pixels with what else the file holds."""
    if pixels.shape != (image.height, image.width, image.channels):
        raise FormatError(f"the model makes {pixels.shape} where the file announces {image.width}×{image.height}")
    alpha = fitting.decode_alpha(image.alpha, image.height, image.width) if image.alpha is not None else None
    return Picture(pixels, alpha=alpha, icc=image.icc, exif=image.exif)


def _of_this_model(image: ImageFile, model: Model) -> ImageFile:
    """Refuse a file of another model, or one whose facts this model cannot have written."""
    if image.model_id != model.id:
        raise ModelMismatchError(
            f"the file needs the model with the id {image.model_id.hex()}, {model.name} has {model.id.hex()}"
        )
    model.coder.check(image)
    return image
