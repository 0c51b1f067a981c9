"""What a Linux desktop needs to know of Isthmus' files: their MIME types, a thumbnailer, and lines for `file`.

Everything goes into the user's own data folder ($XDG_DATA_HOME or ~/.local/share), and comes out of it again.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path

import platformdirs
from PIL import Image

from isthmus.codec.api import decode_picture
from isthmus.codec.pillow_plugin import MIME_TYPE
from isthmus.container.atomic import write_file
from isthmus.container.image_header import MAGIC as PICTURE_MAGIC
from isthmus.container.pack_header import MAGIC as PACK_MAGIC
from isthmus.errors import InputError
from isthmus.imaging.writing import to_pillow

PACK_TYPE, MODEL_TYPE = "application/x-isthmus-pack", "application/x-isthmus-model"
_MIME_PLACE, _THUMBNAILER, _MAGIC = "mime/packages/isthmus.xml", "thumbnailers/isthmus.thumbnailer", "isthmus/magic"


def install(folder: Path | None = None) -> list[Path]:
    """Write the files and have the MIME database read again, where the desktop has one.

    Args:
        folder: of data files; None is the user's own.

    Raises:
        OutputError: the folder cannot be written.
    """
    root = folder or user_folder()
    texts = {_MIME_PLACE: mime_types(), _THUMBNAILER: thumbnailer(), _MAGIC: magic_lines()}
    for place, text in texts.items():
        write_file(root / place, text.encode(), force=True)
    _update(root)
    return [root / place for place in texts]


def remove(folder: Path | None = None) -> list[Path]:
    """Take away what `install` wrote; the files that were there."""
    root = folder or user_folder()
    there = [root / place for place in (_MIME_PLACE, _THUMBNAILER, _MAGIC) if (root / place).exists()]
    for path in there:
        path.unlink()
    _update(root)
    return there


def user_folder() -> Path:
    """Where a desktop looks for the user's own data files."""
    return Path(platformdirs.user_data_dir())


def thumbnail(source: Path, *, size: int) -> bytes:
    """A PNG of a .isth file, at most `size` pixels on each side.

    Raises:
        InputError: the file cannot be read.
        FormatError: it is damaged.
        ModelNotFoundError: its model is not there.
    """
    try:
        data = source.read_bytes()
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}") from error
    image = to_pillow(decode_picture(data))
    image.thumbnail((size, size), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def mime_types() -> str:
    """Of the shared MIME database: pictures, packs and models by suffix, the first two by their first bytes too."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
  <mime-type type="{MIME_TYPE}">
    <comment>Isthmus picture</comment>
    <generic-icon name="image-x-generic"/>
    <magic priority="60"><match type="string" offset="0" value="{_escaped(PICTURE_MAGIC)}"/></magic>
    <glob pattern="*.isth"/>
  </mime-type>
  <mime-type type="{PACK_TYPE}">
    <comment>Isthmus pack of pictures</comment>
    <generic-icon name="package-x-generic"/>
    <magic priority="60"><match type="string" offset="0" value="{_escaped(PACK_MAGIC)}"/></magic>
    <glob pattern="*.isthpack"/>
  </mime-type>
  <mime-type type="{MODEL_TYPE}">
    <comment>Isthmus model</comment>
    <sub-class-of type="application/zip"/>
    <glob pattern="*.isthmus"/>
  </mime-type>
</mime-info>
"""


def thumbnailer() -> str:
    """Of the desktops that read thumbnailers: the command that makes a thumbnail."""
    command = shutil.which("isthmus")
    start = f'"{command}"' if command else f'"{sys.executable}" -m isthmus'
    return f"[Thumbnailer Entry]\nExec={start} desktop --thumbnail %i -o %o --size %s\nMimeType={MIME_TYPE};\n"


def magic_lines() -> str:
    """For `file -m`: pictures with their version, and packs."""
    return (
        f"0\tstring\t{_escaped(PICTURE_MAGIC)}\tIsthmus picture\n"
        f">{len(PICTURE_MAGIC)}\tbyte\tx\t\\b, version %d\n!:mime\t{MIME_TYPE}\n"
        f"0\tstring\t{_escaped(PACK_MAGIC)}\tIsthmus pack of pictures\n"
        f">{len(PACK_MAGIC)}\tbyte\tx\t\\b, version %d\n!:mime\t{PACK_TYPE}\n"
    )


def _escaped(magic: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in magic)


def _update(root: Path) -> None:
    """The database is read again; a desktop without the tool reads it when it next starts."""
    tool = shutil.which("update-mime-database")
    if tool and (root / "mime" / "packages").is_dir():
        subprocess.run([tool, str(root / "mime")], check=False, capture_output=True)  # noqa: S603
