"""What the compress page keeps between two questions: analysed pictures, files with their pixels, finished zips."""

from __future__ import annotations

import secrets
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from isthmus.codec.model import Model
from isthmus.codec.pipeline import decode
from isthmus.errors import IsthmusError, MissingExtraError
from isthmus.evaluate.classic_codecs import BUILDERS
from isthmus.imaging.windows import Window
from isthmus.imaging.writing import to_file_bytes
from isthmus.studio.answers import Check, NotThereError
from isthmus.studio.compress.contenders import ClassicContender, Contender, IsthmusContender, Made
from isthmus.studio.compress.judging import Judged, decode_all, show_preview, total_memory
from isthmus.studio.compress.wishes import QUALITY, Wish
from isthmus.studio.events import Report
from isthmus.studio.settings import MIB
from isthmus.studio.tray import Tray
from isthmus.values import Picture

KEPT_BYTES = 512 * MIB
"""Of decoded files, and of analyses; the last one stays whatever its size."""
LARGE = 2_000_000
"""Pixels from which a part is shown before the whole is coded."""
RIVALS = ("avif-444", "jxl", "webp", "jpeg-420")
"""What Isthmus is compared with, in the order of the menu."""
CODED_AS = {"webp": "Isthmus, as lossless WebP", "avif": "Isthmus, as AVIF"}
"""What a file of Isthmus is called that needs no model."""
THREADS = 2


class Comparisons:
    """Answers the compress page.

    Args:
        tray: where the pictures are.
        load_model: a model of a page's key.
        folder: of the studio alone, for zips.
    """

    def __init__(self, tray: Tray, load_model: Callable[[str], Model], folder: Path) -> None:
        self._tray, self._load, self._folder, self._lock = tray, load_model, folder, threading.Lock()
        self._analysed: OrderedDict[tuple[str, str], IsthmusContender] = OrderedDict()
        self._judged: OrderedDict[str, Judged] = OrderedDict()
        self._zips: set[str] = set()

    def run(
        self, picture_id: str, codec: str, wish: Wish, focus: tuple[int, int], report: Report, check: Check
    ) -> None:
        """Code and decode a picture: events "progress", "piece" (a preview first, of large ones), "coded", "decoded".

        Args:
            picture_id: of the tray.
            codec: "isthmus:KEY" of a model, or one of `RIVALS`.
            wish: what is asked.
            focus: (row, column) that the person looks at.
            report: sends an event.
            check: raises where nobody waits any more.

        Raises:
            NotThereError: no such picture or codec.
            UsageError: out of the codec's reach.
        """
        sent = self._tray.get(picture_id)
        contender, label = self._contender(picture_id, codec)
        check()
        if wish.kind == QUALITY and contender.picture.height * contender.picture.width > LARGE:
            self._report_preview(Judged(picture_id, label, contender, None), wish, focus, report)
        made = contender.file_for(wish, check, lambda share: report("progress", {"share": share}))
        judged = Judged(picture_id, CODED_AS.get(made.coding, label), contender, made)
        key = self._keep(judged)
        report("coded", {"result": key, **facts(judged, made, sent.bytes)})
        decode_all(judged, focus, check, lambda window: report("piece", {"result": key, **as_place(window)}))
        report("decoded", {"result": key, "decode_seconds": judged.decode_seconds})

    def get(self, key: str) -> Judged:
        """A file that was made before.

        Raises:
            NotThereError: it was forgotten.
        """
        with self._lock:
            if key in self._judged:
                self._judged.move_to_end(key)
                return self._judged[key]
        raise NotThereError("this result is no longer kept: move the slider to make it again")

    def _finished(self, key: str) -> Judged:
        judged = self.get(key)
        if judged.made is None:
            raise NotThereError("this picture is still being coded: wait for its file")
        return judged

    def full_file(self, key: str) -> tuple[str, bytes]:
        """A name for the download, and the file: of Isthmus as the command line writes it, of others as compared.

        Raises:
            NotThereError: it was forgotten.
        """
        judged = self._finished(key)
        stem = stem_of(self._tray.get(judged.picture_id).name)
        if isinstance(judged.contender, IsthmusContender):
            return f"{stem}.isth", judged.data
        suffix = judged.label.split()[0].lower().replace("jpeg", "jpg")
        return f"{stem}.{'jxl' if 'XL' in judged.label else suffix}", judged.data

    def png(self, key: str) -> tuple[str, bytes]:
        """A name for the download, and the decoded picture as a PNG; transparency and metadata as the file has them."""
        judged = self._finished(key)
        if isinstance(judged.contender, IsthmusContender):
            picture = decode([judged.data], judged.contender.model.coder)[0]
        else:
            picture = Picture(judged.pixels, icc=self._tray.picture(judged.picture_id).icc)
        return f"{stem_of(self._tray.get(judged.picture_id).name)}.png", to_file_bytes(picture, ".png")

    def zip_all(self, model_key: str, wish: Wish, report: Report, check: Check) -> None:
        """Every picture of the tray to a file, all in one zip: events "picture" for each and "ready" at the end.

        Raises:
            NotThereError: no such model.
        """
        model, pictures = self._load(model_key), self._tray.all()
        key = secrets.token_hex(16)
        taken: set[str] = set()
        path = self._folder / f"{key}.zip"
        try:
            with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
                for done, sent in enumerate(pictures, start=1):
                    check()
                    outcome: dict[str, Any] = {"picture": sent.id, "done": done, "of": len(pictures)}
                    try:
                        contender = IsthmusContender(self._tray.picture(sent.id), model)
                        data = contender.file_for(wish, check, lambda share: None).data
                        archive.writestr(free_name(stem_of(sent.name), ".isth", taken), data)
                        outcome["bytes"] = len(data)
                    except IsthmusError as error:
                        outcome["error"] = str(error)
                    report("picture", outcome)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self._zips.add(key)
        report("ready", {"zip": key, "bytes": path.stat().st_size})

    def zip_path(self, key: str) -> Path:
        """A finished zip.

        Raises:
            NotThereError: no such zip.
        """
        if key not in self._zips:
            raise NotThereError("this zip is no longer there: make it again")
        return self._folder / f"{key}.zip"

    def _report_preview(self, first: Judged, wish: Wish, focus: tuple[int, int], report: Report) -> None:
        window = show_preview(first, wish, focus)
        if window is not None:
            report("piece", {"result": self._keep(first), **as_place(window)})

    def _contender(self, picture_id: str, codec: str) -> tuple[Contender, str]:
        kind, _, name = codec.partition(":")
        if kind != "isthmus":
            if codec not in RIVALS:
                raise NotThereError(f"there is no codec {codec[:40]!r}")
            built = BUILDERS[codec](THREADS)
            opaque = Picture(self._tray.opaque(picture_id).pixels)
            return ClassicContender(opaque, built), built.info.label
        key = (picture_id, name)
        with self._lock:
            found = self._analysed.get(key)
        if found is None:
            found = IsthmusContender(self._tray.picture(picture_id), self._load(name))
        with self._lock:
            self._analysed[key] = found
            self._analysed.move_to_end(key)
            while len(self._analysed) > 1 and sum(one.memory for one in self._analysed.values()) > KEPT_BYTES:
                self._analysed.popitem(last=False)
        return found, f"Isthmus {found.model.name}"

    def _keep(self, judged: Judged) -> str:
        key = secrets.token_hex(16)
        with self._lock:
            self._judged[key] = judged
            while len(self._judged) > 1 and total_memory(list(self._judged.values())) > KEPT_BYTES:
                self._judged.popitem(last=False)
        return key


def rivals() -> list[tuple[str, str]]:
    """The codecs that can be compared with, each name and label; those whose package is missing are left out."""
    found = []
    for name in RIVALS:
        try:
            found.append((name, BUILDERS[name](1).info.label))
        except MissingExtraError:
            continue
    return found


def facts(judged: Judged, made: Made, source_bytes: int) -> dict[str, Any]:
    """The numbers under a picture; bytes are those that other codecs are compared with, without metadata."""
    size, pixels = len(made.data) - made.extra, judged.picture.height * judged.picture.width
    return {
        "label": judged.label,
        "coding": made.coding,
        "quality": round(made.quality, 2),
        "bytes": size,
        "extra_bytes": made.extra,
        "share": size / max(1, source_bytes),
        "bits_per_pixel": 8 * size / pixels,
        "encode_seconds": made.seconds,
        "width": judged.picture.width,
        "height": judged.picture.height,
    }


def as_place(window: Window) -> dict[str, int]:
    """Where a part lies, for JSON."""
    return {"x": window.left, "y": window.top, "width": window.width, "height": window.height}


def stem_of(name: str) -> str:
    """A file's name without folders and suffix, harmless wherever it is unpacked."""
    stem = PurePosixPath(name.replace("\\", "/")).stem
    kept = "".join(letter if letter.isalnum() or letter in " ._-()" else "_" for letter in stem)
    return kept.strip(" .")[:100] or "picture"


def free_name(stem: str, suffix: str, taken: set[str]) -> str:
    """A name that no file before has, whatever the case of its letters."""
    name, number = f"{stem}{suffix}", 2
    while name.lower() in taken:
        name, number = f"{stem}-{number}{suffix}", number + 1
    taken.add(name.lower())
    return name
