"""Pillow opens and saves .isth files once `register_pillow` was called."""

from __future__ import annotations

import difflib
import inspect
from typing import IO, Any, NoReturn, cast

import numpy as np
from PIL import Image, ImageFile

from isthmus.codec import pipeline
from isthmus.codec.api import coder_for, decode_picture, encode
from isthmus.codec.model import plain_pixels
from isthmus.codec.sections import from_sections
from isthmus.container.image_file import read_image, read_sections
from isthmus.container.image_header import MAGIC, read_header
from isthmus.errors import ChecksumError, FormatError, TruncatedError, UsageError
from isthmus.imaging.writing import info_of

FORMAT = "ISTH"
SUFFIX = ".isth"
MIME_TYPE = "image/x-isthmus"
MAX_HEADER = 1 << 16
"""Bytes that are read at first; headers of pictures with very many tiles are longer."""

_MODES = {(1, False): "L", (1, True): "LA", (3, False): "RGB", (3, True): "RGBA"}
_METADATA = {"exif": "exif", "icc_profile": "icc_profile", "xmp": "xmp", "dpi": "dpi"}
"""What `save` takes in place of what the image has in its info."""
_SETTINGS = tuple(name for name in inspect.signature(encode).parameters if name != "picture")


class TruncatedImageError(TruncatedError, OSError):
    """A .isth file that ends too early, as those who load images with Pillow expect it: an OSError too."""


class DamagedImageError(ChecksumError, OSError):
    """A .isth file that is damaged, as those who load images with Pillow expect it: an OSError too."""


def register_pillow() -> None:
    """Make `PIL.Image.open` and `Image.save` know .isth files.

    `save` takes what `isthmus.encode` takes (`quality`, `target_bytes`, `model`, ...), and `exif`, `icc_profile`, `xmp`
    and `dpi` in place of the image's own; it refuses all else. Loading takes notice of
    `PIL.ImageFile.LOAD_TRUNCATED_IMAGES`: what a damaged file has lost is then blank.

    Example:
        >>> import io
        >>> register_pillow()
        >>> file = io.BytesIO()
        >>> Image.new("RGB", (40, 30), "teal").save(file, "ISTH", quality=60)
        >>> Image.open(file).size
        (40, 30)
    """
    Image.register_open(FORMAT, IsthmusImageFile, lambda prefix: prefix.startswith(MAGIC))
    Image.register_decoder(FORMAT, _Decoder)
    Image.register_save(FORMAT, _save)
    Image.register_save_all(FORMAT, _refuse_save_all)
    Image.register_extension(FORMAT, SUFFIX)
    Image.register_mime(FORMAT, MIME_TYPE)


class IsthmusImageFile(ImageFile.ImageFile):
    """A .isth file: its header and metadata are read at once, its pixels when they are first asked for."""

    format = FORMAT
    format_description = "Isthmus learned image"

    def _open(self) -> None:
        file = cast("IO[bytes]", self.fp)
        start = file.read(MAX_HEADER)
        try:
            header = read_header(start)
        except FormatError as error:
            if len(start) < MAX_HEADER:
                raise SyntaxError(str(error)) from error  # what Pillow takes for "not mine, or damaged"
            header = read_header(start + file.read())

        def read(offset: int, length: int) -> bytes:
            file.seek(offset)
            return file.read(length)

        self._size = (header.width, header.height)
        self._mode = _MODES[header.mode]
        no_pixels = np.empty((1, 1, header.channels), np.uint8)
        self.info.update(info_of(from_sections(no_pixels, read_sections(header, read))))
        self.tile = [ImageFile._Tile(FORMAT, (0, 0, *self._size), 0, ())]

    def verify(self) -> None:
        """Check every checksum, without decoding.

        Raises:
            OSError: the file is damaged or truncated.
        """
        file = cast("IO[bytes]", self.fp)
        file.seek(0)
        try:
            read_image(file.read())
        except FormatError as error:
            raise _as_os_error(error) from error
        super().verify()


class _Decoder(ImageFile.PyDecoder):
    """What Pillow calls for the pixels of a .isth file; Pillow opens, maps and closes the file."""

    _pulls_fd = True

    def decode(self, _buffer: Any) -> tuple[int, int]:
        """All pixels, from the whole file.

        Raises:
            OSError: the file is damaged or truncated, and LOAD_TRUNCATED_IMAGES is false.
            ModelNotFoundError: the model that wrote it is not there.
        """
        data = cast("IO[bytes]", self.fd).read()
        try:
            picture = decode_picture(data)
        except FormatError as error:
            if not ImageFile.LOAD_TRUNCATED_IMAGES:
                raise _as_os_error(error) from error
            picture, _ = pipeline.salvage(data, coder_for(data))
        pixels = plain_pixels(picture)
        bands = 1 if pixels.ndim == 2 else pixels.shape[2]
        if bands < len(self.mode):  # alpha was lost
            pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
        self.set_as_raw(pixels.tobytes())
        return -1, 0


def _as_os_error(error: FormatError) -> TruncatedImageError | DamagedImageError:
    kind = TruncatedImageError if isinstance(error, TruncatedError) else DamagedImageError
    return kind(str(error), offset=error.offset)


def _save(image: Image.Image, file: IO[bytes], _name: str | bytes) -> None:
    options = dict(image.encoderinfo)
    for name in options:
        if name not in (*_SETTINGS, *_METADATA):
            nearest = difflib.get_close_matches(name, (*_SETTINGS, *_METADATA), 1)
            known = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join((*_METADATA, *_SETTINGS))}"
            raise UsageError(f"saving .isth files knows no option {name!r}: {known}")
    given = {name: options.pop(name) for name in _METADATA if name in options}
    if given:
        image = _with_info(image, given)
    file.write(encode(image, **options))


def _with_info(image: Image.Image, given: dict[str, Any]) -> Image.Image:
    """The same pixels with other metadata; None and nothing take it out."""
    changed = image.copy()
    if "exif" in given:
        changed.info.pop("Raw profile type exif", None)
    if "xmp" in given:
        changed.info.pop("XML:com.adobe.xmp", None)
    for name, value in given.items():
        changed.info.pop(name, None)
        data = value.tobytes() if isinstance(value, Image.Exif) else value
        if data:
            changed.info[name] = data
    return changed


def _refuse_save_all(_image: Image.Image, _file: IO[bytes], _name: str | bytes) -> NoReturn:
    raise UsageError("a .isth file holds one picture: save frames one by one, without save_all and append_images")
