"""Data sets in memory: folders, IDX files, arrays, MNIST, glyphs, windows of photographs; and packs, on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus.learn.data.packs import PackDataset

__all__ = ["PackDataset"]


def __getattr__(name: str) -> Any:
    """Load PyTorch's data sets when one is asked for."""
    if name == "PackDataset":
        from isthmus.learn.data.packs import PackDataset

        return PackDataset
    raise AttributeError(f"module 'isthmus.learn.data' has no attribute {name!r}")
