"""The .isthpack format: what is written is read, and damage is an error that says so."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest

from isthmus.container import pack_file
from isthmus.container.deflated import deflate, inflate
from isthmus.container.pack_block import head_bytes, write_block
from isthmus.container.pack_file import write_index
from isthmus.container.pack_header import (
    MAX_HEADER_BYTES,
    MODEL,
    PackHeader,
    read_header,
    read_section,
    with_pack_id,
    write_header,
    write_sections,
)
from isthmus.container.pack_names import ListedNames, name_error
from isthmus.container.pack_table import PackTable, read_table, write_table
from isthmus.container.varint import write_varint
from isthmus.errors import ChecksumError, IsthmusError, LimitError, UnsupportedVersionError


def _pack(names, *, version=2, salt=b"", is_even=False):
    """A pack of blocks of three pictures, where its index starts, and its payloads, of growing or of equal lengths."""
    payloads = [bytes([65 + index]) * (5 if is_even else index + 1) + salt for index in range(len(names))]
    header = PackHeader(b"12345678", 1, 60, (8, 8))
    header = with_pack_id(header, payloads[0]) if version > 1 else header
    pack_id = header.pack_id
    data, counts, table_lengths, checksums = write_header(header), [], [], []

    def table(part):
        return PackTable([], np.array([len(one) for one in part], np.uint32))

    for start in range(0, len(names), 3):
        part = payloads[start : start + 3]
        few = names[start : start + 3]
        block = write_block(table(part), names=few, payloads=part, pack_id=pack_id, number=start // 3)
        counts.append(len(part))
        table_lengths.append(len(write_table(table(part), names=few)))
        place = head_bytes(version)
        checksums.append(int.from_bytes(block[place - 4 : place], "little"))
        data += block
    end = write_index(
        table(payloads), names=names, counts=counts, table_lengths=table_lengths, offset=len(data),
        checksums=checksums, pack_id=pack_id,
    )  # fmt: skip
    return data + end, len(data), payloads


def _reader(data):
    return lambda offset, length: data[offset : offset + length]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("names", [[f"{i:05d}" for i in range(5)], ["b/é.png", "a", "c c", "d", "e"]])
def test_names_and_payloads_come_back(names, version):
    """The index leads to every payload by position and by name, in both versions."""
    data, _, payloads = _pack(names, version=version)
    layout = pack_file.read_layout(_reader(data), len(data))
    assert layout.header.version == version
    found = b"".join(pack_file.read_block_of(_reader(data), layout, number).payloads for number in range(2))
    assert found == b"".join(payloads)
    for index, name in enumerate(names):
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


@pytest.mark.parametrize("version", [1, 2])
def test_every_cut_and_flip_is_an_error(version):
    """A pack cut anywhere, or with a byte flipped outside the blocks, is refused with an IsthmusError."""
    data, end, _ = _pack(["a", "b", "c", "d", "e"], version=version)
    for cut in range(len(data)):
        with pytest.raises(IsthmusError):
            pack_file.read_layout(_reader(data[:cut]), cut)
    for place in [*range(24), *range(end, len(data))]:
        flipped = data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :]
        with pytest.raises(IsthmusError):
            pack_file.read_layout(_reader(flipped), len(flipped))


@pytest.mark.parametrize("version", [1, 2])
def test_a_scan_gets_every_whole_block(version):
    """Without an end, and with a damaged first block, the other blocks are found; so are those behind a gap."""
    data, end, payloads = _pack(["a", "b", "c", "d", "e"], version=version)
    blocks = list(pack_file.scan(_reader(data[:end]), end))
    assert b"".join(block.payloads for block in blocks) == b"".join(payloads)
    place = data.index(pack_file.BLOCK_MARKER) + 4
    damaged = data[:place] + b"\xff" + data[place + 1 : end]
    assert [block.payloads for block in pack_file.scan(_reader(damaged), end)] == [b"".join(payloads[3:])]
    gap = data[:place] + data[place + 20 : end]
    assert [block.payloads for block in pack_file.scan(_reader(gap), len(gap))] == [b"".join(payloads[3:])]


def _blocks(data, end):
    """What is before the blocks of a pack, and each of them."""
    parts = data[:end].split(pack_file.BLOCK_MARKER)
    return parts[0], [pack_file.BLOCK_MARKER + part for part in parts[1:]]


@pytest.mark.parametrize("version", [1, 2])
def test_blocks_that_change_places_are_noticed(version):
    """Every checksum of the file itself is right, the blocks are of equal length; none of them is read."""
    names = [f"{index}" for index in range(6)]
    data, end, _ = _pack(names, version=version, is_even=True)
    first, (one, two) = _blocks(data, end)
    swapped = first + two + one + data[end:]
    layout = pack_file.read_layout(_reader(swapped), len(swapped))
    assert len(one) == len(two)
    for number in range(2):
        with pytest.raises(ChecksumError):
            pack_file.read_block_of(_reader(swapped), layout, number)


def test_a_block_of_another_pack_is_not_recovered():
    """Neither at its own place nor at another, with an index or without; nor is a block that is there twice."""
    names = [f"{index}" for index in range(9)]
    (ours, end, payloads), (others, others_end, _) = _pack(names), _pack(names, salt=b"x")
    (head, mine), (_, theirs) = _blocks(ours, end), _blocks(others, others_end)
    for blocks, expected in (
        ([theirs[0], mine[1], mine[2]], [1, 2]),
        ([mine[0], theirs[1], mine[2]], [0, 2]),
        ([*theirs, *mine], [0, 1, 2]),
        ([mine[1], mine[0], mine[2]], [1, 2]),
        ([mine[0], mine[0], mine[1]], [0, 1]),
    ):
        for tail in (b"", ours[end:]):
            data = head + b"".join(blocks) + tail
            found = list(pack_file.scan(_reader(data), len(data)))
            assert [block.number for block in found] == expected
            for block in found:
                assert block.payloads == b"".join(payloads[3 * block.number : 3 * block.number + 3])


def test_an_earlier_state_of_the_pack_is_not_mixed_in():
    """Two packs that begin alike have one id; the index tells their blocks apart."""
    names = [f"{index}" for index in range(6)]
    header = with_pack_id(PackHeader(b"12345678", 1, 60, (8, 8)), b"")
    table = PackTable([], np.full(3, 2, np.uint32))
    length = len(write_table(table, names=names[:3]))

    def pack(second):
        blocks = [
            write_block(table, names=names[start : start + 3], payloads=[payload] * 3, pack_id=header.pack_id, number=n)
            for n, (start, payload) in enumerate([(0, b"aa"), (3, second)])
        ]
        place = head_bytes(2)
        checksums = [int.from_bytes(block[place - 4 : place], "little") for block in blocks]
        data = write_header(header) + b"".join(blocks)
        return data, write_index(
            PackTable([], np.full(6, 2, np.uint32)), names=names, counts=[3, 3], table_lengths=[length] * 2,
            offset=len(data), checksums=checksums, pack_id=header.pack_id,
        )  # fmt: skip

    (_, end), (earlier, _) = pack(b"bb"), pack(b"cc")
    mixed = earlier + end
    layout = pack_file.read_layout(_reader(mixed), len(mixed))
    assert pack_file.read_block_of(_reader(mixed), layout, 0).payloads == b"aa" * 3
    with pytest.raises(ChecksumError, match="not the one of its place"):
        pack_file.read_block_of(_reader(mixed), layout, 1)
    assert [block.number for block in pack_file.scan(_reader(mixed), len(mixed))] == [0]


def test_further_columns_come_back_and_unknown_ones_are_skipped_or_refused():
    """Forms and qualities; a column of an odd kind is left out, one of an even kind refused in words."""
    lengths = np.array([5, 300], np.uint32)
    forms, qualities = np.array([0, 0x12]), np.array([60, 7])
    written = write_table(PackTable([], lengths, forms=forms, qualities=qualities), names=["a", "b"])
    table = read_table(written, 2)
    assert (table.forms.tolist(), table.qualities.tolist(), table.lengths.tolist()) == ([0, 18], [60, 7], [5, 300])
    raw, rest = inflate(written)
    place = raw.index(bytes([4, 1, 60, 7]))
    skipped = read_table(deflate(raw[:place] + b"\x05" + raw[place + 1 :]) + rest, 2)
    assert (skipped.forms.tolist(), skipped.qualities) == ([0, 18], None)
    with pytest.raises(UnsupportedVersionError, match="column of kind 6"):
        read_table(deflate(raw[:place] + b"\x06" + raw[place + 1 :]) + rest, 2)
    with pytest.raises(UnsupportedVersionError, match="flags"):
        read_table(deflate(b"\x10" + raw[1:]) + rest, 2)


def test_sections_of_the_header_come_back():
    """The model, and one that this release does not know and may skip; one that it may not skip is refused."""
    for kind, is_known in ((1, True), (7, True), (6, False)):
        section = b"some bytes" * 9
        header = with_pack_id(replace(PackHeader(b"12345678", 3, 60, None), section_lengths={kind: len(section)}), b"")
        data = write_header(header) + write_sections(header, {kind: section})
        if not is_known:
            with pytest.raises(UnsupportedVersionError, match="section of kind 6"):
                read_header(data)
            continue
        again, start = read_header(data[:MAX_HEADER_BYTES])
        assert (again, start) == (header, len(data))
        found = read_section(_reader(data), again, start, MODEL)
        assert found == (section if kind == MODEL else None)
    header = with_pack_id(replace(PackHeader(b"12345678", 3, 60, None), section_lengths={1: 10}), b"")
    data = bytearray(write_header(header) + write_sections(header, {1: b"some bytes"}))
    data[-6] ^= 1
    with pytest.raises(ChecksumError, match="model"):
        read_section(_reader(bytes(data)), header, len(data), MODEL)


def test_more_pictures_than_the_blocks_can_hold_are_a_limit_error():
    """2^27 empty pictures in a few megabytes, and a name of gigabytes: refused before memory is asked for."""
    head = write_header(PackHeader(b"12345678", 1, 75, (8, 8)))
    count = 1 << 24
    blocks = count // 128
    pairs = deflate((write_varint(128) + write_varint(0)) * blocks)
    table = deflate(bytes([1, 0, 4]) + b".png" + bytes([0, 9, 1]) + bytes(count))
    index = write_varint(blocks) + pairs + table
    data = head + bytes(22 * blocks) + index
    data += _trailer(len(head) + 22 * blocks, index, count)
    with pytest.raises(LimitError, match="more than its"):
        pack_file.read_layout(_reader(data), len(data))
    packed = deflate(bytes(1 << 26) + b"x\0")
    with pytest.raises(LimitError, match="unpack to"):
        ListedNames(packed, 1)[0]
    with pytest.raises(LimitError, match="unpack to"):
        read_table(deflate(bytes([8]) + bytes(1 << 24)), 10)


def _trailer(offset, index, count):
    trailer = pack_file.TRAILER.pack(offset, len(index), zlib.crc32(index), count, 0, 0, pack_file.END_MARK)[:-8]
    return trailer + struct.pack("<I", zlib.crc32(trailer)) + pack_file.END_MARK


def test_a_file_full_of_false_blocks_is_not_searched_for_ever():
    """Each marker announces a block as long as the rest of the file: the search ends, and says why."""
    header = with_pack_id(PackHeader(b"12345678", 1, 75, (8, 8)), b"")
    false = pack_file.BLOCK_MARKER + struct.pack("<IHII", 0, 1, 1000, 1 << 30) + bytes(8)
    data = write_header(header) + false * 20_000
    with pytest.raises(LimitError, match="looks like blocks"):
        list(pack_file.scan(_reader(data), len(data)))


@pytest.mark.parametrize("name", ["../a", "/a", "a/../b", "", "a//b", "c:\\x", "a\0b", "x" * 2000])
def test_names_that_leave_the_folder_are_refused(name):
    """Such a name has a reason why it cannot be in a pack."""
    assert name_error(name) is not None
