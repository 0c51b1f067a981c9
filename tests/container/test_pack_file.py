"""The .isthpack format: what is written is read, and damage is an error that says so."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.container import pack_file
from isthmus.container.pack_table import PackTable, deflate, name_error, read_table, write_table
from isthmus.errors import IsthmusError


def _pack(names):
    """A pack of two blocks, its offsets, and its payloads."""
    payloads = [bytes([65 + index]) * (index + 1) for index in range(len(names))]
    header = pack_file.PackHeader(b"12345678", 1, 60, (8, 8))
    data, counts, table_lengths = pack_file.write_header(header), [], []
    for start in range(0, len(names), 3):
        part = payloads[start : start + 3]
        table = PackTable([], np.array([len(one) for one in part], np.uint32))
        block = pack_file.write_block(table, names=names[start : start + 3], payloads=part)
        counts.append(len(part))
        table_lengths.append(pack_file.BLOCK_HEAD.unpack(block[:18])[2])
        data += block
    table = PackTable([], np.array([len(one) for one in payloads], np.uint32))
    end = pack_file.write_index(table, names=names, counts=counts, table_lengths=table_lengths, offset=len(data))
    return data + end, len(data), payloads


def _reader(data):
    return lambda offset, length: data[offset : offset + length]


@pytest.mark.parametrize("names", [[f"{i:05d}" for i in range(5)], ["b/é.png", "a", "c c", "d", "e"]])
def test_names_and_payloads_come_back(names):
    """The index leads to every payload by position and by name."""
    data, _, payloads = _pack(names)
    layout = pack_file.read_layout(_reader(data), len(data))
    for index, name in enumerate(names):
        start = int(layout.offsets[index])
        assert data[start : start + int(layout.table.lengths[index])] == payloads[index]
        assert layout.table.names[index] == name
        assert layout.table.names.find(name) == index
    assert layout.table.names.find("nobody") == -1


@pytest.mark.parametrize("form", ["{:06d}.png", "train/{:x}/é-{}.jpg"])
def test_a_hundred_thousand_names(form):
    """Every picture is found by position and by name; names that are listed stay packed until one is asked for."""
    count = 100_000
    names = [form.format(index, index) for index in range(count)]
    lengths = np.arange(count, dtype=np.uint32) % 300
    table = read_table(write_table(PackTable([], lengths, labels=lengths[::-1]), names=names), count)
    assert len(table.names) == len(table) == count
    assert "_data" not in vars(table.names)
    for index in (0, 1, 4711, count - 1):
        assert table.names[index] == names[index]
        assert table.names.find(names[index]) == index
    assert table.names.find("train/nobody") == -1
    assert np.array_equal(table.lengths, lengths)
    assert np.array_equal(table.labels, lengths[::-1])


def test_listed_names_that_are_none_are_an_error():
    """Another count, an open end, letters that are not UTF-8, bytes behind."""
    table = PackTable([], np.ones(2, np.uint32))
    columns = write_table(table, names=["a", "b"])
    good = deflate(b"a\0b\0")
    assert columns.endswith(good)
    start = columns[: -len(good)]
    for bad in (deflate(b"a\0"), deflate(b"a\0b"), deflate(b"a\0\xff\0"), good + b"x", b""):
        with pytest.raises(IsthmusError):
            read_table(start + bad, 2).names[0]


def test_every_cut_and_flip_is_an_error():
    """A pack cut anywhere, or with a byte flipped outside the blocks, is refused with an IsthmusError."""
    data, end, _ = _pack(["a", "b", "c", "d", "e"])
    for cut in range(len(data)):
        with pytest.raises(IsthmusError):
            pack_file.read_layout(_reader(data[:cut]), cut)
    for place in [*range(24), *range(end, len(data))]:
        flipped = data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :]
        with pytest.raises(IsthmusError):
            pack_file.read_layout(_reader(flipped), len(flipped))


def test_a_scan_gets_every_whole_block():
    """Without an end, and with a damaged first block, the other blocks are found."""
    data, end, payloads = _pack(["a", "b", "c", "d", "e"])
    blocks = list(pack_file.scan(_reader(data[:end]), end))
    assert b"".join(block.payloads for block in blocks) == b"".join(payloads)
    damaged = data[:30] + b"\xff" + data[31:end]
    assert [block.payloads for block in pack_file.scan(_reader(damaged), end)] == [b"".join(payloads[3:])]


@pytest.mark.parametrize("name", ["../a", "/a", "a/../b", "", "a//b", "c:\\x", "a\0b", "x" * 2000])
def test_names_that_leave_the_folder_are_refused(name):
    """Such a name has a reason why it cannot be in a pack."""
    assert name_error(name) is not None
