"""The versions that a report of a fault needs, without loading what they are of."""

from __future__ import annotations

import platform
from importlib import metadata

_PACKAGES = (
    "numpy", "pillow", "onnxruntime", "openvino", "constriction", "torch", "lightning-fabric", "imagecodecs",
    "scikit-learn", "ray",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Python, the engines and the libraries by name; "not installed" where an extra is missing."""
    found = {"python": f"{platform.python_version()} ({platform.system()} {platform.machine()})"}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
