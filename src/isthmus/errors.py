"""Every error that a user can meet: one hierarchy, whose messages say what was found, what was expected, what to do."""

from __future__ import annotations

from typing import Any


class IsthmusError(Exception):
    """The base of all of Isthmus' errors: `except isthmus.IsthmusError` catches everything that bad input can cause.

    They cross a process border with all their facts: a pool of workers that met one tells it. Each can also be made of
    its message alone, as PyTorch's loader makes those of its workers.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """What pickle and copy make it of: without the arguments that a class of its own insists on."""
        return _again, (type(self), super().__reduce__()[1], self.__dict__)


def _again(kind: type[IsthmusError], arguments: tuple[Any, ...], facts: dict[str, Any]) -> IsthmusError:
    error = OSError.__new__(kind, *arguments) if issubclass(kind, OSError) else Exception.__new__(kind, *arguments)
    error.args = error.args or arguments
    error.__dict__.update(facts)
    return error


class UsageError(IsthmusError, ValueError):
    """An argument, an option or a recipe setting that cannot work."""


class InputError(IsthmusError, ValueError):
    """A picture or data set that cannot be read, or that a model does not take."""


class OutputError(IsthmusError, OSError):
    """A place that cannot be written, or a file that exists already."""


class FormatError(IsthmusError, ValueError):
    """Bytes that are not what the format says.

    Attributes:
        offset: position of the first byte that does not fit, where it is known.
    """

    def __init__(self, message: str, *, offset: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset


class TruncatedError(FormatError):
    """A file that ends before it should."""


class ChecksumError(FormatError):
    """Bytes that do not match their checksum."""


class UnsupportedVersionError(FormatError):
    """A file of a format version that this release does not know."""


class LimitError(FormatError):
    """A size above the limit that protects memory."""


class ModelNotFoundError(IsthmusError, LookupError):
    """No model of that name, path or id.

    Attributes:
        wanted: the name, path or hexadecimal id that was asked for; "" where only the message is known.
    """

    def __init__(self, message: str, *, wanted: str = "") -> None:
        super().__init__(message)
        self.wanted = wanted


class ModelMismatchError(IsthmusError, ValueError):
    """A model that does not fit the picture, the file or the data."""


class TrainingError(IsthmusError, RuntimeError):
    """A training run that cannot go on; the last good checkpoint is kept."""


class MissingExtraError(IsthmusError, ImportError):
    """A package that a command needs is not installed; the message is the command that installs it.

    Attributes:
        extra: what to install; "" where only the message is known.
    """

    def __init__(self, message: str = "", *, extra: str = "", purpose: str = "") -> None:
        super().__init__(message or f"{purpose} needs more packages: {install_command(extra)}")
        self.extra = extra


def install_command(extra: str) -> str:
    """The command that installs an extra for this Isthmus, where it came from: a clone, a wheel, or an index.

    Where that place is gone, the packages themselves are named.
    """
    import json
    import shlex
    from importlib import metadata
    from pathlib import Path
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    clone = Path(__file__).resolve().parents[2]
    if (clone / "pyproject.toml").is_file() and (clone / "src" / "isthmus").is_dir():
        return f"pip install -e {shlex.quote(f'{clone}[{extra}]')}"
    try:
        found = metadata.distribution("isthmus")
    except metadata.PackageNotFoundError:
        return f"pip install 'isthmus[{extra}]'"
    place = json.loads(found.read_text("direct_url.json") or "{}").get("url", "")
    if not place:
        return f"pip install 'isthmus[{extra}]'"
    path = Path(url2pathname(urlsplit(place).path))
    if path.exists():
        return f"pip install {shlex.quote(f'{path}[{extra}]')}"
    wanted = (needed.partition(";") for needed in found.requires or ())
    names = [name.strip() for name, _, when in wanted if f"'{extra}'" in when.replace('"', "'")]
    return f"pip install {shlex.join(names)}"
