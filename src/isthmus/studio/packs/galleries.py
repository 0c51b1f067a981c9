"""Packs that are open: sheets of thumbnails, names, single pictures with their bytes, selections."""

from __future__ import annotations

import io
import secrets
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isthmus.container.image_file import write_image
from isthmus.errors import InputError, LimitError, UsageError
from isthmus.imaging.fitting import without_alpha
from isthmus.imaging.writing import to_file_bytes
from isthmus.packs.pack import Pack
from isthmus.studio.answers import Check, NotThereError
from isthmus.studio.compress.comparisons import free_name, stem_of
from isthmus.studio.folders import inside
from isthmus.studio.settings import StudioSettings

DECODED_AT_ONCE = 64
"""Between two looks at whether anyone still waits."""
SHEET_COLUMNS = 16
MOST_OF_SHEET = 512
MOST_FOUND = 200
LARGEST_CELL = 256


class Galleries:
    """The packs that pages have opened; safe in threads.

    Args:
        folder: of the studio alone, for packs that were sent.
        settings: the data folder, and the limits.
    """

    def __init__(self, folder: Path, settings: StudioSettings) -> None:
        self._folder, self._settings, self._lock = folder, settings, threading.Lock()
        self._open: OrderedDict[str, Pack] = OrderedDict()

    def new_path(self) -> Path:
        """Where a pack that is sent may be written."""
        return self._folder / f"{secrets.token_hex(16)}.isthpack"

    def open_sent(self, path: Path) -> str:
        """A pack that was sent, by its key; it is removed again where it is none.

        Raises:
            FormatError: it is none.
        """
        try:
            return self._keep(Pack(path))
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def open_below_data(self, name: str) -> str:
        """A pack below the data folder, by its key.

        Raises:
            IsthmusError: there is none of that name.
        """
        path = inside(self._settings.data, name)
        if not path.is_file():
            raise InputError(f"{name} is no file")
        return self._keep(Pack(path))

    def get(self, key: str) -> Pack:
        """An open pack.

        Raises:
            NotThereError: it was closed.
        """
        with self._lock:
            if key not in self._open:
                raise NotThereError("this pack is no longer open: open it again")
            self._open.move_to_end(key)
            return self._open[key]

    def describe(self, key: str) -> dict[str, Any]:
        """What the page says of a pack."""
        pack = self.get(key)
        size = pack.layout.header.size
        return {
            "key": key,
            "pictures": len(pack),
            "quality": pack.quality,
            "size": None if size is None else list(size),
            "model": pack.model.name,
            "model_id": pack.layout.header.model_id.hex(),
            "columns": SHEET_COLUMNS,
        }

    def sheet(self, key: str, first: int, count: int, side: int, check: Check) -> tuple[bytes, int, int]:
        """A bitmap of pictures in a row of `SHEET_COLUMNS`, and the width and height of its cells.

        Args:
            key: of the pack.
            first: the first picture.
            count: how many.
            side: of the largest cell, in pixels.
            check: raises where nobody waits any more.

        Raises:
            NotThereError: the pack was closed.
            FormatError: a damaged block.
        """
        pack = self.get(key)
        last = min(first + min(count, MOST_OF_SHEET), len(pack))
        small: list[NDArray[np.uint8]] = []
        for start in range(first, last, DECODED_AT_ONCE):
            check()
            part = pack.read_batch(range(start, min(start + DECODED_AT_ONCE, last)))
            small += [reduced(without_alpha(one), side) for one in part]
        if not small:
            raise UsageError("the pack has no pictures there")
        return sheet_of(small)

    def facts(self, key: str, index: int) -> dict[str, Any]:
        """One picture's name, size, bytes and label.

        Raises:
            NotThereError: no such picture.
        """
        pack = self._with(key, index)
        width, height = pack.size(index)
        payload = len(pack.payloads([index])[0])
        label = None if pack.labels is None else int(pack.labels[index])
        return {
            "index": index,
            "name": pack.names[index],
            "width": width,
            "height": height,
            "bytes": payload,
            "bits_per_pixel": 8 * payload / (width * height),
            "label": label,
        }

    def png(self, key: str, index: int) -> bytes:
        """One picture."""
        pack = self._with(key, index)
        return _as_png(pack, index)

    def find(self, key: str, text: str, check: Check) -> list[dict[str, Any]]:
        """The first pictures whose name contains a text, an exact name before all others."""
        pack = self.get(key)
        wanted = text.lower()
        exact = pack.names.find(text)

        def matching() -> Iterator[dict[str, Any]]:
            for index in range(len(pack)):
                name = pack.names[index]
                if index % 4096 == 0:
                    check()
                if index != exact and wanted in name.lower():
                    yield {"index": index, "name": name}

        first = [] if exact < 0 else [{"index": exact, "name": text}]
        return [*first, *islice(matching(), MOST_FOUND)]

    def zip_of(self, key: str, indices: Sequence[int], form: str, check: Check) -> Path:
        """A zip of pictures as PNG, or as .isth files.

        Raises:
            LimitError: too many at once.
            NotThereError: no such picture.
        """
        pack = self.get(key)
        most = self._settings.limits.selection
        if len(indices) > most:
            raise LimitError(
                f"{len(indices):,} pictures are chosen, above the limit of {most:,}: isthmus unpack has none"
            )
        path, taken = self._folder / f"{secrets.token_hex(16)}.zip", set[str]()
        try:
            with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
                for index in indices:
                    check()
                    self._with(key, index)
                    name = stem_of(pack.names[index])
                    if form == "isth":
                        archive.writestr(free_name(name, ".isth", taken), write_image(pack.images([index])[0]))
                    else:
                        archive.writestr(free_name(name, ".png", taken), _as_png(pack, index))
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def _with(self, key: str, index: int) -> Pack:
        pack = self.get(key)
        if not 0 <= index < len(pack):
            raise NotThereError(f"the pack has {len(pack):,} pictures, none at {index:,}")
        return pack

    def _keep(self, pack: Pack) -> str:
        key = secrets.token_hex(16)
        with self._lock:
            self._open[key] = pack
            while len(self._open) > self._settings.limits.packs:
                _, old = self._open.popitem(last=False)
                old.close()
                if Path(old.path).parent == self._folder:
                    Path(old.path).unlink(missing_ok=True)
        return key


def reduced(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A picture no larger than a cell; smaller ones stay as they are."""
    if max(pixels.shape[:2]) <= side:
        return pixels
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.BOX)
    return np.asarray(image)


def sheet_of(pictures: Sequence[NDArray[np.uint8]]) -> tuple[bytes, int, int]:
    """A bitmap of pictures, each in the middle of its cell, and the cells' width and height."""
    height, width = (max(one.shape[axis] for one in pictures) for axis in (0, 1))
    is_grey = all(one.ndim == 2 for one in pictures)
    rows = -(-len(pictures) // SHEET_COLUMNS)
    shape = (rows * height, SHEET_COLUMNS * width)
    sheet = np.zeros(shape if is_grey else (*shape, 3), np.uint8)
    for index, one in enumerate(pictures):
        top = (index // SHEET_COLUMNS) * height + (height - one.shape[0]) // 2
        left = (index % SHEET_COLUMNS) * width + (width - one.shape[1]) // 2
        place = sheet[top : top + one.shape[0], left : left + one.shape[1]]
        place[...] = one if is_grey or one.ndim == 3 else one[:, :, None]
    out = io.BytesIO()
    Image.fromarray(sheet).save(out, "BMP")
    return out.getvalue(), width, height


def _as_png(pack: Pack, index: int) -> bytes:
    return to_file_bytes(next(pack.read_pictures([index])), ".png")
