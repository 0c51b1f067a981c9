"""EXIF blocks: from wherever a file keeps one, its orientation taken out, and into the forms that outputs take.

A block begins as in JPEG, with `Exif`, two zero bytes and a TIFF header. It is kept byte by byte but for the
orientation, so that nothing in it that Pillow does not know is lost.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from PIL import ExifTags, Image

PREFIX = b"Exif\0\0"
ORIENTATION = 0x0112
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
_INCH = 2
_XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:=["']|>))([2-8])""")
_SHORT = 3
_ENTRY_BYTES = 12

_DESCRIBING = frozenset(
    {
        *(0x010D, 0x010E, 0x010F, 0x0110, 0x011D, 0x012D, 0x0131, 0x0132, 0x013B, 0x013C, 0x013E, 0x013F),
        *(0x4746, 0x4749, 0x8298, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F),
    }
)
"""A TIFF file's tags that describe the picture and not how its pixels are stored: names, maker, date, artist, rights,
transfer function, white point, primaries, ratings and Windows' texts."""
_STORING = frozenset(
    {
        *range(254, 267), 273, 277, 278, 279, 280, 281, 284, *range(288, 294), 297, 317, *range(320, 326),
        *range(330, 339), *range(338, 348), *range(512, 533), 559, 700, 34675,
    }
)  # fmt: skip
"""Tags that say how pixels are stored, or hold what is written apart: of another file, they would spoil a TIFF file."""
_SUB_DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)


@dataclass(frozen=True)
class ExifOfFile:
    """What a file says of itself.

    Attributes:
        block: without its orientation; None where there is none that can be written again.
        orientation: 1 to 8, of the pixels as they are stored.
        note: a line where the block was left out.
    """

    block: bytes | None = None
    orientation: int = 1
    note: str | None = None


def exif_of(image: Image.Image) -> ExifOfFile:
    """The EXIF of a Pillow image whose pixels are loaded: text behind PNG's pixels is read by then."""
    orientation = 1
    try:
        raw = _raw(image)
        tags = image.getexif()
        wanted = tags.get(ORIENTATION) or _orientation_of_xmp(image)
        orientation = wanted if wanted in range(1, 9) else 1
        if raw is None:
            block = _of_tiff(image, tags)
            return ExifOfFile(block, orientation)
        if not len(tags) and _has_no_tags(raw):
            return ExifOfFile(None, orientation)
        _loaded(raw).tobytes()  # refuses what no program could copy
        if str(dict(tags)) != str(dict(_loaded(raw))):  # the caller changed them
            raw = tags.tobytes()
        return ExifOfFile(_upright(raw, turned=orientation != 1), orientation)
    except Exception as error:  # struct.error, SyntaxError, TypeError, ...: whatever Pillow's parser meets
        return ExifOfFile(None, orientation, f"its EXIF cannot be written again and is left out: {_first_line(error)}")


def xmp_of(image: Image.Image) -> bytes | None:
    """The XMP packet of a loaded Pillow image, without its orientation."""
    found = _xmp_of_file(image)
    return None if found is None else re.sub(_XMP_ORIENTATION, rb"\g<1>1", found)


def _orientation_of_xmp(image: Image.Image) -> int:
    match = re.search(_XMP_ORIENTATION, _xmp_of_file(image) or b"")
    return int(match[2]) if match else 1


def _xmp_of_file(image: Image.Image) -> bytes | None:
    found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or _profile_text(image, "xmp")
    if not found:
        app1 = _profile_text(image, "APP1")
        found = app1.removeprefix(_XMP_PREFIX) if app1 and app1.startswith(_XMP_PREFIX) else None
    if isinstance(found, str):
        found = found.encode()
    if not isinstance(found, bytes) or not found.strip(b"\0 \r\n\t"):
        return None
    return found


def profile_text(image: Image.Image) -> bytes | None:
    """The colour profile in a text of ImageMagick's."""
    return _profile_text(image, "icc") or _profile_text(image, "icm")


def has_resolution(block: bytes | None) -> bool:
    """Whether an EXIF block says how many pixels an inch has."""
    return block is not None and X_RESOLUTION in _loaded(block)


def resolution_as_exif(across: float, down: float) -> bytes:
    """A block that says how many pixels an inch has, and nothing else."""
    exif = Image.Exif()
    exif[X_RESOLUTION], exif[Y_RESOLUTION], exif[RESOLUTION_UNIT] = across, down, _INCH
    return exif.tobytes()


def is_whole(block: bytes) -> bool:
    """Whether Pillow can read an EXIF block and write it again."""
    try:
        _loaded(block).tobytes()
    except Exception:  # whatever Pillow's parser meets
        return False
    return True


def as_tags(block: bytes) -> bytes | None:
    """What of an EXIF block can stand among a TIFF file's own tags; None where it is not made of any."""
    try:
        exif = _loaded(block)
        kept = {tag: value for tag, value in exif.items() if tag not in _STORING and tag not in _SUB_DIRECTORIES}
        return _with_tags(kept, exif)
    except Exception:  # as above
        return None


def _raw(image: Image.Image) -> bytes | None:
    """The block as the file has it, with its prefix."""
    raw = image.info.get("exif") or _profile_text(image, "exif")
    if not raw:
        raw = _profile_text(image, "APP1")
        raw = raw if raw and raw.startswith(PREFIX) else None
        if raw is not None:
            image.getexif().load(raw)  # which Pillow does not look for here
    if isinstance(raw, Image.Exif):
        raw = raw.tobytes()
    if not isinstance(raw, bytes | bytearray) or not raw:
        return None
    return PREFIX + re.sub(rb"^(Exif\0\0)+", b"", bytes(raw))


def _profile_text(image: Image.Image, name: str) -> bytes | None:
    """A text chunk as ImageMagick writes profiles into PNG: a newline, the name, the length, hexadecimal digits."""
    text = image.info.get(f"Raw profile type {name}")
    lines = text.split("\n", 3) if isinstance(text, str) else ()
    if len(lines) < 4:
        return None
    try:
        return bytes.fromhex("".join(lines[3].split()))
    except ValueError:
        return None


def _loaded(block: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(block)
    return exif


def _of_tiff(image: Image.Image, tags: Image.Exif) -> bytes | None:
    """A block of what a TIFF file's own tags say, but for those of its pixels."""
    if not hasattr(image, "tag_v2"):
        return None
    return _with_tags({tag: tags[tag] for tag in _DESCRIBING if tag in tags}, tags)


def _with_tags(kept: dict[int, object], whole: Image.Exif) -> bytes | None:
    """A block of some tags and of the further directories of a whole one; None where that is nothing."""
    block = Image.Exif()
    for tag, value in kept.items():
        block[tag] = value
    for tag in _SUB_DIRECTORIES:
        directory = dict(whole.get_ifd(tag))
        if ExifTags.IFD.Interop in directory:
            directory[ExifTags.IFD.Interop] = whole.get_ifd(ExifTags.IFD.Interop)
        if directory:
            block[tag] = directory
    return block.tobytes() if len(block) else None


def _upright(block: bytes, *, turned: bool) -> bytes:
    """The same block with the orientation set to 1; where pixels were turned, without the thumbnail, which was not.

    The block is one that Pillow has read: it has a header and a directory.
    """
    tiff = bytearray(block[len(PREFIX) :])
    order = "<" if tiff.startswith(b"II") else ">"
    (start,) = struct.unpack_from(f"{order}I", tiff, 4)
    (count,) = struct.unpack_from(f"{order}H", tiff, start)
    end = start + 2 + _ENTRY_BYTES * count
    for offset in range(start + 2, min(end, len(tiff) - _ENTRY_BYTES + 1), _ENTRY_BYTES):
        if struct.unpack_from(f"{order}H", tiff, offset)[0] == ORIENTATION:
            struct.pack_into(f"{order}HIH2x", tiff, offset + 2, _SHORT, 1, 1)
    if turned and end + 4 <= len(tiff):
        struct.pack_into(f"{order}I", tiff, end, 0)
    return PREFIX + bytes(tiff)


def _has_no_tags(block: bytes) -> bool:
    """Whether a block is nothing, or says itself that it has no tags; one that only seems so is damaged.

    Raises:
        ValueError: it is damaged.
    """
    tiff = block[len(PREFIX) :]
    order = "<" if tiff.startswith(b"II") else ">"
    start = struct.unpack_from(f"{order}I", tiff, 4)[0] if len(tiff) >= 8 else len(tiff)
    if tiff and tiff[start : start + 2] != b"\0\0":
        raise ValueError("its tags lie behind its end")
    return True


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
