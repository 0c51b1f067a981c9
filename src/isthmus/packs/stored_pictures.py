"""What a pack holds of one picture, as the pipeline takes it."""

from __future__ import annotations

import numpy as np

from isthmus.codec.model import Model
from isthmus.container.announced import check_pixels
from isthmus.container.image_file import ImageFile, tile_count
from isthmus.container.pack_file import PackHeader
from isthmus.container.pack_table import PackTable
from isthmus.container.varint import read_varint
from isthmus.errors import FormatError, UnsupportedVersionError
from isthmus.values import Picture


def picture_size(header: PackHeader, table: PackTable, index: int) -> tuple[int, int]:
    """Width and height of a picture of a pack, or of a block of it.

    Raises:
        FormatError: neither header nor table has them.
    """
    if header.size is not None:
        return header.size
    if table.sizes is None:
        raise FormatError("a block of the pack does not say how large its pictures are")
    width, height = table.sizes[index].tolist()
    return width, height


def stored_image(
    header: PackHeader, table: PackTable, index: int, payload: bytes, model: Model, *, pixel_limit: int | None
) -> ImageFile:
    """A picture of a pack, or of a block of it, as the pipeline takes it.

    Args:
        header: of the pack.
        table: that the picture is in.
        index: of the picture in it.
        payload: of the picture.
        model: that decodes it.
        pixel_limit: the most pixels that it may have; None for as many as its payload can hold.

    Raises:
        FormatError: a payload that is none, or a picture that the model cannot have coded.
        LimitError: more pixels than the payload can hold, or than the limit.
        UnsupportedVersionError: a picture coded in a way that this release does not know.
    """
    form = 0 if table.forms is None else int(table.forms[index])
    if form:
        raise UnsupportedVersionError(
            f"the picture {table.names[index]!r} has the form 0x{form:02x}, unknown here: update isthmus"
        )
    width, height = picture_size(header, table, index)
    quality = header.quality if table.qualities is None else int(table.qualities[index])
    check_pixels(width, height, size=len(payload), pixel_limit=pixel_limit, what=f"the picture {table.names[index]!r}")
    side = tile_side(width, height, model)
    tiles = split_tiles(payload, tile_count(width, height, side))
    image = ImageFile(header.model_id, width, height, header.channels, quality, tiles, side)
    model.coder.check(image)
    return image


def tile_side(width: int, height: int, model: Model) -> int:
    """Side of the tiles of a picture of that size, whose pixels nobody has yet; 0 for one tile."""
    blank = np.broadcast_to(np.uint8(0), (height, width, model.file.picture.channels))  # no memory, whatever its size
    return model.coder.tile_size(Picture(blank))


def split_tiles(payload: bytes, count: int) -> tuple[bytes, ...]:
    """`packing.join_tiles` backwards.

    Raises:
        FormatError: the lengths do not add up.
    """
    if count == 1:
        return (payload,)
    lengths, offset = [], 0
    for _ in range(count - 1):
        length, offset = read_varint(payload, offset)
        lengths.append(length)
    ends = np.cumsum([offset, *lengths]).tolist()
    if ends[-1] > len(payload):
        raise FormatError("a picture's tiles are longer than its payload")
    return tuple(payload[start:end] for start, end in zip(ends, [*ends[1:], len(payload)], strict=True))
