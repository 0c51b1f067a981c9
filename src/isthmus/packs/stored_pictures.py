"""What a pack holds of one picture, a form and a payload, and the picture as the pipeline takes it.

The form says how the picture is coded (its low four bits), whether it is grey in a pack of colour, and whether it has
alpha. What the model codes without alpha has the tiles as its payload, nothing else: so most pictures have no framing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from isthmus.codec import format_coder
from isthmus.codec.choosing import encode_best
from isthmus.codec.coder import Coder
from isthmus.codec.codings import Codings
from isthmus.codec.targets import LEARNED, Wish
from isthmus.container.announced import PIXELS_PER_BYTE, check_pixels
from isthmus.container.image_file import ImageFile, read_image
from isthmus.container.image_header import ALPHA as ALPHA_SECTION
from isthmus.container.image_header import FORMATS, tile_count
from isthmus.container.pack_file import PackHeader
from isthmus.container.pack_table import PackTable
from isthmus.container.varint import read_varint, write_varint
from isthmus.errors import FormatError, UnsupportedVersionError
from isthmus.values import QUALITIES, Picture

CODINGS = (LEARNED, "webp", "avif")
"""By the number in a form's low four bits: the model, or a format whose files the tiles are."""
CODING_BITS = 0x0F
GREY = 0x10
"""Coded as grey in a pack of colour."""
ALPHA = 0x20
"""With alpha: within the tiles where they are WebP, else a PNG before them."""


@dataclass(frozen=True)
class Stored:
    """One picture's place in a pack.

    Attributes:
        form: how its payload is to be read.
        payload: its coded bytes.
        quality: of its coding, 1 to 100; None where that is the pack's, or there is none.
    """

    form: int
    payload: bytes
    quality: int | None = None


def coding_of(form: int) -> str | None:
    """The name of a form's coding, one of CODINGS; None where this release does not know it.

    Example:
        >>> coding_of(0x21), coding_of(7)
        ('webp', None)
    """
    is_known = form & CODING_BITS < len(CODINGS) and not form & ~(CODING_BITS | GREY | ALPHA)
    return CODINGS[form & CODING_BITS] if is_known else None


def count_codings(forms: Iterable[int]) -> dict[str, int]:
    """How many pictures have each coding, by its name; "unknown" for those that this release does not know.

    Example:
        >>> count_codings([0, 0x10, 0x21])
        {'learned': 2, 'webp': 1}
    """
    counts: Counter[str] = Counter()
    for form, count in Counter(forms).items():  # of which there are few, where pictures may be a million
        counts[coding_of(form) or "unknown"] += count
    return dict(counts)


def store(picture: Picture, coder: Coder, wish: Wish) -> Stored:
    """A picture in the coding that meets a wish best, for a pack of the coder's model.

    Raises:
        UsageError: this Pillow cannot write the coding that is asked for.
    """
    image = read_image(encode_best(Codings(picture, coder, in_pack=True), wish))
    form = _form(image.channels, coder, has_alpha=image.alpha_inside or ALPHA_SECTION in image.sections)
    if image.format is not None:
        form |= CODINGS.index(image.format)
    payload = _join(form, image.tiles, image.sections.get(ALPHA_SECTION), pixels=image.width * image.height)
    return Stored(form, payload, image.quality if image.format == "avif" else None)


def store_learned(coded: Picture, tiles: tuple[bytes, ...], alpha: bytes | None, coder: Coder) -> Stored:
    """A picture that the model has coded already.

    Args:
        coded: as it went into the networks.
        tiles: its payloads.
        alpha: as a PNG; None where it has none.
        coder: of the model.
    """
    form = _form(coded.channels, coder, has_alpha=alpha is not None)
    return Stored(form, _join(form, tiles, alpha, pixels=coded.width * coded.height))


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
    header: PackHeader,
    table: PackTable,
    index: int,
    payload: bytes,
    coder: Callable[[], Coder],
    *,
    pixel_limit: int | None,
) -> ImageFile:
    """A picture of a pack, or of a block of it, as the pipeline takes it.

    Args:
        header: of the pack.
        table: that the picture is in.
        index: of the picture in it.
        payload: of the picture.
        coder: gives that of the model; asked where the picture needs one.
        pixel_limit: the most pixels that it may have; None for as many as its payload can hold.

    Raises:
        FormatError: a payload that is none, or a picture that the model cannot have coded.
        LimitError: more pixels than the payload can hold, or than the limit.
        UnsupportedVersionError: a picture coded in a way that this release does not know.
    """
    form, name = 0 if table.forms is None else int(table.forms[index]), f"the picture {table.names[index]!r}"
    coding = coding_of(form)
    if coding is None:
        raise UnsupportedVersionError(f"{name} has the form 0x{form:02x}, unknown here: update isthmus")
    if form & GREY and header.channels == 1:
        raise FormatError(f"{name} is said to be grey in a pack of grey pictures")
    width, height = picture_size(header, table, index)
    quality = header.quality if table.qualities is None else int(table.qualities[index])
    check_pixels(width, height, size=len(payload), pixel_limit=pixel_limit, what=name)
    is_learned, is_inside = coding == LEARNED, bool(form & ALPHA) and coding == "webp"
    side = tile_side(width, height, coder()) if is_learned else format_coder.tile_size(height, width)
    tiles, alpha = _split(form, payload, tile_count(width, height, side), alpha_inside=is_inside)
    image = ImageFile(
        model_id=header.model_id if is_learned else FORMATS[coding],
        width=width,
        height=height,
        channels=1 if form & GREY else header.channels,
        quality=QUALITIES if coding == "webp" else quality,
        tiles=tiles,
        tile_size=side,
        sections={} if alpha is None else {ALPHA_SECTION: alpha},
        neutral=bool(form & GREY),
        alpha_inside=is_inside,
    )
    if is_learned:
        coder().check(image)
    return image


def tile_side(width: int, height: int, coder: Coder) -> int:
    """Side of the model's tiles of a picture of that size, whose pixels nobody has yet; 0 for one tile."""
    blank = np.broadcast_to(np.uint8(0), (height, width, coder.file.picture.channels))  # no memory, whatever its size
    return coder.tile_size(Picture(blank))


def join_tiles(tiles: tuple[bytes, ...]) -> bytes:
    """The payloads of a picture's tiles as one: the lengths of all but the last, then all of them."""
    return b"".join([*(write_varint(len(tile)) for tile in tiles[:-1]), *tiles])


def split_tiles(payload: bytes, count: int) -> tuple[bytes, ...]:
    """`join_tiles` backwards.

    Raises:
        FormatError: the lengths do not add up.
    """
    if count == 1:
        return (payload,)
    parts, rest = _split_parts(payload, count - 1)
    return (*parts, rest)


def _form(channels: int, coder: Coder, *, has_alpha: bool) -> int:
    """What the model codes without its coding's number, in a pack of that model."""
    return (GREY if channels < coder.file.picture.channels else 0) | (ALPHA if has_alpha else 0)


def _join(form: int, tiles: tuple[bytes, ...], alpha: bytes | None, *, pixels: int) -> bytes:
    """One payload. Zeros behind it mean nothing; so few that a reader believes its pixels (`container.announced`)."""
    if not form & ~GREY:
        payload = join_tiles(tiles)
    else:
        parts = tiles if alpha is None else (alpha, *tiles)
        payload = b"".join([*(write_varint(len(part)) for part in parts), *parts])
    return payload.ljust(pixels // PIXELS_PER_BYTE, b"\0")


def _split(form: int, payload: bytes, count: int, *, alpha_inside: bool) -> tuple[tuple[bytes, ...], bytes | None]:
    """`_join` backwards: the tiles, and alpha where it stands before them.

    Raises:
        FormatError: the lengths do not add up.
    """
    if not form & ~GREY:
        return split_tiles(payload, count), None
    has_part = bool(form & ALPHA) and not alpha_inside
    parts, rest = _split_parts(payload, count + has_part)
    if rest.strip(b"\0"):
        raise FormatError("a picture's payload is longer than its parts")
    return (parts[1:], parts[0]) if has_part else (parts, None)


def _split_parts(payload: bytes, count: int) -> tuple[tuple[bytes, ...], bytes]:
    """So many parts whose lengths stand before them, and what is behind."""
    lengths, offset = [], 0
    for _ in range(count):
        length, offset = read_varint(payload, offset)
        lengths.append(length)
    ends = np.cumsum([offset, *lengths]).tolist()
    if ends[-1] > len(payload):
        raise FormatError("a picture's tiles are longer than its payload")
    parts = tuple(payload[start:end] for start, end in pairwise(ends))
    return parts, payload[ends[-1] :]
