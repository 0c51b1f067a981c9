"""What was learnt, rounded to the bytes of a model file's difference to its base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus.codec.hyperprior.integer_networks import probe
from isthmus.codec.hyperprior.layout import BLOCK
from isthmus.container.model_difference import (
    ABSOLUTE,
    LAYER_BIAS,
    MAX_EXPONENT,
    RELATIVE,
    AtKnots,
    Difference,
    LowRank,
    apply_difference,
    write_difference,
)
from isthmus.container.model_file import ModelFile, OfBase
from isthmus.entropy.passes import LAYERS
from isthmus.entropy.reference_networks import ReferenceNetworks
from isthmus.errors import TrainingError
from isthmus.learn.hyperprior.calibration.calibration import SymbolStatistics
from isthmus.learn.hyperprior.export.export import tables_of
from isthmus.learn.hyperprior.export.integer_layers import integer_layers, neighbours_read
from isthmus.learn.hyperprior.networks.codec import HyperpriorCodec
from isthmus.learn.hyperprior.networks.integer import EXACT_LIMIT, IntegerConvolution
from isthmus.learn.hyperprior.own.adapters import Adapter, Adapters, part_name
from isthmus.learn.hyperprior.own.from_model_file import StoredCodec, codec_of, output_bits
from isthmus.learn.hyperprior.own.stored_matrices import TRANSFORMS, StoredMatrix, module_name

FINENESS, EXACT_FINENESS = 4.0, 24.0
"""Root mean square of the bytes of the strongest of a matrix's narrow products, and of those of an exact layer, whose
sums must stay below a limit however they are rounded. Of a transform it is enough: the base's own bytes are coarser."""
BIAS_EXPONENT = 3
"""Biases of exact layers differ by eighths of what their outputs are counted in."""
BYTE = 127
MOST_SUMS = (0.97, 0.9, 0.7, 0.0)
"""Of what a float32 holds exactly, tried in turn: what rounding adds to a row's sum needs room in the rest. By the last
one such a row stays as it is in the base."""


def difference_file(
    base: ModelFile, codec: StoredCodec, learnt: Adapters, *, name: str, facts: Mapping[str, Any]
) -> ModelFile:
    """The model that a base and what was learnt make, but for its tables of symbols.

    Its exact layers are exact as rounded: where sums could leave what a float32 holds, what is added to their rows
    is made smaller.

    Args:
        base: whole.
        codec: its networks.
        learnt: beside them; rows of it may be made smaller.
        name: what people will call it.
        facts: for the manifest.

    Raises:
        TrainingError: the base's own sums are too large.
    """
    for most in MOST_SUMS:
        _keep_below(most * EXACT_LIMIT, codec, learnt)
        made = _rounded(base, codec, learnt, name=name, facts=facts)
        try:
            integer_layers(codec_of(made).model)
            break
        except TrainingError:
            if most == MOST_SUMS[-1]:
                raise
    return made


def _rounded(
    base: ModelFile, codec: StoredCodec, learnt: Adapters, *, name: str, facts: Mapping[str, Any]
) -> ModelFile:
    matrices = tuple(_low_rank(one, codec, learnt) for one in codec.matrices)
    difference = Difference(matrices, tuple(_tables(codec.model, learnt)))
    arrays = {**base.arrays, "grid_unit": np.array([BLOCK], np.int32)}
    return _rebuilt(base, difference, arrays, {"grid_unit"}, name=name, facts=facts)


def with_tables(base: ModelFile, made: ModelFile, model: HyperpriorCodec, symbols: SymbolStatistics) -> ModelFile:
    """The model with tables fitted to its symbols, and its probe.

    Args:
        base: that it is a difference to.
        made: of `difference_file`.
        model: its networks, with the density of hyper-latents that was learnt.
        symbols: counted with them.
    """
    arrays = tables_of(model, symbols)
    sizes = {"first_group": model.settings.prior.first_group, "hyper": model.settings.prior.hyper_latents}
    value = probe(ReferenceNetworks(integer_layers(model)), made.arrays["companding"], **sizes)
    arrays["probe"] = np.frombuffer(value.to_bytes(4, "little"), np.uint8)
    return with_arrays(base, made, arrays)


def with_arrays(base: ModelFile, made: ModelFile, arrays: Mapping[str, NDArray[Any]]) -> ModelFile:
    """The model with other arrays, which its file holds whole where the base has others."""
    assert made.of_base is not None  # noqa: S101 - `difference_file` makes no other
    names = {name for name, array in arrays.items() if name not in base.arrays or not _same(array, base.arrays[name])}
    return replace(
        made, arrays={**made.arrays, **arrays}, of_base=replace(made.of_base, anew=made.of_base.anew | names)
    )


@torch.no_grad()
def _keep_below(room: float, codec: StoredCodec, learnt: Adapters) -> None:
    """Make smaller what is added to rows of exact layers whose sums could be larger: weights and biases alike."""
    values = learnt.merged(codec.model)
    for layer in LAYERS:
        name = module_name(layer)
        module = codec.model.get_submodule(name)
        assert isinstance(module, IntegerConvolution)  # noqa: S101 - all layers are
        read = torch.from_numpy(neighbours_read(layer))
        weights = module.weight, values.get(f"{name}.weight", module.weight)
        biases = module.bias.table, values.get(f"{name}.bias.table", module.bias.table)
        before, after = (
            ((weight * read).abs().flatten(1).sum(1) * module.input_limit + bias.abs().amax(0) * 2.0**module.input_bits)
            * 2.0 ** module.shifts()
            for weight, bias in zip(weights, biases, strict=True)
        )
        factor = ((room - before) / (after - before).clamp_min(1)).clamp(0, 1)  # a sum is convex in what is added
        factor[after <= room] = 1
        for part in (part for part, one in learnt.parameters_of.items() if one == f"{name}.weight"):
            adapter = learnt.parts[part]
            assert isinstance(adapter, Adapter)  # noqa: S101 - all parts are
            adapter.left.mul_(factor[adapter.outputs][:, None])
        biases[1].copy_(torch.lerp(*biases, factor))


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other)


def _rebuilt(
    base: ModelFile, difference: Difference, arrays: dict[str, NDArray[Any]], anew: set[str],
    *, name: str, facts: Mapping[str, Any],
) -> ModelFile:  # fmt: skip
    written = write_difference(difference)
    graphs, changed = apply_difference(written, base.graphs, base.arrays)
    arrays = {**changed, **{one: arrays[one] for one in anew}}
    of_base = OfBase(base.id, written, frozenset(anew))
    return replace(base, name=name, graphs=graphs, arrays=arrays, facts=facts, decodes=(), of_base=of_base)


@torch.no_grad()
def _low_rank(one: StoredMatrix, codec: StoredCodec, learnt: Adapters) -> LowRank:
    """An adapter in the order and the units of a stored matrix."""
    part = learnt.parts[part_name(one, codec.model)]
    assert isinstance(part, Adapter)  # noqa: S101 - all parts are
    inputs = codec.model.get_parameter(one.parameter)[0].numel()
    rows = np.searchsorted(part.outputs.numpy(), one.places // inputs)  # of each value, in the adapter
    columns = one.places % inputs
    flat_rows, flat_columns = (values.reshape(len(values), -1) for values in (rows, columns))
    outer, inner = _balanced(part)
    if one.places.ndim > 2:
        left, right = outer[flat_rows[:, 0]], inner[:, flat_columns[0]]
    else:
        left, right = inner.T[flat_columns[:, 0]], outer.T[:, flat_rows[0]]
    strongest = float(np.sqrt(np.square(outer).mean(0)).max(initial=0)) or 1.0
    fineness = FINENESS if one.graph in TRANSFORMS else EXACT_FINENESS
    exponent = int(
        np.clip(np.rint(np.log2(one.scale) + 2 * np.log2(fineness / strongest)), -MAX_EXPONENT, MAX_EXPONENT)
    )
    unit = (one.scale * 2.0**-exponent) ** 0.5
    left, right = left / unit, right / unit
    while max(np.abs(left).max(initial=0), np.abs(right).max(initial=0)) > BYTE:
        exponent -= 1
        left, right = left / 2**0.5, right / 2**0.5
    left, right = (np.clip(np.rint(values), -BYTE, BYTE) for values in (left, right))
    return LowRank(one.graph, one.constants, one.steps, left.astype(np.int8), right.astype(np.int8), exponent)


def _balanced(part: Adapter) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(outputs, rank) and (rank, inputs) of an adapter, its parts in the order of their strength and alike in size."""
    left, right = part.left.double() * part.size, part.right.double()
    (one, across), (other, along) = torch.linalg.qr(left), torch.linalg.qr(right.T)
    u, strength, v = torch.linalg.svd(across @ along.T)
    ratio = (len(left) / right.shape[1]) ** 0.25  # so that values of both sides are alike
    outer, inner = one @ u * strength.sqrt() * ratio, (other @ v.T * strength.sqrt() / ratio).T
    return outer.numpy(), inner.numpy()


@torch.no_grad()
def _tables(model: HyperpriorCodec, learnt: Adapters) -> list[AtKnots]:
    """Gains, biases of the synthesis, and of exact layers."""
    now = {name.replace("/", "."): value for name, value in learnt.free.items()}
    change = {name: (value - model.get_parameter(name)).double().numpy() for name, value in now.items()}
    made = [_at_knots(RELATIVE, "gains", np.expm1(change["log_gain.table"]))]
    names = [
        f"synthesis.coarse_quality_biases.{number}.table" for number in range(len(model.settings.synthesis_coarse))
    ]
    biases = [change[name] for name in (*names, "synthesis.detail_quality_bias.table")]
    made.append(_at_knots(ABSOLUTE, "quality_bias", np.concatenate(biases, 1)))
    for layer in LAYERS:
        name = f"{module_name(layer)}.bias.table"
        if name in change:
            bits = output_bits(layer, change[name].shape[1])
            values = np.rint(np.ldexp(change[name], (bits + BIAS_EXPONENT)[None, :].astype(int)))
            bytes_ = np.clip(values, -BYTE, BYTE).astype(np.int8)
            made.append(AtKnots(LAYER_BIAS, f"layer.{layer}.bias", bytes_, BIAS_EXPONENT))
    return made


def _at_knots(kind: int, array: str, change: NDArray[np.float64]) -> AtKnots:
    largest = float(np.abs(change).max(initial=0))
    exponent = 8 if largest == 0 else min(10, int(np.floor(np.log2(BYTE / largest))))
    return AtKnots(kind, array, np.rint(np.ldexp(change, exponent)).astype(np.int8), exponent)
