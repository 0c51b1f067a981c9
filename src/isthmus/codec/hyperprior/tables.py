"""Tables and other arrays of a hyperprior model file, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.hyperprior.layout import BLOCK, HYPER_BLOCK
from isthmus.entropy.fixed_point import COMPANDED_LIMIT, DECODED_LIMIT, KNOTS, SCALES
from isthmus.entropy.hyper_latents import CONTEXTS, HYPER_GROUPS, NEIGHBOUR_CONTEXTS, HyperCoder
from isthmus.entropy.hyperprior import HyperpriorTables
from isthmus.entropy.passes import LAYERS
from isthmus.entropy.table_coder import symbols_per_step
from isthmus.entropy.tables import unpack_tables
from isthmus.errors import FormatError

MAX_MARGIN = 1024
"""Pixels around a piece that a transform may look at."""
MAX_SHIFT = 24
"""Partial sums of the integer networks stay below 2^24."""
_ARRAYS = (
    *("gains", "quality_bias", "companding", "layout", "analysis_margin", "quality_map", "grid_unit", "probe"),
    *("latent_table_index", "latent_symbols_per_step", "hyper_thresholds", "hyper_table_index", "hyper_offsets"),
)
PARTS = ("lowest", "sizes", "frequencies")
"""Of a list of tables, each in an array `NAME_PART`."""


def array_names() -> frozenset[str]:
    """All arrays that a hyperprior model file may have; `quality_map` and `grid_unit` alone may be missing."""
    layers = (f"layer.{layer}.{part}" for layer in LAYERS for part in ("shift", "bias"))
    tables = (f"{kind}_{part}" for kind in ("latent", "hyper") for part in PARTS)
    return frozenset((*_ARRAYS, *tables, *layers))


def hyperprior_tables(arrays: Mapping[str, NDArray[Any]], width: int) -> HyperpriorTables:
    """All frequencies that the coder sees.

    Args:
        arrays: of the model file, by the names of docs/format.md.
        width: channels of the hyper-latents.

    Raises:
        KeyError: an array is missing.
        FormatError: arrays that do not belong together.
    """
    latent = unpack_tables(*(arrays[f"latent_{part}"] for part in PARTS))
    table_index = shaped(arrays, "latent_table_index", np.uint8, (SCALES,))
    if int(table_index.max()) >= len(latent):
        raise FormatError(f"a scale index of the model has table {table_index.max()} of {len(latent)}")
    per_step = shaped(arrays, "latent_symbols_per_step", np.uint8, (len(latent),))
    if np.any((per_step < 1) | (per_step > symbols_per_step(latent))):
        raise FormatError("the model's array latent_symbols_per_step asks for more symbols than its tables bear")
    companding = shaped(arrays, "companding", np.int16, (DECODED_LIMIT + 1,))
    return HyperpriorTables(latent, table_index, per_step, _hyper_coders(arrays, width), companding)


def check_numbers(arrays: Mapping[str, NDArray[Any]], channels: int) -> None:
    """Refuse what no transform and no integer network has: numbers that are none, and margins beyond a piece.

    Args:
        arrays: of the model file.
        channels: of the latents.

    Raises:
        KeyError: an array is missing.
        FormatError: in one line that names the array.
    """
    first, hyper, margin = shaped(arrays, "layout", np.int32, (3,)).tolist()
    (analysis_margin,) = shaped(arrays, "analysis_margin", np.int32, (1,)).tolist()
    shifts = [shaped(arrays, f"layer.{name}.shift", np.int8, (None,)) for name in LAYERS]
    for name, shift in zip(LAYERS, shifts, strict=True):
        shaped(arrays, f"layer.{name}.bias", np.int32, (KNOTS, len(shift)))
    for name, is_so in (
        ("gains", bool(np.all(np.isfinite(arrays["gains"]) & (arrays["gains"] > 0)))),
        ("quality_bias", bool(np.all(np.isfinite(arrays["quality_bias"])))),
        ("layout", 1 <= first < channels and hyper >= 1 and 0 <= margin <= MAX_MARGIN // BLOCK),
        ("analysis_margin", 0 <= analysis_margin <= MAX_MARGIN and analysis_margin % BLOCK == 0),
        ("layer.*.shift", int(np.abs(np.concatenate(shifts).astype(np.int32)).max(initial=0)) <= MAX_SHIFT),
        ("companding", int(np.abs(arrays["companding"].astype(np.int32)).max(initial=0)) <= COMPANDED_LIMIT),
    ):
        if not is_so:
            raise FormatError(f"the model's array {name} holds numbers that no model has")


def grid_unit_of(arrays: Mapping[str, NDArray[Any]]) -> int:
    """Pixels to whose multiples pictures are padded: positions behind them are not coded.

    Raises:
        FormatError: neither a latent's nor a hyper-latent's.
    """
    if "grid_unit" not in arrays:
        return HYPER_BLOCK
    unit = int(shaped(arrays, "grid_unit", np.int32, (1,))[0])
    if unit not in (BLOCK, HYPER_BLOCK):
        raise FormatError(f"the model pads pictures to multiples of {unit} pixels, not of {BLOCK} or {HYPER_BLOCK}")
    return unit


def _hyper_coders(arrays: Mapping[str, NDArray[Any]], width: int) -> Callable[[int], HyperCoder]:
    """A function from a group of qualities to its `HyperCoder`, built when it is first asked for."""
    thresholds = shaped(arrays, "hyper_thresholds", np.int16, (HYPER_GROUPS, width, 2, NEIGHBOUR_CONTEXTS - 1))
    table_index = shaped(arrays, "hyper_table_index", np.uint8, (HYPER_GROUPS, width, CONTEXTS))
    offsets = shaped(arrays, "hyper_offsets", np.int8, (HYPER_GROUPS, width, CONTEXTS))
    lowest, sizes, frequencies = (arrays[f"hyper_{part}"] for part in PARTS)
    each = len(sizes) // HYPER_GROUPS
    if each == 0 or not len(lowest) == len(sizes) == HYPER_GROUPS * each:
        raise FormatError(f"the model has {len(sizes)} tables of hyper-latents, not as many for each group")
    if int(table_index.max()) >= each:
        raise FormatError(f"a context of the model's hyper-latents has table {table_index.max()} of {each}")
    ends = np.cumsum(sizes, dtype=np.int64)[each - 1 :: each]
    if ends[-1] != len(frequencies):
        raise FormatError(f"the model has {len(frequencies)} frequencies of hyper-latents, not {ends[-1]}")

    @cache
    def coder(group: int) -> HyperCoder:
        some = slice(group * each, (group + 1) * each)
        mine = frequencies[ends[group - 1] if group else 0 : ends[group]]
        tables = unpack_tables(lowest[some], sizes[some], mine)
        return HyperCoder(tables, thresholds[group], table_index[group], offsets[group])

    return coder


def shaped(
    arrays: Mapping[str, NDArray[Any]], name: str, dtype: type[np.generic], shape: tuple[int | None, ...]
) -> NDArray[Any]:
    """An array of a model file.

    Raises:
        KeyError: it is missing.
        FormatError: of another type or shape than the format says.
    """
    array = arrays[name]
    fits = len(shape) == array.ndim and all(
        want in (None, have) for want, have in zip(shape, array.shape, strict=False)
    )
    if array.dtype != dtype or not fits:
        raise FormatError(f"the model's array {name} is {array.dtype} of {array.shape}")
    return array
