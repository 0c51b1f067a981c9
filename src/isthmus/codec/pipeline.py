"""The order of the steps, in both directions; every command and the Python interface come through here.

encode: picture -> latents of its tiles -> payloads -> .isth bytes
decode: the same list backwards
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import groupby
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.coder import BatchCoder, Coder, TileLatents, whole_quality
from isthmus.codec.factorised_coder import FactorisedCoder
from isthmus.codec.quantiser import check_quality
from isthmus.codec.sections import from_sections, to_sections
from isthmus.codec.targets import Target, highest_quality_within, lowest_quality_reaching
from isthmus.container.image_file import ImageFile, read_header, read_image, salvage_image, write_image
from isthmus.errors import FormatError, ModelMismatchError, UsageError
from isthmus.imaging import fitting
from isthmus.imaging.windows import Window
from isthmus.metrics.distortion import psnr
from isthmus.values import BytesLike, Picture

Sized = TypeVar("Sized", Picture, ImageFile)

BATCH_VALUES = 1 << 23  # picture values that go through a graph at once: 32 MiB of float32


def encode(pictures: Sequence[Picture], coder: Coder, *, quality: float, fit: bool = False) -> list[bytes]:
    """Pictures to .isth bytes, each at the quality that `Coder.adapt_quality` gives it where `quality` is asked for.

    Args:
        pictures: of any sizes and modes.
        coder: of the model.
        quality: 1 to 100.
        fit: convert and resize pictures to what the model takes.

    Raises:
        ModelMismatchError: a picture that the model does not take, and `fit` is false; none is encoded.
        UsageError: not a quality.
    """
    check_quality(quality)
    fitted = [taken(picture, coder, fit=fit) for picture in pictures]
    files = []
    for adapted, group in groupby(fitted, lambda picture: coder.adapt_quality(picture, quality)):
        alike = list(group)
        payloads = payloads_of(alike, coder, adapted)
        files += [_to_file(picture, tiles, coder, adapted) for picture, tiles in zip(alike, payloads, strict=True)]
    return files


def payloads_of(pictures: Sequence[Picture], coder: Coder, quality: float) -> Iterator[tuple[bytes, ...]]:
    """The payloads of each picture's tiles, all at one quality; the model takes the pictures."""
    for batch in _batches(pictures):
        if isinstance(coder, BatchCoder):
            yield from coder.encode_batch(batch, quality)
            continue
        for tiles in coder.analyse(batch):
            yield coder.encode(tiles, quality)


def decode(files: Sequence[BytesLike], coder: Coder, *, pixel_limit: int | None = None) -> list[Picture]:
    """.isth bytes to pictures.

    Raises:
        FormatError: or one of its subclasses: damaged bytes.
        ModelMismatchError: bytes of another model.
    """
    images = [_of_this_model(read_image(data, pixel_limit=pixel_limit), coder) for data in files]
    return [_from_file(pixels, image) for pixels, image in zip(pixels_of(images, coder), images, strict=True)]


def pixels_of(images: Sequence[ImageFile], coder: Coder) -> Iterator[NDArray[np.uint8]]:
    """Pixels (rows, columns, channels) of each; the images are of this model.

    Raises:
        FormatError: a payload that is none.
    """
    for batch in _batches(images):
        yield from coder.decode(batch)


def decode_region(data: BytesLike, coder: Coder, region: Window, *, pixel_limit: int | None = None) -> Picture:
    """A part of a picture; only the tiles that it needs are decoded.

    Raises:
        UsageError: the region reaches beyond the picture.
        FormatError: or one of its subclasses: damaged bytes.
        ModelMismatchError: bytes of another model.
    """
    image = _of_this_model(read_image(data, pixel_limit=pixel_limit), coder)
    if region.bottom > image.height or region.right > image.width:
        raise UsageError(f"the region {region} reaches beyond the picture of {image.width}×{image.height}")
    whole = _from_file(np.empty((image.height, image.width, image.channels), np.uint8), image)
    rows, columns = region.inside(Window(0, 0, image.height, image.width))
    alpha = whole.alpha[rows, columns] if whole.alpha is not None else None
    return replace(whole, pixels=coder.decode_region(image, region), alpha=alpha)


def salvage(data: BytesLike, coder: Coder, *, pixel_limit: int | None = None) -> tuple[Picture, tuple[str, ...]]:
    """What a damaged file still holds, and the names of what is missing; missing tiles are blank.

    Raises:
        FormatError: its header is damaged, or no tile of it is whole.
        ModelMismatchError: bytes of another model.
    """
    image, missing = salvage_image(data, pixel_limit=pixel_limit)
    _of_this_model(image, coder)
    pixels = coder.decode_region(image, Window(0, 0, image.height, image.width))
    return _from_file(pixels, image), missing


def encode_to_target(picture: Picture, coder: Coder, target: Target) -> bytes:
    """One picture at the quality that meets a target; the analysis runs once, each probe only quantises and codes.

    Raises:
        UsageError: the target is out of the model's reach.
    """
    if not target.is_search:
        return encode([picture], coder, quality=target.quality or coder.file.default_quality)[0]
    tiles = list(next(iter(coder.analyse([picture]))))

    @cache
    def file_at(quality: float) -> bytes:
        return encode_latents(picture, tiles, coder, quality)

    @cache
    def psnr_at(quality: float) -> float:
        return psnr(decode([file_at(quality)], coder)[0].pixels, picture.pixels)

    if target.psnr is not None:
        return file_at(lowest_quality_reaching(psnr_at, target.psnr))
    limit = target.file_bytes or int((target.bits_per_pixel or 0) * picture.width * picture.height / 8)
    return file_at(highest_quality_within(lambda quality: len(file_at(quality)), limit))


def encode_latents(picture: Picture, tiles: Iterable[TileLatents], coder: Coder, quality: float) -> bytes:
    """A picture whose latents are at hand, to .isth bytes: what a search, or a slider, does again and again.

    Args:
        picture: for its size, alpha and metadata; its pixels are not looked at.
        tiles: what `Coder.analyse` gave for it.
        coder: of the model.
        quality: 1 to 100, as it is: not adapted to the picture.
    """
    return _to_file(picture, coder.encode(tiles, quality), coder, quality)


def symbols_of(data: BytesLike, coder: Coder) -> list[NDArray[np.int32]]:
    """The symbols (latent channels, rows, columns) of each tile of a .isth file.

    Raises:
        FormatError: damaged bytes.
        ModelMismatchError: bytes of another model.
    """
    return coder.symbols(_of_this_model(read_image(data), coder))


def latents_of(pictures: Sequence[Picture], coder: FactorisedCoder) -> NDArray[np.float32]:
    """Latents of pictures of one size, before quantisation, in batches.

    Raises:
        ModelMismatchError: a picture that the model does not take.
    """
    fitting_pictures = [taken(picture, coder, fit=False) for picture in pictures]
    return np.concatenate([coder.latents_of(batch) for batch in _batches(fitting_pictures)])


def model_id_of(data: BytesLike) -> bytes:
    """The id of the model that a .isth file needs.

    Raises:
        FormatError: damaged or foreign bytes.
    """
    return read_header(data).model_id


def taken(picture: Picture, coder: Coder, *, fit: bool) -> Picture:
    """The picture as the model takes it.

    Raises:
        ModelMismatchError: the model does not take it and `fit` is false.
    """
    spec = coder.file.picture
    if coder.takes(picture):
        return picture
    if fit:
        return fitting.fit(picture, spec)
    raise ModelMismatchError(
        f"the picture is {picture}, the model {coder.file.name} takes {spec}: "
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


def _to_file(picture: Picture, tiles: tuple[bytes, ...], coder: Coder, quality: float) -> bytes:
    return write_image(
        ImageFile(
            model_id=coder.file.id,
            width=picture.width,
            height=picture.height,
            channels=picture.channels,
            quality=whole_quality(quality),
            tiles=tiles,
            tile_size=coder.tile_size(picture),
            sections=to_sections(picture),
        )
    )


def _from_file(pixels: NDArray[np.uint8], image: ImageFile) -> Picture:
    """The decoded pixels with what else the file holds."""
    if pixels.shape != (image.height, image.width, image.channels):
        raise FormatError(f"the model makes {pixels.shape} where the file announces {image.width}×{image.height}")
    return from_sections(pixels, image.sections)


def _of_this_model(image: ImageFile, coder: Coder) -> ImageFile:
    """Refuse a file of another model, or one whose facts this model cannot have written."""
    if image.model_id not in coder.file.decoded_ids:
        raise ModelMismatchError(
            f"the file needs the model with the id {image.model_id.hex()}, {coder.file.name} has {coder.file.id.hex()}"
        )
    coder.check(image)
    return image
