"""A pack as a PyTorch data set: pictures, or their codes, decoded by the workers as they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from isthmus.errors import UsageError
from isthmus.imaging.fitting import without_alpha
from isthmus.packs.pack import Pack

Item = Tensor | tuple[Tensor, int]


class PackDataset(Dataset[Item]):
    """Map-style; works in forked and spawned workers.

    Args:
        path: a .isthpack, or an fsspec URL of one.
        codes: latents, dequantised, in place of pictures, of one size; see `Model.latents` for their shape.
        model: None finds the pack's.

    Items are float32 tensors, pictures (channels, rows, columns) in 0..1, alpha laid over white, or codes (channels,
    rows, columns); where the pack has labels, (tensor, label).

    Raises:
        UsageError: codes of pictures of several sizes.
        IsthmusError: as `Pack` does.
    """

    def __init__(self, path: str | Path, *, codes: bool = False, model: str | Path | None = None) -> None:
        self.pack = Pack(path, model=model, threads=1)
        self.codes = codes
        sizes = self.pack.layout.table.sizes
        if codes and sizes is not None and np.any(sizes != sizes[:1]):
            raise UsageError(f"{path} has pictures of several sizes: codes=True is for those of one size")

    def __repr__(self) -> str:
        """What it gives, and of which pack."""
        return f"<PackDataset of {'codes' if self.codes else 'pictures'} of {self.pack!r}>"

    def __len__(self) -> int:
        """Pictures."""
        return len(self.pack)

    def __getitem__(self, index: int) -> Item:
        """One item."""
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Item]:
        """Many at once, through the engine together: what a `DataLoader` calls for a batch."""
        if self.codes:
            arrays: list[NDArray[np.float32]] = list(self.pack.read_codes(indices))
        else:
            arrays = [_planes(without_alpha(picture)) for picture in self.pack.read_batch(indices)]
        tensors = [torch.from_numpy(array) for array in arrays]
        labels = self.pack.labels
        if labels is None:
            return list(tensors)
        return [(tensor, int(labels[index])) for tensor, index in zip(tensors, indices, strict=True)]


def _planes(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(rows, columns[, 3]) uint8 -> (channels, rows, columns) float32 in 0..1."""
    values = picture.astype(np.float32) / np.float32(255)
    return values[None] if values.ndim == 2 else np.ascontiguousarray(values.transpose(2, 0, 1))
