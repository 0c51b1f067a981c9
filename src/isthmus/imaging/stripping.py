"""Metadata taken out of a picture on request: where it was taken, or all that is said of it."""

from __future__ import annotations

import re
from dataclasses import replace

from isthmus.errors import UsageError
from isthmus.imaging.exif import is_whole
from isthmus.imaging.exif_directories import GPS, without_tag
from isthmus.values import Picture

ALL, PLACE = "all", "gps"
WHAT = (ALL, PLACE)
_XMP_ATTRIBUTE = re.compile(rb"""\s[\w.-]+:GPS\w*\s*=\s*("[^"]*"|'[^']*')""")
_XMP_ELEMENT = re.compile(rb"<([\w.-]+:GPS\w*)(?:\s[^<>]*)?(?:/>|>.*?</\1\s*>)", re.DOTALL)
_NAMES = tuple("GPS".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))


def check_strip(what: str | None) -> None:
    """Refuse what cannot be taken out.

    Raises:
        UsageError: neither None nor one of `WHAT`.
    """
    if what not in (None, *WHAT):
        raise UsageError(f"--strip takes {' or '.join(WHAT)}, not {what!r}")


def stripped(picture: Picture, what: str | None) -> Picture:
    """The picture without some of its metadata.

    Args:
        picture: any.
        what: "all" takes EXIF, XMP and the resolution, not the colour profile, which colours need; "gps" takes
            the place out of EXIF and XMP; None nothing. Blocks that it cannot be taken out of go as a whole.

    Raises:
        UsageError: another word.
    """
    check_strip(what)
    if what == ALL:
        return replace(picture, exif=None, xmp=None, resolution=None)
    if what != PLACE:
        return picture
    notes = list(picture.conversions)
    exif = None if picture.exif is None else _exif_without_place(picture.exif)
    xmp = None if picture.xmp is None else _xmp_without_place(picture.xmp)
    for name, before, after in (("EXIF", picture.exif, exif), ("XMP", picture.xmp, xmp)):
        if before is not None and after is None:
            notes.append(f"its {name} is left out: the place cannot be taken out of it")
    return replace(picture, exif=exif, xmp=xmp, conversions=tuple(notes))


def _exif_without_place(block: bytes) -> bytes | None:
    try:
        changed = without_tag(block, GPS)
    except ValueError:
        return None
    return changed if changed == block or is_whole(changed) else None


def _xmp_without_place(packet: bytes) -> bytes | None:
    changed = re.sub(_XMP_ELEMENT, b"", re.sub(_XMP_ATTRIBUTE, b"", packet))
    return None if any(name in changed for name in _NAMES) else changed
