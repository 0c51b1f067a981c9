"""Tables and other arrays of a photo codec's model file, checked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.entropy.hyper_latents import AROUND, CONTEXTS, HYPER_GROUPS, HyperCoder
from isthmus.entropy.hyperprior import HyperpriorTables
from isthmus.entropy.reference_networks import DECODED_LIMIT, SCALE_LEVELS
from isthmus.entropy.scale_tables import CLASSES
from isthmus.entropy.table_coder import group_sizes
from isthmus.entropy.tables import unpack_tables
from isthmus.errors import FormatError


def hyperprior_tables(arrays: Mapping[str, NDArray[Any]], width: int) -> HyperpriorTables:
    """All frequencies that the coder sees.

    Args:
        arrays: of the model file, by the names of docs/format.md.
        width: channels of the hyper-latents.

    Raises:
        KeyError: an array is missing.
        FormatError: arrays that do not belong together.
    """
    parts = ("lowest", "sizes", "frequencies")
    levels = unpack_tables(*(arrays[f"level_{part}"] for part in parts))
    kinds = arrays["level_shared"] if "level_shared" in arrays else np.arange(len(levels), dtype=np.uint8)
    if kinds.dtype != np.uint8 or kinds.shape not in ((SCALE_LEVELS,), (CLASSES * SCALE_LEVELS,)):
        raise FormatError(
            f"the model has tables for {kinds.size} kinds of latents, not {SCALE_LEVELS} or {CLASSES * SCALE_LEVELS}"
        )
    if int(kinds.max()) >= len(levels):
        raise FormatError(f"a level of the model has table {kinds.max()} of {len(levels)}")
    edges = None
    if "hyper_edges" in arrays:
        edges = shaped(arrays, "hyper_edges", np.int16, (HYPER_GROUPS, width, 2, AROUND - 1))
    lowest, sizes, frequencies = (arrays[f"hyper_{part}"] for part in parts)
    each = width * (1 if edges is None else CONTEXTS)
    shared = middles = None
    if edges is not None and "hyper_shared" in arrays:
        shared = shaped(arrays, "hyper_shared", np.uint8, (HYPER_GROUPS, width, CONTEXTS))
        middles = shaped(arrays, "hyper_middles", np.int8, (HYPER_GROUPS, width, CONTEXTS))
        each = len(sizes) // HYPER_GROUPS
        if int(shared.max()) >= each:
            raise FormatError(f"a context of the model's hyper-latents has table {shared.max()} of {each}")
    if not len(lowest) == len(sizes) == HYPER_GROUPS * each:
        raise FormatError(f"the model has {len(sizes)} tables of hyper-latents, not {HYPER_GROUPS * each}")
    ends = np.cumsum(sizes, dtype=np.int64)[each - 1 :: each]
    if ends[-1] != len(frequencies):
        raise FormatError(f"the model has {len(frequencies)} frequencies of hyper-latents, not {ends[-1]}")

    @cache
    def coder(group: int) -> HyperCoder:
        some = slice(group * each, (group + 1) * each)
        mine = frequencies[ends[group - 1] if group else 0 : ends[group]]
        tables = unpack_tables(lowest[some], sizes[some], mine)
        return HyperCoder(tables, *(None if part is None else part[group] for part in (edges, shared, middles)))

    groups = shaped(arrays, "level_groups", np.uint8, (len(levels),)) if "level_groups" in arrays else None
    if groups is not None and np.any((groups < 1) | (groups > group_sizes(levels))):
        raise FormatError("the model's array level_groups asks for more symbols at once than its tables bear")
    squash = shaped(arrays, "squash", np.int16, (DECODED_LIMIT + 1,))
    return HyperpriorTables(levels, kinds, coder, squash, groups)


def shaped(
    arrays: Mapping[str, NDArray[Any]], name: str, dtype: type[np.generic], shape: tuple[int | None, ...]
) -> NDArray[Any]:
    """An array of a model file.

    Raises:
        FormatError: of another type or shape than the format says.
    """
    array = arrays[name]
    fits = len(shape) == array.ndim and all(
        want in (None, have) for want, have in zip(shape, array.shape, strict=False)
    )
    if array.dtype != dtype or not fits:
        raise FormatError(f"the model's array {name} is {array.dtype} of {array.shape}")
    return array
