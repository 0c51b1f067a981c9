"""Pillow opens and saves .isth files once `register_pillow` was called."""

from __future__ import annotations

from typing import IO, Any, ClassVar

from PIL import Image, ImageFile

from isthmus.codec.api import decode_picture, encode
from isthmus.container.image_file import ALPHA, MAGIC, read_header
from isthmus.errors import FormatError, UsageError
from isthmus.imaging.writing import to_pillow

FORMAT = "ISTH"
SUFFIX = ".isth"
MIME_TYPE = "image/x-isthmus"
MAX_HEADER = 1 << 16
"""Bytes that are read at first; headers of pictures with very many tiles are longer."""


def register_pillow() -> None:
    """Make `PIL.Image.open` and `Image.save` know .isth files; `save` takes `quality`, `target_bytes` and `model`.

    Example:
        >>> import io
        >>> register_pillow()
        >>> file = io.BytesIO()
        >>> Image.new("RGB", (40, 30), "teal").save(file, "ISTH", quality=60)
        >>> Image.open(file).size
        (40, 30)
    """
    Image.register_open(FORMAT, IsthmusImageFile, lambda prefix: prefix.startswith(MAGIC))
    Image.register_save(FORMAT, _save)
    Image.register_extension(FORMAT, SUFFIX)
    Image.register_mime(FORMAT, MIME_TYPE)


class IsthmusImageFile(ImageFile.ImageFile):
    """A .isth file: its header is read at once, its pixels when they are first asked for."""

    format = FORMAT
    format_description = "Isthmus learned image"
    _modes: ClassVar = {(1, False): "L", (1, True): "LA", (3, False): "RGB", (3, True): "RGBA"}

    def _open(self) -> None:
        file = self._file()
        start = file.read(MAX_HEADER)
        try:
            header = read_header(start)
        except FormatError as error:
            if len(start) < MAX_HEADER:
                raise SyntaxError(str(error)) from error  # what Pillow takes for "not mine, or damaged"
            header = read_header(start + file.read())
        self._size = (header.width, header.height)
        self._mode = self._modes[header.channels, ALPHA in header.section_lengths]
        self._decoded = False
        self.tile = []

    def load(self) -> Any:
        """Decode the pixels.

        Raises:
            FormatError: damaged bytes.
            ModelNotFoundError: the model that wrote them is not there.
        """
        if not self._decoded:
            file = self._file()
            file.seek(0)
            image = to_pillow(decode_picture(file.read()))
            self.im = image.im
            self.info.update(image.info)
            self._decoded = True
        return super().load()

    def _file(self) -> IO[bytes]:
        if self.fp is None:
            raise ValueError("the file was closed before its pixels were asked for")
        return self.fp


def _save(image: Image.Image, file: IO[bytes], _name: str | bytes) -> None:
    options = dict(image.encoderinfo)
    settings = {key: options[key] for key in ("quality", "target_bytes", "model") if key in options}
    try:
        file.write(encode(image, **settings))
    except UsageError as error:
        raise ValueError(str(error)) from error
