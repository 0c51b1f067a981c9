"""`isthmus.Pack`: a pack's pictures by position or name, in any order, in any process."""

from __future__ import annotations

import mmap
import operator
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from isthmus.codec import pipeline
from isthmus.codec.coder import BatchCoder
from isthmus.codec.model import Model, load_model, load_model_by_id
from isthmus.container import pack_file
from isthmus.container.image_file import ImageFile, tile_count
from isthmus.container.pack_file import PackLayout, ReadRange
from isthmus.container.pack_table import Names
from isthmus.container.varint import read_varint
from isthmus.errors import FormatError, InputError, MissingExtraError, ModelMismatchError, UsageError
from isthmus.transforms.engine import Engine
from isthmus.values import Picture

BLOCKS_KEPT = 64
"""Checked blocks that stay in memory: neighbours are often asked for together."""
BATCH = 1024
"""Pictures that iteration decodes at once."""


class Pack:
    """The pictures of a .isthpack, decoded when they are asked for; a sequence, and a mapping by name.

    Safe in forked and spawned processes: each opens the file for itself when it first reads. The engine openvino works
    in spawned ones only.

    Args:
        path: a file, or an fsspec URL such as "s3://bucket/faces.isthpack", which is read by range.
        model: name, path, or a loaded model; None finds it by the id in the pack.
        threads: of the networks; 0 takes all cores.
        engine: that runs them.

    Raises:
        InputError: the file cannot be read.
        FormatError: or one of its subclasses: damaged, or not finished.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        model: str | Path | Model | None = None,
        threads: int = 0,
        engine: str = "onnxruntime",
    ) -> None:
        self.path = str(path)
        self._model_name = model.file if isinstance(model, Model) else model
        self._engine = Engine(engine, threads)
        self._model: Model | None = None
        self._open()
        self.layout: PackLayout = pack_file.read_layout(self._read, self._size)

    def _open(self) -> None:
        """What belongs to this process: the open file, the blocks that were checked."""
        self._process = os.getpid()
        self._read, self._size = open_ranges(self.path)
        self._block = lru_cache(maxsize=BLOCKS_KEPT)(self._read_block)

    def __getstate__(self) -> dict[str, Any]:
        """All but what belongs to this process, and the loaded model."""
        own = ("_process", "_read", "_size", "_block")
        return {key: value for key, value in self.__dict__.items() if key not in own} | {"_model": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open the file again."""
        self.__dict__.update(state)
        self._open()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forget the open file."""
        self.close()

    def close(self) -> None:
        """Forget the open file and the blocks; the next access opens it again."""
        self._process = -1
        self._block.cache_clear()
        self._read = _closed

    def __repr__(self) -> str:
        """Path, pictures, quality and the id of the model."""
        model = self.layout.header.model_id.hex()
        return f"<isthmus.Pack {self.path!r}, {len(self)} pictures, quality {self.quality}, model {model}>"

    def __len__(self) -> int:
        """Pictures."""
        return len(self.layout.table)

    @property
    def names(self) -> Names:
        """Names by position."""
        return self.layout.table.names

    @property
    def labels(self) -> NDArray[np.uint32] | None:
        """(count,) classes; None where the pack has none."""
        return self.layout.table.labels

    @property
    def quality(self) -> int:
        """1 to 100, of all pictures."""
        return self.layout.header.quality

    @property
    def model(self) -> Model:
        """The model that decodes, loaded when it is first needed.

        Raises:
            ModelNotFoundError: it is not there.
            ModelMismatchError: the given one is another.
        """
        if self._model is None:
            self._model = self._load_model()
        return self._model

    def size(self, index: int) -> tuple[int, int]:
        """Width and height of a picture."""
        if self.layout.header.size is not None:
            return self.layout.header.size
        assert self.layout.table.sizes is not None, "a pack has sizes in its header or its table"  # noqa: S101
        width, height = self.layout.table.sizes[index].tolist()
        return width, height

    def payloads(self, indices: Sequence[int]) -> list[bytes]:
        """The coded bytes of pictures by position; their blocks' checksums are checked.

        Raises:
            IndexError: no such position.
            FormatError: a block is damaged.
        """
        self._here()
        places = self._places(indices)
        starts, lengths = self.layout.offsets[places].tolist(), self.layout.table.lengths[places].tolist()
        found, block, payloads, first = [], -1, b"", 0
        for number, start, length in zip(self.layout.block_of[places].tolist(), starts, lengths, strict=True):
            if number != block:
                block = number
                payloads, first = self._block(number)
            found.append(payloads[start - first : start - first + length])
        return found

    @overload
    def __getitem__(self, key: int | str) -> NDArray[np.uint8]: ...

    @overload
    def __getitem__(self, key: slice) -> list[NDArray[np.uint8]]: ...

    def __getitem__(self, key: int | str | slice) -> NDArray[np.uint8] | list[NDArray[np.uint8]]:
        """A picture by position or name, (rows, columns) uint8 for grey, (rows, columns, 3) for RGB; a list of a slice.

        Raises:
            IndexError: no such position.
            KeyError: no such name.
            FormatError: the picture's block is damaged.
        """
        if isinstance(key, slice):
            return self.read_batch(range(*key.indices(len(self))))
        if isinstance(key, str):
            index = self.names.find(key)
            if index < 0:
                raise KeyError(key)
            return self.read_batch([index])[0]
        return self.read_batch([key])[0]

    def __contains__(self, name: object) -> bool:
        """Whether there is a picture of that name."""
        return isinstance(name, str) and self.names.find(name) >= 0

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """All pictures in order, decoded in batches."""
        for start in range(0, len(self), BATCH):
            yield from self.read_batch(range(start, min(start + BATCH, len(self))))

    def read_batch(self, indices: Sequence[int]) -> list[NDArray[np.uint8]]:
        """Pictures by position, through the engine together; see `__getitem__`.

        Raises:
            IndexError: no such position.
            FormatError: a damaged block.
        """
        header, coder = self.layout.header, self.model.coder
        if header.size is None or not isinstance(coder, BatchCoder):
            pixels = pipeline.pixels_of(self.images(indices), self.model.coder)
        else:
            width, height = header.size
            parts = (indices[start : start + BATCH] for start in range(0, len(indices), BATCH))
            batches = (coder.decode_batch(self.payloads(part), (height, width), header.quality) for part in parts)
            pixels = (one.copy() for batch in batches for one in batch)  # a part would keep its batch alive
        return [one[:, :, 0] if one.shape[2] == 1 else one for one in pixels]

    def read_codes(self, indices: Sequence[int]) -> NDArray[np.float32]:
        """(count, channels, rows, columns) dequantised latents by position, of a pack of a plain autoencoder.

        Raises:
            IndexError: no such position.
            FormatError: a damaged block.
            ModelMismatchError: another kind of model.
            UsageError: the pictures have codes of several shapes.
        """
        coder = self.model.factorised_coder
        sizes = {self.size(place) for place in self._places(indices).tolist()}
        if len(sizes) > 1:
            raise UsageError(f"pictures of several sizes have codes of several shapes: {sorted(sizes)[:3]} and so on")
        width, height = sizes.pop() if sizes else (1, 1)
        return coder.codes_of(self.payloads(indices), (height, width), self.quality)

    def images(self, indices: Sequence[int]) -> list[ImageFile]:
        """Pictures as the pipeline takes them, not decoded.

        Raises:
            IndexError: no such position.
            FormatError: a damaged block.
        """
        header = self.layout.header
        side_of = lru_cache(maxsize=None)(partial(tile_side, model=self.model))
        images = []
        for place, payload in zip(self._places(indices).tolist(), self.payloads(indices), strict=True):
            width, height = self.size(place)
            side = side_of(width, height)
            tiles = split_tiles(payload, tile_count(width, height, side))
            images.append(ImageFile(header.model_id, width, height, header.channels, header.quality, tiles, side))
        return images

    def _places(self, indices: Sequence[int]) -> NDArray[np.int64]:
        """Positions from the front, each one there."""
        places = np.array([operator.index(one) for one in indices], np.int64)
        outside = np.flatnonzero((places < -len(self)) | (places >= len(self)))
        if len(outside):
            raise IndexError(f"{self.path} has {len(self)} pictures, none at {places[outside[0]]}")
        return np.where(places < 0, places + len(self), places)

    def _here(self) -> None:
        """Open the file again in a process that was forked, or after `close`."""
        if self._process != os.getpid():
            self._open()

    def _read_block(self, number: int) -> tuple[bytes, int]:
        """A block's payloads, and where they start in the file."""
        start, end = self.layout.block_offsets[number : number + 2].tolist()
        whole = self._read(start, end - start)
        block = pack_file.read_block(lambda offset, length: whole[offset - start : offset - start + length], start)
        if block.length != end - start:
            raise FormatError("a block of the pack is not as long as the index says", offset=start)
        return block.payloads, end - len(block.payloads)

    def _load_model(self) -> Model:
        wanted = self.layout.header.model_id
        if self._model_name is None:
            beside = None if "://" in self.path else Path(self.path).resolve().parent
            return load_model_by_id(wanted, beside=beside, engine=self._engine)
        if isinstance(self._model_name, str | Path):
            model = load_model(self._model_name, threads=self._engine.threads, engine=self._engine.name)
        else:
            model = Model(self._model_name, self._engine)
        if not model.decodes(wanted):
            raise ModelMismatchError(
                f"the pack needs the model with the id {wanted.hex()}, {model.name} has {model.id.hex()}"
            )
        return model


def open_ranges(path: str) -> tuple[ReadRange, int]:
    """(offset, length) -> bytes of a file or an fsspec URL, and its size.

    Raises:
        InputError: it cannot be read.
        MissingExtraError: a URL, and fsspec or the store's package is not installed.
    """
    if "://" in path:
        return _open_url(path)
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            size = os.fstat(file.fileno()).st_size
            view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return (lambda offset, length: view[offset : offset + length]), size


def _open_url(url: str) -> tuple[ReadRange, int]:
    try:
        import fsspec
    except ImportError as error:
        raise MissingExtraError(extra="scale", purpose="reading from a URL") from error
    try:
        store, path = fsspec.core.url_to_fs(url)
        size = int(store.size(path))
    except ImportError as error:
        raise UsageError(f"{url}: {error}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{url} cannot be read: {error}") from error

    def read(offset: int, length: int) -> bytes:
        try:
            data: bytes = store.cat_file(path, start=offset, end=min(offset + length, size))
        except (OSError, ValueError) as error:
            raise InputError(f"{url} cannot be read: {error}") from error
        return data

    return read, size


def tile_side(width: int, height: int, model: Model) -> int:
    """Side of the tiles of a picture of that size, whose pixels nobody has yet; 0 for one tile."""
    blank = np.broadcast_to(np.uint8(0), (height, width, model.file.picture.channels))  # no memory, whatever its size
    return model.coder.tile_size(Picture(blank))


def split_tiles(payload: bytes, count: int) -> tuple[bytes, ...]:
    """`packing.join_tiles` backwards.

    Raises:
        FormatError: the lengths do not add up.
    """
    if count == 1:
        return (payload,)
    lengths, offset = [], 0
    for _ in range(count - 1):
        length, offset = read_varint(payload, offset)
        lengths.append(length)
    ends = np.cumsum([offset, *lengths]).tolist()
    if ends[-1] > len(payload):
        raise FormatError("a picture's tiles are longer than its payload")
    return tuple(payload[start:end] for start, end in zip(ends, [*ends[1:], len(payload)], strict=True))


def _closed(offset: int, length: int) -> bytes:
    raise InputError("the pack is closed")
