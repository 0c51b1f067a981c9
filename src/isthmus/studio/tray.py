"""The pictures that were sent to the studio: their files in a folder of its own, decoded when they are needed."""

from __future__ import annotations

import io
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isthmus.codec.first_look import looks_like_photograph
from isthmus.errors import LimitError
from isthmus.imaging.fitting import fit
from isthmus.imaging.formats import open_image
from isthmus.imaging.reading import read_picture
from isthmus.studio.answers import NotThereError
from isthmus.studio.settings import MIB, Limits
from isthmus.values import Picture, PictureSpec

DECODED_BYTES = 384 * MIB
"""Decoded pictures that stay in memory; the last one stays whatever its size."""
THUMBNAIL = 96
"""Longer side of the pictures of the tray, in pixels."""


@dataclass(frozen=True)
class Sent:
    """A picture of the tray.

    Attributes:
        id: random; the only name that a page knows it by.
        name: what its file was called, for people and for downloads, never for a path.
        width: in pixels.
        height: in pixels.
        bytes: of its file.
        notes: what reading it changed, a line each.
        has_alpha: whether some of it is transparent.
        is_photograph: whether it is coded by the model at once, without trying what else there is.
    """

    id: str
    name: str
    width: int
    height: int
    bytes: int
    notes: tuple[str, ...]
    has_alpha: bool
    is_photograph: bool


class Tray:
    """The pictures, in the order in which they came; safe in threads.

    Args:
        folder: of the studio alone.
        limits: how many and how large.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder, self._limits, self._lock = folder, limits, threading.Lock()
        self._sent: dict[str, Sent] = {}
        self._thumbnails: dict[str, bytes] = {}
        self._decoded: OrderedDict[str, Picture] = OrderedDict()

    def new_path(self) -> Path:
        """Where the next file may be written.

        Raises:
            LimitError: the tray is full.
        """
        with self._lock:
            if len(self._sent) >= self._limits.pictures:
                raise LimitError(f"the tray holds {len(self._sent)} pictures, its limit: remove some")
            if sum(one.bytes for one in self._sent.values()) >= self._limits.tray_bytes:
                raise LimitError("the tray's pictures take all the space that they may: remove some")
        return self._folder / secrets.token_hex(16)

    def add(self, path: Path, name: str) -> Sent:
        """Read a file that was written to `new_path`; it is removed again where it is no picture.

        Raises:
            InputError: not a picture that can be read.
            LimitError: more pixels than Isthmus reads.
        """
        try:
            picture = self._read(path, name)
            with open_image(io.BytesIO(self._shown(picture))) as image:
                image.thumbnail((THUMBNAIL, THUMBNAIL))
                thumbnail = io.BytesIO()
                image.save(thumbnail, "PNG")
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        sent = Sent(
            path.name, name, picture.width, picture.height, path.stat().st_size, picture.conversions,
            picture.alpha is not None, picture.alpha is None and looks_like_photograph(picture.pixels),
        )  # fmt: skip
        with self._lock:
            self._sent[sent.id] = sent
            self._thumbnails[sent.id] = thumbnail.getvalue()
        self._keep(sent.id, picture)
        return sent

    def all(self) -> list[Sent]:
        """In the order in which they came."""
        with self._lock:
            return list(self._sent.values())

    def get(self, key: str) -> Sent:
        """One of them.

        Raises:
            NotThereError: no such picture.
        """
        with self._lock:
            sent = self._sent.get(key)
        if sent is None:
            raise NotThereError("this picture is no longer in the tray: add it again")
        return sent

    def picture(self, key: str) -> Picture:
        """Its pixels with all that belongs to them, as the command line reads them.

        Raises:
            NotThereError: no such picture.
        """
        sent = self.get(key)
        with self._lock:
            if key in self._decoded:
                self._decoded.move_to_end(key)
                return self._decoded[key]
        picture = self._read(self._folder / key, sent.name)
        self._keep(key, picture)
        return picture

    def opaque(self, key: str) -> Picture:
        """Its pixels as they are shown and compared: transparent ones over white, without metadata.

        Raises:
            NotThereError: no such picture.
        """
        picture = self.picture(key)
        spec = PictureSpec(picture.channels, None, None)
        return Picture(fit(picture, spec).pixels, icc=picture.icc)

    def thumbnail(self, key: str) -> bytes:
        """A small PNG.

        Raises:
            NotThereError: no such picture.
        """
        self.get(key)
        with self._lock:
            return self._thumbnails[key]

    def remove(self, key: str) -> None:
        """Forget a picture and its file.

        Raises:
            NotThereError: no such picture.
        """
        self.get(key)
        with self._lock:
            self._sent.pop(key, None)
            self._thumbnails.pop(key, None)
            self._decoded.pop(key, None)
        (self._folder / key).unlink(missing_ok=True)

    def _read(self, path: Path, name: str) -> Picture:
        return read_picture(Path(name), depth=8, frame=0, data=path.read_bytes())

    def _keep(self, key: str, picture: Picture) -> None:
        with self._lock:
            self._decoded[key] = picture
            while len(self._decoded) > 1 and sum(one.pixels.nbytes for one in self._decoded.values()) > DECODED_BYTES:
                self._decoded.popitem(last=False)

    @staticmethod
    def _shown(picture: Picture) -> bytes:
        step = max(1, max(picture.pixels.shape[:2]) // (4 * THUMBNAIL))  # a quick first reduction of large ones
        return as_bitmap(picture.pixels[::step, ::step])


def as_bitmap(pixels: NDArray[np.uint8], icc: bytes | None = None) -> bytes:
    """Pixels (rows, columns, 1 or 3) as a file that browsers open: BMP, which is but a copy, or PNG for a profile."""
    plain = np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    out = io.BytesIO()
    if icc is None:
        Image.fromarray(plain).save(out, "BMP")
    else:
        Image.fromarray(plain).save(out, "PNG", compress_level=1, icc_profile=icc)
    return out.getvalue()


def media_type(data: bytes) -> str:
    """Of what `as_bitmap` made."""
    return "image/bmp" if data[:2] == b"BM" else "image/png"


def as_facts(sent: Sent) -> dict[str, Any]:
    """For JSON."""
    return dict(vars(sent))
