"""Any symbols survive any tables, at the cost that the tables say."""

from __future__ import annotations

import constriction
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.entropy.factorised_prior import BATCHED_ROWS, FactorisedPrior
from isthmus.entropy.hyper_latents import (
    CONTEXTS,
    HYPER_LIMIT,
    NEIGHBOUR_CONTEXTS,
    HyperCoder,
    neighbour_means,
    part_places,
)
from isthmus.entropy.range_coder import RangeDecoder, RangeEncoder, model_of, model_of_groups
from isthmus.entropy.scale_tables import COUNTS_SHAPE, LARGEST_COUNTED, scale_bits
from isthmus.entropy.table_coder import LEAST_RUN, LONGEST_JOINT, TableCoder, symbols_per_step
from isthmus.entropy.tables import TOTAL, FrequencyTable, fit_table, integer_frequencies
from isthmus.errors import FormatError
from isthmus.values import QUALITIES

weights = st.lists(st.floats(0, 1e6), min_size=2, max_size=300).filter(lambda values: sum(values) > 0)


@given(weights)
def test_integer_frequencies_are_positive_and_add_up(values):
    """Every table is one that the coder takes."""
    frequencies = integer_frequencies(np.array(values))
    assert frequencies.min() >= 1
    assert frequencies.sum(dtype=int) == TOTAL


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 5), st.floats(0.01, 500))
def test_symbols_survive_with_escapes(seed, channels, side, spread):
    """Symbols far outside of the tables too."""
    random = np.random.default_rng(seed)
    tables = [fit_table(np.rint(random.normal(0, spread, 300)).astype(np.int32)) for _ in range(channels)]
    prior = FactorisedPrior.from_tables([tables] * QUALITIES)
    symbols = np.rint(random.standard_t(1, (channels, side, side)) * spread).clip(-(2**24), 2**24).astype(np.int32)
    assert np.array_equal(prior.decode(prior.encode(symbols, 1), (side, side), 1), symbols)


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_framing_costs_at_most_two_bytes(seed, count):
    """A payload is as long as its symbols' information, but for two bytes."""
    random = np.random.default_rng(seed)
    frequencies = integer_frequencies(random.random(int(random.integers(2, 200))) ** 4 + 1e-9)
    symbols = random.choice(len(frequencies), count, p=frequencies / TOTAL).astype(np.int32)
    encoder = RangeEncoder()
    encoder.encode(symbols, model_of(frequencies))
    payload = encoder.finish()
    assert np.array_equal(RangeDecoder(payload).decode(model_of(frequencies), count), symbols)
    information = -np.log2(frequencies[symbols] / TOTAL).sum() / 8
    assert len(payload) <= information + 2


@given(st.lists(st.integers(1, 2**31), max_size=30))
def test_numbers_come_back(numbers):
    """Escaped magnitudes of any size."""
    encoder = RangeEncoder()
    for number in numbers:
        encoder.encode_number(number)
    decoder = RangeDecoder(encoder.finish())
    assert [decoder.decode_number() for _ in numbers] == numbers


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_the_coder_uses_exactly_the_stored_integers(seed):
    """Constriction's state moves by f / 2^16 for each symbol: no float decides anything."""
    random = np.random.default_rng(seed)
    frequencies = integer_frequencies(random.random(20) + 1e-3).astype(object)
    coder, model = constriction.stream.queue.RangeEncoder(), model_of(frequencies.astype(np.uint16))
    for symbol in random.integers(0, 20, 30):
        _, (lower, width) = coder.pos()
        coder.encode(int(symbol), model)
        unit = width >> 24
        expected = (lower + unit * int(sum(frequencies[:symbol])) * 256) % 2**64, unit * int(frequencies[symbol]) * 256
        while expected[1] < 1 << 32:
            expected = (expected[0] << 32) % 2**64, expected[1] << 32
        assert coder.pos()[1] == expected


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 6))
def test_symbols_survive_several_at_once(seed, spread):
    """At the same cost as one by one; with escapes, left-over symbols and runs of any length, empty ones too."""
    random = np.random.default_rng(seed)
    scales = spread * random.uniform(0.2, 2, 6)
    tables = [fit_table(np.rint(random.normal(0, scale, 3000)).astype(np.int32)) for scale in scales]
    counts = random.integers(0, [1, 3, LEAST_RUN, LEAST_RUN + 4, 500, 900], endpoint=True)
    symbols = np.rint(random.normal(0, np.repeat(scales, counts))).astype(np.int32)
    symbols[random.random(symbols.size) < 0.01] *= 50
    sizes = []
    for groups in (None, symbols_per_step(tables)):
        coder, encoder = TableCoder(tables, 2000, groups), RangeEncoder()
        coder.encode(encoder, symbols, counts)
        payload = encoder.finish()
        assert np.array_equal(coder.decode(RangeDecoder(payload), counts), symbols)
        sizes.append(len(payload))
    assert abs(sizes[1] - sizes[0]) <= 2 + 0.002 * sizes[0]


@pytest.mark.parametrize("lowest", [30, -40, 2**31 - 3])
def test_a_table_beyond_the_limit_gives_no_symbol(lowest):
    """Models come from anywhere, and a table of theirs may hold what the format does not."""
    table = FrequencyTable(lowest, np.array([30000, 30000, 5000, 536], np.uint16))
    for groups in (None, symbols_per_step([table])):
        coder = TableCoder([table], 31, groups)
        with pytest.raises(FormatError, match="beyond the format's range"):
            coder.decode(RangeDecoder(bytes(range(200))), np.array([100]))


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_symbols_at_once_have_the_product_of_their_frequencies(seed, size):
    """In whole numbers out of 2^24, none of them zero: the coder's state says so."""
    random = np.random.default_rng(seed)
    count = int(LONGEST_JOINT ** (1 / size) + 1e-9)
    single = integer_frequencies(random.random(count) ** 9 + 1e-9).astype(int).tolist()
    joint = [256 * frequency for frequency in single]
    for _ in range(size - 1):
        joint = [max(1, first * second >> 16) for first in joint for second in single]
    joint[joint.index(max(joint))] += 2**24 - sum(joint)
    model = model_of_groups(np.array(single, np.uint16), size)
    for symbol in random.integers(0, len(joint), 20).tolist():
        coder = constriction.stream.queue.RangeEncoder()
        _, (_, width) = coder.pos()
        coder.encode(symbol, model)
        expected = (width >> 24) * joint[symbol]
        assert coder.pos()[1][1] in (expected, expected << 32)


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.floats(0.01, 500))
def test_batches_are_coded_to_the_same_bytes(seed, channels, spread):
    """The fast twin writes what the readable one writes, escapes and carries included, and both read it."""
    random = np.random.default_rng(seed)
    tables = [fit_table(np.rint(random.normal(0, spread, 300)).astype(np.int32)) for _ in range(channels)]
    prior = FactorisedPrior.from_tables([tables] * QUALITIES)
    symbols = np.rint(random.normal(0, spread, (BATCHED_ROWS, channels, 1, 1)))
    symbols[::2] = np.array([table.lowest + table.escape - 1 for table in tables])[:, None, None]  # upper ends: carries
    symbols[::5] = random.standard_t(1, symbols[::5].shape) * spread  # far outside
    symbols = symbols.clip(-(2**24), 2**24).astype(np.int32)
    payloads = prior.encode_batch(symbols, 1)
    assert payloads == [prior.encode(one, 1) for one in symbols]
    assert np.array_equal(prior.decode_batch(payloads, (1, 1), 1), symbols)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20))
def test_batches_of_noise_are_what_they_are_one_by_one(seed, channels):
    """Bytes that nobody wrote: the same symbols, or the same error."""
    random = np.random.default_rng(seed)
    tables = [fit_table(np.rint(random.normal(0, 9, 300)).astype(np.int32)) for _ in range(channels)]
    prior = FactorisedPrior.from_tables([tables] * QUALITIES)
    payloads = [random.bytes(int(size)) for size in random.integers(0, 60, BATCHED_ROWS)]
    payloads[0] = b"\xff" * 40
    try:
        expected = np.stack([prior.decode(payload, (1, 1), 1) for payload in payloads])
    except FormatError:
        with pytest.raises(FormatError):
            prior.decode_batch(payloads, (1, 1), 1)
    else:
        assert np.array_equal(prior.decode_batch(payloads, (1, 1), 1), expected)


@settings(deadline=None, max_examples=100)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 7),
    st.integers(1, 7),
    st.floats(0.1, 40),
)
def test_hyper_latents_survive_in_any_grid(seed, rows, columns, spread):
    """With tables that hold few of them, in grids of one row too, where a part is empty."""
    random = np.random.default_rng(seed)
    channels, count = 3, 5
    tables = [fit_table(np.rint(random.normal(0, 3, 50)).clip(-31, 31).astype(np.int32)) for _ in range(count)]
    tables[0] = fit_table(np.full(9, HYPER_LIMIT, np.int32))  # everything else is far below it
    thresholds = np.sort(random.integers(-40, 40, (channels, 2, NEIGHBOUR_CONTEXTS - 1)), axis=2).astype(np.int16)
    index, offsets = (random.integers(low, high, (channels, CONTEXTS)) for low, high in ((0, count), (-31, 32)))
    coder = HyperCoder(tables, thresholds, index.astype(np.uint8), offsets.astype(np.int8))
    hyper = np.rint(random.normal(0, spread, (channels, rows, columns))).clip(-HYPER_LIMIT, HYPER_LIMIT)
    encoder = RangeEncoder()
    coder.encode(encoder, hyper.astype(np.int32))
    assert np.array_equal(coder.decode(RangeDecoder(encoder.finish()), rows, columns), hyper)


def test_a_hyper_latent_beyond_the_limit_is_refused():
    """Its table's symbol and its context's middle are within theirs."""
    table = fit_table(np.array([1, 2, 2, 3], np.int32))
    edges = np.zeros((1, 2, NEIGHBOUR_CONTEXTS - 1), np.int16)
    shared = np.zeros((1, CONTEXTS), np.uint8)
    encoder = RangeEncoder()
    HyperCoder([table], edges, shared, shared.astype(np.int8)).encode(encoder, np.full((1, 1, 1), 2, np.int32))
    data = encoder.finish()
    for middle, is_refused in ((HYPER_LIMIT - 2, False), (HYPER_LIMIT - 1, True)):
        coder = HyperCoder([table], edges, shared, np.full((1, CONTEXTS), middle, np.int8))
        if is_refused:
            with pytest.raises(FormatError, match="beyond"):
                coder.decode(RangeDecoder(data), 1, 1)
        else:
            assert coder.decode(RangeDecoder(data), 1, 1).tolist() == [[[HYPER_LIMIT]]]


def test_neighbours_beyond_the_grid_do_not_count():
    """A corner has two direct ones and one diagonal, an edge three and two."""
    hyper = np.arange(6).reshape(1, 2, 3)
    assert neighbour_means(hyper, 2)[0].tolist() == [[24, 24, 36], [24, 36, 36]]
    assert neighbour_means(hyper, 1)[0].tolist() == [[48, 48, 48], [12, 12, 12]]
    assert neighbour_means(np.array([[[-1, 0]]]), 2).tolist() == [[[0, -12]]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (3, 1), (4, 5)])
def test_the_parts_of_a_grid_are_all_of_it(shape):
    """Each position once."""
    assert sorted(np.concatenate(part_places(*shape))) == list(range(shape[0] * shape[1]))


def test_bits_of_symbols_follow_what_was_counted():
    """Where much was seen its frequency, both signs alike; and the class of a mean follows from its size."""
    counts = np.zeros(COUNTS_SHAPE, np.int64)
    counts[20, LARGEST_COUNTED : LARGEST_COUNTED + 2] = 750_000, 250_000
    zero, one, other = scale_bits(counts)[20][[LARGEST_COUNTED, LARGEST_COUNTED + 1, LARGEST_COUNTED - 1]]
    assert (zero, one, other) == pytest.approx((-np.log2(0.75), 3, 3), abs=0.01)
