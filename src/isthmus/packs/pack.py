"""`isthmus.Pack`: a pack's pictures by position or name, in any order, in any process."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from isthmus.codec import pipeline
from isthmus.codec.coder import BatchCoder, Coder
from isthmus.codec.model import Model, load_model, plain_pixels
from isthmus.codec.targets import LEARNED
from isthmus.container import pack_file
from isthmus.container.image_file import ImageFile
from isthmus.container.pack_file import PackLayout
from isthmus.container.pack_names import Names
from isthmus.errors import InputError, ModelMismatchError, UsageError
from isthmus.packs.opening import load_pack_model, open_ranges
from isthmus.packs.stored_pictures import coding_of, picture_size, stored_image
from isthmus.transforms.engine import Engine
from isthmus.values import Picture

Many = list[Any] | tuple[Any, ...] | range | NDArray[Any]
"""Positions and names, or a mask."""
BLOCKS_KEPT = 256
"""Checked blocks that stay in memory: neighbours are often asked for together."""
KEPT_BLOCK_BYTES = 1 << 18
"""Larger blocks, of large pictures, are read again."""
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
        pixel_limit: the most pixels of a picture; None for as many as the pack, and the picture's payload, can hold.

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
        pixel_limit: int | None = None,
    ) -> None:
        self.path = str(path)
        self._model_name = model.file if isinstance(model, Model) else model
        self._engine = Engine(engine, threads)
        self._model: Model | None = None
        self._pixel_limit = pixel_limit
        self._open()
        self.layout: PackLayout = pack_file.read_layout(self._read, self._size, pixel_limit=pixel_limit)

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
        """1 to 100, of all pictures that the model has coded."""
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

    @property
    def needs_model(self) -> bool:
        """Whether the model has coded any picture."""
        forms = self.layout.table.forms
        return forms is None or any(coding_of(form) == LEARNED for form in np.unique(forms).tolist())

    def size(self, index: int) -> tuple[int, int]:
        """Width and height of a picture."""
        return picture_size(self.layout.header, self.layout.table, index)

    def payloads(self, indices: Sequence[int]) -> list[bytes]:
        """The coded bytes of pictures by position; their blocks' checksums are checked.

        Raises:
            IndexError: no such position.
            FormatError: a block is damaged.
        """
        self._here()
        places = self._places(indices)
        numbers = self.layout.block_of(places)
        within = places - self.layout.firsts[numbers]
        found: list[bytes] = []
        block, payloads, ends = -1, b"", [0]
        for number, place in zip(numbers.tolist(), within.tolist(), strict=True):
            if number != block:
                is_kept = (
                    int(self.layout.block_offsets[number + 1] - self.layout.block_offsets[number]) <= KEPT_BLOCK_BYTES
                )
                block, (payloads, ends) = number, (self._block if is_kept else self._read_block)(number)
            found.append(payloads[ends[place] : ends[place + 1]])
        return found

    @overload
    def __getitem__(self, key: int | str) -> NDArray[np.uint8]: ...

    @overload
    def __getitem__(self, key: slice | Many) -> list[NDArray[np.uint8]]: ...

    def __getitem__(self, key: int | str | slice | Many) -> NDArray[np.uint8] | list[NDArray[np.uint8]]:
        """A picture by position or name, (rows, columns) uint8 for grey, (rows, columns, 3) for RGB.

        Of a picture with alpha, that is a further channel: (rows, columns, 2) or (rows, columns, 4).

        Args:
            key: a position or name; or, for a list of pictures, a slice, positions and names, or a mask of booleans as
                long as the pack, such as `pack.labels == 3`.

        Raises:
            IndexError: no such position, or a mask of another length.
            KeyError: no such name.
            FormatError: the picture's block is damaged.
        """
        if isinstance(key, slice):
            return self.read_batch(range(*key.indices(len(self))))
        if isinstance(key, str | int) or np.ndim(key) == 0:
            return self.read_batch([self._position(key)])[0]
        if np.ndim(key) != 1:
            raise IndexError(f"pictures are asked for by a list of positions, not by an array of shape {np.shape(key)}")
        if isinstance(key, np.ndarray) and key.dtype == bool:
            if len(key) != len(self):
                raise IndexError(f"the mask has {len(key)} values for {len(self)} pictures")
            key = np.flatnonzero(key)
        return self.read_batch([self._position(one) for one in key])

    def _position(self, key: Any) -> int:
        if not isinstance(key, str):
            return operator.index(key)
        index = self.names.find(key)
        if index < 0:
            raise KeyError(key)
        return index

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
        header = self.layout.header
        coder = self._batch_coder()
        if header.size is None or coder is None:
            return [plain_pixels(picture) for picture in self.read_pictures(indices)]
        width, height = header.size
        parts = (indices[start : start + BATCH] for start in range(0, len(indices), BATCH))
        batches = (coder.decode_batch(self.payloads(part), (height, width), header.quality) for part in parts)
        pixels = (one.copy() for batch in batches for one in batch)  # a part would keep its batch alive
        return [one[:, :, 0] if one.shape[2] == 1 else one for one in pixels]

    def read_pictures(self, indices: Sequence[int]) -> Iterator[Picture]:
        """Pictures by position, with their alpha apart.

        Raises:
            IndexError: no such position.
            FormatError: a damaged block.
        """
        images = self.images(indices)
        needs_model = any(image.format is None for image in images)
        return pipeline.pictures_of(images, self.model.coder if needs_model else None)

    def _batch_coder(self) -> BatchCoder | None:
        """The coder that decodes all pictures alike; None where each is for itself."""
        header, table = self.layout.header, self.layout.table
        if header.size is None or table.forms is not None or table.qualities is not None:
            return None
        coder: Coder = self.model.coder
        fits = coder.file.picture.size == header.size[::-1]
        return coder if fits and isinstance(coder, BatchCoder) else None

    def read_codes(self, indices: Sequence[int]) -> NDArray[np.float32]:
        """(count, channels, rows, columns) dequantised latents by position; of a hyperprior model see `Model.latents`.

        Raises:
            IndexError: no such position.
            FormatError: a damaged block.
            UsageError: a picture that the model has not coded, or codes of several shapes or qualities.
        """
        coder = self.model.coder
        sizes = {self.size(place) for place in self._places(indices).tolist()}
        if len(sizes) > 1:
            raise UsageError(f"pictures of several sizes have codes of several shapes: {sorted(sizes)[:3]} and so on")
        width, height = sizes.pop() if sizes else (1, 1)
        table = self.layout.table
        if table.forms is None and table.qualities is None:
            return coder.codes_of(self.payloads(indices), (height, width), self.quality)
        images = self.images(indices)
        if any(image.format for image in images):
            raise UsageError(f"a picture of {self.path} is not coded by the model, so it has no code")
        qualities = {image.quality for image in images} or {self.quality}
        if len(qualities) > 1:
            raise UsageError(f"pictures of several qualities have codes of several kinds: {sorted(qualities)}")
        return coder.codes_of([image.tiles[0] for image in images], (height, width), qualities.pop())

    def images(self, indices: Sequence[int]) -> list[ImageFile]:
        """Pictures as the pipeline takes them, not decoded.

        Raises:
            IndexError: no such position.
            FormatError: a damaged block.
        """
        header, table = self.layout.header, self.layout.table
        places = self._places(indices).tolist()
        return [
            stored_image(header, table, place, payload, lambda: self.model.coder, pixel_limit=self._pixel_limit)
            for place, payload in zip(places, self.payloads(indices), strict=True)
        ]

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

    def _read_block(self, number: int) -> tuple[bytes, list[int]]:
        """A block's payloads, and where each one ends in them, from 0 on."""
        block = pack_file.read_block_of(self._read, self.layout, number)
        return block.payloads, [0, *np.cumsum(block.table.lengths, dtype=np.int64).tolist()]

    def _load_model(self) -> Model:
        wanted = self.layout.header.model_id
        if self._model_name is None:
            return load_pack_model(self._read, self.layout.header, self.layout.start, self.path, self._engine)
        if isinstance(self._model_name, str | Path):
            model = load_model(self._model_name, threads=self._engine.threads, engine=self._engine.name)
        else:
            model = Model(self._model_name, self._engine)
        if not model.decodes(wanted):
            raise ModelMismatchError(
                f"the pack needs the model with the id {wanted.hex()}, {model.name} has {model.id.hex()}"
            )
        return model


def _closed(offset: int, length: int) -> bytes:
    raise InputError("the pack is closed")
