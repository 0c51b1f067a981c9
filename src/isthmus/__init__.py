"""Isthmus trains image autoencoders and turns them into a codec that people can rely on.

data = isthmus.encode(picture, quality=60)
picture = isthmus.decode(data)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isthmus.errors import (
    ChecksumError,
    FormatError,
    InputError,
    IsthmusError,
    LimitError,
    MissingExtraError,
    ModelMismatchError,
    ModelNotFoundError,
    OutputError,
    TrainingError,
    TruncatedError,
    UnsupportedVersionError,
    UsageError,
)

if TYPE_CHECKING:
    from isthmus.codec.api import decode, encode
    from isthmus.codec.model import Model, load_model
    from isthmus.codec.pillow_plugin import register_pillow
    from isthmus.learn.estimator import Autoencoder
    from isthmus.packs.pack import Pack

__version__ = "0.1.0"

__all__ = [
    "Autoencoder", "ChecksumError", "FormatError", "InputError", "IsthmusError", "LimitError", "MissingExtraError",
    "Model", "ModelMismatchError", "ModelNotFoundError", "OutputError", "Pack", "TrainingError", "TruncatedError",
    "UnsupportedVersionError", "UsageError", "__version__", "decode", "encode", "load_model",
    "register_pillow",
]  # fmt: skip

_HOMES = {
    "Autoencoder": "isthmus.learn.estimator",
    "Model": "isthmus.codec.model",
    "Pack": "isthmus.packs.pack",
    "decode": "isthmus.codec.api",
    "encode": "isthmus.codec.api",
    "load_model": "isthmus.codec.model",
    "register_pillow": "isthmus.codec.pillow_plugin",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is asked for, so that `import isthmus` stays light."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'isthmus' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, before they are loaded too."""
    return sorted(__all__)
