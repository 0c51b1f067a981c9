"""A model that is stored as a difference to another one is exactly that model, or refused."""

from dataclasses import replace

import numpy as np
import pytest

from isthmus.container.model_difference import (
    ABSOLUTE,
    LAYER_BIAS,
    RELATIVE,
    AtKnots,
    Difference,
    LowRank,
    added,
    added_at_knots,
    apply_difference,
    write_difference,
)
from isthmus.container.model_file import ModelFile, OfBase, parse_model, write_model
from isthmus.errors import FormatError, ModelNotFoundError
from isthmus.zoo.finding import find_by_name, read_model

RANDOM = np.random.default_rng(5)


def bytes_of(*shape: int) -> np.ndarray:
    """Small whole numbers."""
    return RANDOM.integers(-9, 10, shape).astype(np.int8)


@pytest.fixture(scope="module")
def base() -> ModelFile:
    """A shipped model."""
    return read_model(find_by_name("photo-psnr"))


@pytest.fixture(scope="module")
def difference() -> Difference:
    """Of each kind something."""
    return Difference(
        (
            LowRank("hyper_synthesis", ("c7", "c9"), "c10", bytes_of(96, 2), bytes_of(2, 512), 12),
            LowRank("hyper_analysis", ("c7",), "", bytes_of(160, 1), bytes_of(1, 768), 14),
        ),
        (
            AtKnots(RELATIVE, "gains", bytes_of(9, 384), 10),
            AtKnots(ABSOLUTE, "quality_bias", bytes_of(9, 384), 10),
            AtKnots(LAYER_BIAS, "layer.hyper.first.bias", bytes_of(9, 512), 3),
        ),
    )


@pytest.fixture(scope="module")
def model(base, difference) -> ModelFile:
    """The base with the difference."""
    written = write_difference(difference)
    graphs, arrays = apply_difference(written, base.graphs, base.arrays)
    return replace(
        base, graphs=graphs, arrays=arrays, decodes=(), of_base=OfBase(base.id, written, frozenset({"probe"}))
    )


def test_a_model_comes_back_whole_from_a_small_file(base, model):
    """What is read has the id of what was written, in a hundredth of the bytes."""
    data = write_model(model)
    read = parse_model(data, name="own", find_base=lambda _: base)
    assert read.id == model.id != base.id
    assert read.graphs == model.graphs
    assert write_model(read) == data
    assert len(data) < 50_000


def test_what_is_added_to_a_matrix_is_rounded_once():
    """Weights of two bytes, and of none."""
    two = {
        "high": np.array([[1, 0]], np.int8),
        "low": np.array([[-5, 7]], np.int8),
        "steps": np.array([0.5, 0.25], np.float32),
    }
    one = LowRank("g", ("high", "low"), "steps", np.array([[3]], np.int8), np.array([[5, -2]], np.int8), 1)
    high, low = added(two, one)
    assert (64 * high.astype(int) + low).tolist() == [[59 + 15, 7 - 12]]  # 7.5 in halves, -3 in quarters
    half = added({"w": np.array([[1.5]], np.float16)}, LowRank("g", ("w",), "", one.left, one.right[:, :1], 2))
    assert half[0].dtype == np.float16
    assert half[0].tolist() == [[5.25]]


def test_tables_change_between_knots_as_well():
    """At a knot by what is there, half way by half of it."""
    arrays = {"gains": np.full((100, 1), 2, np.float32)}
    values = np.zeros((9, 1), np.int8)
    values[0] = 64
    changed = added_at_knots(arrays, AtKnots(RELATIVE, "gains", values, 7))
    assert changed[0, 0] == 3
    assert changed[-1, 0] == 2
    assert 2 < changed[6, 0] < 3


def test_a_base_that_is_not_there_is_named(model):
    """By its id, and what to do."""

    def nowhere(model_id: bytes) -> ModelFile:
        raise ModelNotFoundError("none", wanted=model_id.hex())

    with pytest.raises(ModelNotFoundError, match=r"difference to the model [0-9a-f]{16}, which is neither shipped"):
        parse_model(write_model(model), name="own", find_base=nowhere)
    with pytest.raises(FormatError, match="where a whole model is needed"):
        parse_model(write_model(model), name="own")


def test_another_base_is_refused(base, model):
    """Such as a newer one of the same name."""
    other = replace(
        base, default_quality=base.default_quality, arrays={**base.arrays, "grid_unit": np.array([16], np.int32)}
    )
    with pytest.raises(FormatError, match="another model"):
        parse_model(write_model(model), name="own", find_base=lambda _: other)


def test_a_damaged_difference_is_refused(base, difference):
    """Cut anywhere, or of another model's shapes."""
    written = write_difference(difference)
    for end in [*range(40), *range(40, len(written), 211)]:
        with pytest.raises(FormatError):
            apply_difference(written[:end], base.graphs, base.arrays)
    with pytest.raises(FormatError, match="too many"):
        apply_difference(written + b"\0", base.graphs, base.arrays)
    unknown = replace(difference, tables=(AtKnots(ABSOLUTE, "companding", bytes_of(9, 1), 0),))
    with pytest.raises(FormatError, match="no table over the quality"):
        apply_difference(write_difference(unknown), base.graphs, base.arrays)
    strange = replace(difference, matrices=(LowRank("nowhere", ("c7",), "", bytes_of(1, 1), bytes_of(1, 1), 0),))
    with pytest.raises(FormatError, match="another model"):
        apply_difference(write_difference(strange), base.graphs, base.arrays)
