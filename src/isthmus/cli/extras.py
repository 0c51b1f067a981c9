"""Commands whose packages are an extra say how to install it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from isthmus.errors import IsthmusError, MissingExtraError


@contextmanager
def needs_extra(extra: str, purpose: str) -> Iterator[None]:
    """Turn a missing package into the command that installs it.

    Raises:
        MissingExtraError: an import within failed.
    """
    try:
        yield
    except IsthmusError:
        raise
    except ImportError as error:
        raise MissingExtraError(extra=extra, purpose=f"{purpose} ({error.name or error})") from error
