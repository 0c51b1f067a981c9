"""Pictures of more than 8 bits a value: how many a file says it has, and their pixels as 8 bits.

What a value means is what the file says (TIFF's BitsPerSample, PPM's maximum, JPEG 2000's precision, AV1's
configuration), never a guess from how Pillow happens to hold it. Only floats say nothing: their range is looked at.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, ImageFile

from isthmus.errors import UsageError
from isthmus.imaging import boxes
from isthmus.imaging.formats import open_image

WIDE_MODES = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
"""Pillow's modes of one channel with more than 8 bits."""
_WIDTH, _HEIGHT, _BITS_PER_SAMPLE, _PHOTOMETRIC, _PLANES, _EXTRA_SAMPLES, _SAMPLE_FORMAT = (
    256, 257, 258, 262, 284, 338, 339,
)  # fmt: skip
_UNSIGNED, _SIGNED = 1, 2
_WHITE_IS_ZERO, _APART, _PREMULTIPLIED = 0, 2, 1
_PILLOW = int(PIL.__version__.split(".", 1)[0])
_STRIP = 256
_LOW_BYTES = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
"""Pillow's raw modes of 16 bits keep the high byte; those of the other byte order keep the low one."""

Values = NDArray[Any]


@dataclass(frozen=True)
class Reduced:
    """Pixels that had more bits.

    Attributes:
        pixels: (rows, columns, 1 or 3) uint8.
        alpha: (rows, columns) uint8, or None.
        note: how they were reduced.
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    note: str


def bits_of(image: Image.Image, file: BinaryIO | None) -> int:
    """Bits of one value, as the file says; 8 where it has no more.

    Args:
        image: whose pixels may not be loaded yet.
        file: its open file, if it has one.
    """
    bits = 8
    if image.format == "TIFF":
        bits = max(_tag(image, _BITS_PER_SAMPLE, 1))
    elif image.format == "JPEG2000" and file is not None:
        bits = boxes.jpeg2000_bits(file)
    elif image.format == "AVIF" and file is not None:
        bits = boxes.avif_bits(file)
    for codec, _, _, arguments in getattr(image, "tile", None) or ():
        parts = arguments if isinstance(arguments, tuple) else (arguments,)
        if image.format == "PPM" and codec in ("ppm", "ppm_plain"):
            bits = max(bits, int(parts[-1]).bit_length())
        elif image.format in ("PNG", "SGI") and (codec == "SGI16" or ";16" in str(parts[0])):
            bits = 16
    if bits <= 8 and image.mode in WIDE_MODES:
        bits = 16 if image.mode.startswith("I;16") or (image.format, image.mode) == ("PPM", "I") else 32
    return max(bits, 8)


def is_signed(image: Image.Image) -> bool:
    """Whether a TIFF file says that its whole numbers, of one channel, have a sign."""
    is_one = image.mode == "L" or image.mode in WIDE_MODES
    return is_one and image.format == "TIFF" and _SIGNED in _tag(image, _SAMPLE_FORMAT, _UNSIGNED)


def reduce(image: Image.Image, file: BinaryIO | None, bits: int) -> Reduced | None:
    """Load an image of more than 8 bits, or of signed values, as 8 bits.

    Args:
        image: whose pixels are not loaded yet, where it is of a file.
        file: its open file, if it has one.
        bits: of one value, from `bits_of`.

    Returns:
        None where Pillow's own 8 bits are as good: then its pixels are taken as those of any other image.

    Raises:
        UsageError: Pillow reads them wrong.
    """
    if image.format == "JPEG2000" and image.mode not in WIDE_MODES and bits > 8:
        # (value + half) >> shift of the largest value is 256, which it keeps as 0: white turns black (seen in 13.0)
        raise UsageError(
            f"JPEG 2000 with colour or alpha of {bits} bits a value is not read: convert it to PNG or TIFF"
        )
    if image.mode in WIDE_MODES:
        return _one_channel(image, bits)
    if is_signed(image):
        pixels = _of_integers(np.asarray(image).view(np.int8), 127)
        return Reduced(pixels[:, :, None], None, "signed values of 0 to 127 made 0 to 255")
    tiles = _tiles(image)
    if image.format == "TIFF" and bits == 16 and _APART in _tag(image, _PLANES, 1) and tiles:
        _with_libtiff(image)
        return None
    is_first = image.format != "PNG" or cast("Any", image).tell() == 0  # later ones are drawn over those before them
    if not (file and tiles and is_first and image.mode.startswith("RGB") and ";16" in _raw_mode(tiles[0])):
        return None
    return _colour(image, file) if image.format in ("PNG", "TIFF") else None


def _one_channel(image: Image.Image, bits: int) -> Reduced:
    image.load()
    values = np.asarray(image)
    if image.mode == "F":
        pixels, note = _of_floats(values)
    else:
        white = _white(image, values, bits)
        if image.format == "TIFF" and bits == 32 and not is_signed(image):
            values = values.view(np.uint32)  # which Pillow holds as signed
        if image.format == "JPEG2000":
            values = values >> (16 - min(bits, 16))  # Pillow aligns them to the highest bit
        pixels, note = _of_integers(values, white), f"values of 0 to {white} reduced to 8 bits"
    alpha = None
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        alpha = np.where(values == transparent, np.uint8(0), np.uint8(255))
    if image.format == "TIFF" and _WHITE_IS_ZERO in _tag(image, _PHOTOMETRIC, 1):
        pixels = np.invert(pixels)
    return Reduced(pixels[:, :, None], alpha, note)


def _white(image: Image.Image, values: Values, bits: int) -> int:
    """The value of white among whole numbers of one channel."""
    if image.format == "TIFF" and image.mode == "I" and is_signed(image):
        wide = bits > 16 and int(values.max(initial=0)) > 65535
        return 2**31 - 1 if wide else 65535 if bits > 16 else 2 ** (bits - 1) - 1  # Pillow itself writes 16 bits so
    if image.format in ("TIFF", "JPEG2000"):
        return int(2 ** min(bits, 32) - 1)
    return 65535 if image.mode != "I" or int(values.max(initial=0)) <= 65535 else 2**31 - 1


def _of_integers(values: Values, white: int) -> NDArray[np.uint8]:
    """Whole numbers (rows, columns) to the nearest of 256; below 0 is black, above `white` is white."""
    pixels = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), _STRIP):
        strip = np.clip(values[top : top + _STRIP].astype(np.int64), 0, white)
        pixels[top : top + _STRIP] = (strip * 255 + white // 2) // white
    return pixels


def _of_floats(values: NDArray[np.float32]) -> tuple[NDArray[np.uint8], str]:
    """Floats (rows, columns) by the scale that their brightest value is nearest to, and the line that says so."""
    finite = np.isfinite(values)
    brightest = float(values.max(initial=0, where=finite))
    white = next(scale for scale, limit in ((1, 16), (255, 4096), (65535, np.inf)) if brightest < limit)
    pixels = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), _STRIP):
        strip = np.nan_to_num(values[top : top + _STRIP].astype(np.float64), nan=0, posinf=white, neginf=0)
        pixels[top : top + _STRIP] = np.rint(np.clip(strip / white, 0, 1) * 255)
    darkest = float(values.min(initial=0, where=finite))
    clipped = ", clipped" if brightest > white or darkest < 0 or not finite.all() else ""
    note = f"floats up to {brightest:.4g} taken as 0 to {white}{clipped}, reduced to 8 bits"
    return pixels, note if finite.all() else f"{note}; {int((~finite).sum())} are no finite numbers"


def _colour(image: Image.Image, file: BinaryIO) -> Reduced:
    """Colour, or PNG's grey with alpha, of 16 bits: the high bytes, then the low ones, by Pillow's decoder."""
    file.seek(0)
    again = open_image(io.BytesIO(file.read()))
    if image.format == "TIFF":
        again.seek(image.tell())
    raw = _raw_mode(_tiles(image)[0])
    is_grey = raw.startswith("LA")
    is_premultiplied = raw.startswith("RGBa")
    if is_grey:
        _set_raw_mode(image, "RGBA")  # the four bytes of a pixel, as they are
        both: NDArray[np.uint8] = np.asarray(image)
        high, low = both[:, :, ::2], both[:, :, 1::2]
    else:
        straight = raw.replace("RGBa", "RGBA")
        _set_raw_mode(image, straight)
        _set_raw_mode(again, straight[:-1] + _LOW_BYTES[raw[-1]])
        high, low = np.asarray(image), np.asarray(again)
    transparent = image.info.get("transparency")
    pixels = np.empty(high.shape, np.uint8)
    alpha = None
    if isinstance(transparent, tuple) and high.shape[2] == 3:
        alpha = np.empty(high.shape[:2], np.uint8)
    for top in range(0, len(high), _STRIP):
        rows = slice(top, top + _STRIP)
        values = high[rows].astype(np.uint32) * 256 + low[rows]
        if alpha is not None:
            alpha[rows] = np.where((values == transparent).all(2), 0, 255)
        if is_premultiplied:
            opacity = np.maximum(values[:, :, 3:], 1)
            values[:, :, :3] = np.minimum((values[:, :, :3].astype(np.uint64) * 65535 + opacity // 2) // opacity, 65535)
        pixels[rows] = (values + 128) // 257
    if high.shape[-1] in (2, 4):
        alpha = np.ascontiguousarray(pixels[:, :, -1])
        pixels = np.ascontiguousarray(pixels[:, :, :-1])
    return Reduced(pixels, alpha, "values of 0 to 65535 reduced to 8 bits")


def _tag(image: Image.Image, number: int, default: int) -> tuple[int, ...]:
    """A TIFF tag's whole numbers."""
    value = cast("Any", image).tag_v2.get(number, default)
    numbers = value if isinstance(value, tuple) else (value,)
    return tuple(one for one in numbers if isinstance(one, int)) or (default,)


def _tiles(image: Image.Image) -> list[ImageFile._Tile]:
    """What is still to be decoded; nothing where the pixels are loaded, or are of no file."""
    return cast("ImageFile.ImageFile", image).tile if hasattr(image, "tile") else []


def _raw_mode(tile: ImageFile._Tile) -> str:
    return str(tile[3][0] if isinstance(tile[3], tuple) else tile[3])


def _set_raw_mode(image: Image.Image, raw: str) -> None:
    """Have Pillow's decoder take other bytes of the same pixels."""
    tiles = _tiles(image)
    for index, tile in enumerate(tiles):
        tiles[index] = tile._replace(args=(raw, *tile.args[1:]) if isinstance(tile.args, tuple) else raw)


def _with_libtiff(image: Image.Image) -> None:
    """Have libtiff decode channels that lie apart: Pillow's own takes each half of 16 bits for a value there."""
    tiff = cast("Any", image)
    if tiff.use_load_libtiff:
        return
    width, height = _tag(image, _WIDTH, 0)[0], _tag(image, _HEIGHT, 0)[0]
    raw = "RGBa" if image.mode == "RGBA" and _PREMULTIPLIED in _tag(image, _EXTRA_SAMPLES, 0) else image.mode
    tile = _tiles(image)[0]
    compression = () if _PILLOW >= 13 else ("raw",)  # which its decoder was told up to then
    arguments = (f"{raw};16N", *compression, False, tiff.tag_v2.offset)
    tiff.tile = [type(tile)("libtiff", (0, 0, width, height), 0, arguments)]
    tiff.use_load_libtiff = True
