"""Parts of a file behind an http or https address, by range requests of the standard library: nothing to install."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from http.client import HTTPException

from isthmus.container.pack_file import ReadRange
from isthmus.errors import InputError

SCHEMES = ("http://", "https://")
_TIMEOUT_SECONDS = 60.0
_PARTIAL = 206
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


def open_http(url: str) -> tuple[ReadRange, int]:
    """(offset, length) -> bytes of the file, and its size.

    Raises:
        InputError: no such file, or a server that gives no ranges.
    """
    _, size = _request(url, 0, 1)

    def read(offset: int, length: int) -> bytes:
        wanted = min(length, size - offset)
        if wanted <= 0:
            return b""
        data, now = _request(url, offset, wanted)
        if now != size:
            raise InputError(f"{url} has changed while it was read: {size} bytes before, {now} now")
        return data

    return read, size


def _request(url: str, offset: int, length: int) -> tuple[bytes, int]:
    """Bytes of the file, and its size."""
    asked = urllib.request.Request(url, headers={"Range": f"bytes={offset}-{offset + length - 1}"})  # noqa: S310 - SCHEMES
    try:
        with urllib.request.urlopen(asked, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
            found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            if answer.status != _PARTIAL or found is None or int(found[1]) != offset:
                raise InputError(f"{url}: the server gives no ranges of bytes: fetch the whole file")
            data: bytes = answer.read(length)
    except urllib.error.HTTPError as error:
        raise InputError(f"{url} cannot be read: the server says {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise InputError(f"{url} cannot be read: {getattr(error, 'reason', None) or error}") from error
    if len(data) != int(found[2]) - offset + 1:
        raise InputError(f"{url}: {len(data)} bytes came where {length} were asked for")
    return data, int(found[3])
