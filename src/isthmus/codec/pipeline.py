"""The order of the steps, in both directions; every command and the Python interface come through here.

encode: picture -> latents of its tiles -> payloads -> .isth bytes
decode: the same list backwards
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from isthmus.codec import format_coder
from isthmus.codec.coder import BatchCoder, Coder, whole_quality
from isthmus.codec.quantiser import check_quality
from isthmus.codec.sections import from_sections, to_sections
from isthmus.container.asked import Asked
from isthmus.container.image_file import ImageFile, read_image, salvage_image, write_image
from isthmus.container.image_header import read_header
from isthmus.errors import FormatError, ModelMismatchError, UsageError
from isthmus.imaging import fitting
from isthmus.imaging.windows import Window
from isthmus.values import BytesLike, Picture

Sized = TypeVar("Sized", Picture, ImageFile)

BATCH_VALUES = 1 << 23  # picture values that go through a graph at once: 32 MiB of float32


def encode(
    pictures: Sequence[Picture],
    coder: Coder,
    *,
    quality: float,
    fit: bool = False,
    asked: Asked | None = None,
) -> list[bytes]:
    """Pictures to .isth bytes, each at the quality that `Coder.quality_scale` gives it where `quality` is asked for.

    Args:
        pictures: of any sizes and modes.
        coder: of the model.
        quality: 1 to 100.
        fit: convert and resize pictures to what the model takes.
        asked: what stands in the files as what was asked for.

    Raises:
        ModelMismatchError: a picture that the model does not take, and `fit` is false; none is encoded.
        UsageError: not a quality.
    """
    check_quality(quality)
    fitted = [as_coded(taken(picture, coder, fit=fit), coder) for picture in pictures]
    files = []
    for adapted, group in groupby(fitted, lambda picture: coder.quality_scale(picture.picture)(quality)):
        alike = list(group)
        payloads = payloads_of([one.picture for one in alike], coder, adapted)
        files += [_to_file(one, tiles, coder, adapted, asked) for one, tiles in zip(alike, payloads, strict=True)]
    return files


def payloads_of(pictures: Sequence[Picture], coder: Coder, quality: float) -> Iterator[tuple[bytes, ...]]:
    """The payloads of each picture's tiles, all at one quality; the model takes the pictures."""
    for batch in _batches(pictures):
        if isinstance(coder, BatchCoder):
            yield from coder.encode_batch(batch, quality)
            continue
        for tiles in coder.analyse(batch):
            yield coder.encode(tiles, quality)


def decode(files: Sequence[BytesLike], coder: Coder | None, *, pixel_limit: int | None = None) -> list[Picture]:
    """.isth bytes to pictures.

    Args:
        files: of this model, or of none.
        coder: of the model; None will do where no file needs one.
        pixel_limit: see `isthmus.decode`.

    Raises:
        FormatError: or one of its subclasses: damaged bytes.
        ModelMismatchError: bytes of another model.
    """
    return list(pictures_of([_checked(read_image(data, pixel_limit=pixel_limit), coder) for data in files], coder))


def pictures_of(images: Sequence[ImageFile], coder: Coder | None) -> Iterator[Picture]:
    """What each of some files holds.

    Args:
        images: of this model, or of none.
        coder: of the model; None will do where no file needs one.

    Raises:
        FormatError: a payload that is none.
    """
    learned = [image for image in images if image.format is None]
    made = pixels_of(learned, coder) if coder is not None else iter(())
    return (_whole(image) if image.format else _from_file(next(made), image) for image in images)


def pixels_of(images: Sequence[ImageFile], coder: Coder) -> Iterator[NDArray[np.uint8]]:
    """Pixels (rows, columns, channels) of each; the images are of this model.

    Raises:
        FormatError: a payload that is none.
    """
    for batch in _batches(images):
        yield from coder.decode(batch)


def decode_region(data: BytesLike, coder: Coder | None, region: Window, *, pixel_limit: int | None = None) -> Picture:
    """A part of a picture; only the tiles that it needs are decoded.

    Raises:
        UsageError: the region reaches beyond the picture.
        FormatError: or one of its subclasses: damaged bytes.
        ModelMismatchError: bytes of another model.
    """
    image = _checked(read_image(data, pixel_limit=pixel_limit), coder)
    if region.bottom > image.height or region.right > image.width:
        raise UsageError(f"the region {region} reaches beyond the picture of {image.width}×{image.height}")
    whole = _from_file(np.empty((image.height, image.width, image.channels), np.uint8), image)
    rows, columns = region.inside(Window(0, 0, image.height, image.width))
    alpha = whole.alpha[rows, columns] if whole.alpha is not None else None
    if coder is None or image.format:
        pixels, inside = format_coder.decode_region(image, region)
        alpha = inside if image.alpha_inside else alpha
    else:
        pixels = coder.decode_region(image, region)
    return replace(whole, pixels=_shown(pixels, image), alpha=alpha)


def salvage(data: BytesLike, coder: Coder | None, *, pixel_limit: int | None = None) -> tuple[Picture, tuple[str, ...]]:
    """What a damaged file still holds, and the names of what is missing; missing tiles are blank.

    Raises:
        FormatError: its header is damaged, or no tile of it is whole.
        ModelMismatchError: bytes of another model.
    """
    image, missing = salvage_image(data, pixel_limit=pixel_limit)
    _checked(image, coder)
    if coder is None or image.format:
        return _whole(image), missing
    pixels = coder.decode_region(image, Window(0, 0, image.height, image.width))
    return _from_file(pixels, image), missing


def to_file(
    picture: Picture, payload: tuple[bytes, ...], coder: Coder, quality: float, asked: Asked | None = None
) -> bytes:
    """A picture whose payload is at hand, to .isth bytes: what a search, or a slider, does again and again.

    Args:
        picture: for its size, mode, alpha and metadata.
        payload: what `Coder.encode` made of it, as it is coded, at the quality.
        coder: of the model.
        quality: 1 to 100, as it is: not adapted to the picture.
        asked: what stands in the file as what was asked for.
    """
    return _to_file(as_coded(picture, coder), payload, coder, quality, asked)


def symbols_of(data: BytesLike, coder: Coder) -> list[NDArray[np.int32]]:
    """The symbols (latent channels, rows, columns) of each tile of a .isth file.

    Raises:
        FormatError: damaged bytes.
        ModelMismatchError: bytes of another model.
    """
    return coder.symbols(_of_this_model(read_image(data), coder))


def latents_of(pictures: Sequence[Picture], coder: Coder) -> NDArray[np.float32]:
    """Latents of pictures of one size, before quantisation, in batches.

    Raises:
        ModelMismatchError: a picture that the model does not take.
        UsageError: pictures that a hyperprior model codes in tiles.
    """
    fitting_pictures = [taken(picture, coder, fit=False) for picture in pictures]
    return np.concatenate([coder.latents_of(batch) for batch in _batches(fitting_pictures)])


def model_id_of(data: BytesLike) -> bytes | None:
    """The id of the model that a .isth file needs; None where it needs none.

    Raises:
        FormatError: damaged or foreign bytes.
    """
    header = read_header(data)
    return None if header.format else header.model_id


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


@dataclass(frozen=True)
class AsCoded:
    """A picture as it goes into the networks; `neutral` where it was RGB and its three channels are equal."""

    picture: Picture
    neutral: bool = False


def as_coded(picture: Picture, coder: Coder) -> AsCoded:
    """RGB whose channels are equal as grey, where the model takes grey: so it comes back without a tint."""
    if picture.channels == 1 or not is_neutral(picture.pixels):
        return AsCoded(picture)
    grey = replace(picture, pixels=np.ascontiguousarray(picture.pixels[:, :, :1]))
    return AsCoded(grey, neutral=True) if coder.takes(grey) else AsCoded(picture)


def is_neutral(pixels: NDArray[np.uint8]) -> bool:
    """Whether the channels of (rows, columns, 3) pixels are equal; a few rows are looked at first."""
    return all(
        np.array_equal(part[:, :, 0], part[:, :, 1]) and np.array_equal(part[:, :, 0], part[:, :, 2])
        for part in (pixels[:: max(1, len(pixels) // 8)], pixels)
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


def _to_file(
    coded: AsCoded, tiles: tuple[bytes, ...], coder: Coder, quality: float, asked: Asked | None = None
) -> bytes:
    whole = whole_quality(quality)
    return write_image(
        ImageFile(
            model_id=coder.file.id,
            width=coded.picture.width,
            height=coded.picture.height,
            channels=coded.picture.channels,
            quality=whole,
            tiles=tiles,
            tile_size=coder.tile_size(coded.picture),
            sections=to_sections(coded.picture),
            neutral=coded.neutral,
            asked=None if asked == Asked("quality", whole) else asked,
        )
    )


def _from_file(pixels: NDArray[np.uint8], image: ImageFile) -> Picture:
    """The decoded pixels with what else the file holds."""
    if pixels.shape != (image.height, image.width, image.channels):
        raise FormatError(f"the model makes {pixels.shape} where the file announces {image.width}×{image.height}")
    return from_sections(_shown(pixels, image), image.sections)


def _whole(image: ImageFile) -> Picture:
    """A picture in a format of others, with what else the file holds."""
    pixels, alpha = format_coder.decode_region(image, Window(0, 0, image.height, image.width))
    picture = _from_file(pixels, image)
    return replace(picture, alpha=alpha) if image.alpha_inside else picture


def _shown(pixels: NDArray[np.uint8], image: ImageFile) -> NDArray[np.uint8]:
    """Grey that was coded for RGB with three equal channels, as such again."""
    return np.repeat(pixels, 3, axis=2) if image.neutral else pixels


def _checked(image: ImageFile, coder: Coder | None) -> ImageFile:
    """Refuse a file that this model, or no model, cannot decode."""
    if image.format:
        return image
    if coder is None:
        raise ModelMismatchError(f"the file needs the model with the id {image.model_id.hex()}")
    return _of_this_model(image, coder)


def _of_this_model(image: ImageFile, coder: Coder) -> ImageFile:
    """Refuse a file of another model, or one whose facts this model cannot have written."""
    if image.format:
        raise ModelMismatchError(f"the file is coded as {image.format}: it has no symbols of a model")
    if image.model_id not in coder.file.decoded_ids:
        raise ModelMismatchError(
            f"the file needs the model with the id {image.model_id.hex()}, {coder.file.name} has {coder.file.id.hex()}"
        )
    coder.check(image)
    return image
