"""Damage: to bytes that know nothing of their format, and to ONNX messages and files whose checksums are made right."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from typing import Any

import numpy as np

from isthmus.container.image_file import ImageFile
from isthmus.container.image_header import read_header
from isthmus.container.pack_header import END_PLACE, place_seeds
from tests.container.hostile import varint

Random = np.random.Generator
NUMBERS = (0, 1, 2, 7, 8, 16, 63, 64, 127, 128, 255, 256, 1024, 65535, 65536, (1 << 28) - 1, 1 << 28, (1 << 32) - 1)


def damaged(data: bytes, random: Random, others: list[bytes]) -> bytes:
    """Some bits flipped, bytes set, a part cut, doubled, or put in from another file; or noise alone."""
    out = bytearray(data)
    for _ in range(random.integers(1, 4)):
        start, end = sorted(random.integers(0, len(out) + 1, 2).tolist())
        kind = random.integers(7)
        if kind == 0 and out:
            out[random.integers(len(out))] ^= 1 << int(random.integers(8))
        elif kind == 1 and out:
            out[random.integers(len(out))] = random.choice([0, 1, 0x7F, 0x80, 0xFF, int(random.integers(256))])
        elif kind == 2:
            del out[start : min(end, start + int(random.integers(1, 64)))]
        elif kind == 3:
            out[start:start] = out[start : min(end, start + int(random.integers(1, 64)))]
        elif kind == 4:
            del out[start if random.random() < 0.5 else max(0, len(out) - int(random.integers(1, 40))) :]
        elif kind == 5:
            other = others[random.integers(len(others))]
            begin = int(random.integers(len(other) + 1))
            out[start:end] = other[begin : begin + int(random.integers(1, 200))]
        elif out:
            place = int(random.integers(len(out)))
            out[place : place + 4] = struct.pack("<I", int(random.choice(NUMBERS)))[: int(random.integers(1, 5))]
    return bytes(out)


def image_with_right_checksums(data: bytes, random: Random) -> bytes:
    """A .isth file whose header or sections are damaged and whose checksums are right again."""
    header = read_header(data)
    start = bytearray(data[: header.length - 4])
    rest = data[header.length :]
    lengths = [*header.tile_lengths, *header.section_lengths.values()]
    sections = []
    for length in lengths:
        sections.append(bytearray(rest[:length]))
        rest = rest[length + 4 :]
    for _ in range(random.integers(1, 3)):
        if random.random() < 0.5:
            start[int(random.integers(8, len(start)))] = random.integers(256)
        else:
            section = sections[random.integers(len(sections))]
            if section:
                section[random.integers(len(section))] = random.integers(256)
    crc = struct.pack("<I", zlib.crc32(start))
    out = [bytes(start), crc]
    for number, section in enumerate(sections):
        begin = zlib.crc32(crc + struct.pack("<I", number))
        out += [bytes(section), struct.pack("<I", zlib.crc32(section, begin))]
    return b"".join(out)


def image_of_a_hostile_writer(image: ImageFile, random: Random) -> ImageFile:
    """Its facts or its sections changed: sizes, qualities, tiles longer, shorter, swapped, emptied; other sections."""
    kind = random.integers(6)
    tiles = list(image.tiles)
    if kind == 0:
        sides = [
            int(random.choice(NUMBERS[1:])) if random.random() < 0.5 else int(random.integers(1, 3000)) for _ in "ab"
        ]
        return replace(image, width=sides[0], height=sides[1])
    if kind == 1:
        return replace(image, quality=int(random.integers(1, 101)), channels=int(random.choice([1, 3])))
    if kind == 2:
        place = int(random.integers(len(tiles)))
        tiles[place] = random.bytes(int(random.integers(0, 200)))
    elif kind == 3:
        place = int(random.integers(len(tiles)))
        tiles[place] = damaged(tiles[place] or b"\0", random, [b"\xff" * 9])
    elif kind == 4:
        number = int(random.choice([2, 3, 5, 7, 9, 11, 13]))
        section = damaged(
            dict(image.sections).get(number, b"\x89PNG\r\n\x1a\n" + bytes(40)), random, [image.tiles[0] or b"a"]
        )
        return replace(image, sections={**image.sections, number: section})
    else:
        random.shuffle(tiles)
    return replace(image, tiles=tuple(tiles))


def pack_with_right_checksums(data: bytes, places: dict[str, Any], random: Random) -> bytes:
    """A pack of one block with damage to its header, table, payloads or index, and checksums that are right again.

    Args:
        data: of version 2.
        places: "head" where the block starts, "table" and "payload" bytes, "index" where it starts.
        random: draws the damage.
    """
    head, index = places["head"], places["index"]
    parts = [
        bytearray(data[: head - 4]),
        bytearray(data[head:index]),
        bytearray(data[index:-44]),
        bytearray(data[-44:-8]),
    ]
    for _ in range(random.integers(1, 4)):
        which = int(random.choice([0, 1, 1, 2, 2, 3]))
        low = 8 if which == 0 else 0
        place = int(random.integers(low, len(parts[which])))
        parts[which][place] = random.integers(256) if random.random() < 0.7 else parts[which][place] ^ 1
    start, block, listed, trailer = parts
    pack_id = bytes(start[16:24])
    of_head, of_payloads = place_seeds(pack_id, 0)
    table, size = places["table"], 26
    block[18:22] = struct.pack("<I", zlib.crc32(block[:18] + block[size : size + table], of_head))
    checksum = struct.pack("<I", zlib.crc32(block[size + table :], of_payloads))
    listed = bytearray(bytes(listed).replace(bytes(block[22:26]), checksum))
    block[22:26] = checksum
    of_index, of_trailer = place_seeds(pack_id, END_PLACE)
    trailer[16:20] = struct.pack("<I", zlib.crc32(listed, of_index))
    end = struct.pack("<I", zlib.crc32(trailer, of_trailer)) + b"\xb1END"
    return b"".join([start, struct.pack("<I", zlib.crc32(start)), block, listed, trailer, end])


def message_with_damage(data: bytes, random: Random, *, depth: int = 0) -> bytes:
    """An ONNX message with some field changed, doubled, dropped or moved, and all lengths around it right."""
    fields = _fields(data)
    if not fields:
        return random.bytes(int(random.integers(0, 12)))
    place = int(random.integers(len(fields)))
    tag, value = fields[place]
    if isinstance(value, bytes) and value and depth < 6 and random.random() < 0.75:
        fields[place] = (
            tag,
            message_with_damage(value, random, depth=depth + 1) if _fields(value) else _text(value, random),
        )
    else:
        kind = random.integers(6)
        if kind == 0:
            del fields[place]
        elif kind == 1:
            fields.insert(int(random.integers(len(fields) + 1)), (tag, value))
        elif kind == 2:
            fields[place] = (int(random.integers(1, 26)) << 3 | (tag & 7), value)
        elif kind == 3:
            number = int(random.choice(NUMBERS)) * int(random.choice([1, -1]))
            fields[place] = (tag & ~7, number)
        elif kind == 4:
            random.shuffle(fields)
        else:
            fields[place] = (tag, _text(value, random) if isinstance(value, bytes) else value ^ 1)
    return b"".join(
        varint(tag) + (varint(len(one)) + one if isinstance(one, bytes) else varint(one)) for tag, one in fields
    )


def _text(value: bytes, random: Random) -> bytes:
    """Bytes of a name, or of numbers, changed; some operators' names among them."""
    if random.random() < 0.3:
        return random.choice(
            np.array(
                [b"Loop", b"MatMul", b"Relu", b"Div", b"Reshape", b"Expand", b"Conv", b"input", b"", b"Cast"], object
            )
        )
    return damaged(value, random, [b"\xff" * 8, b"\x80" * 8])


def _fields(data: bytes) -> list[tuple[int, bytes | int]]:
    """(tag, value) of each field as far as they can be read leniently; none where the bytes are no message."""
    fields: list[tuple[int, bytes | int]] = []
    offset = 0
    while offset < len(data):
        tag, offset = _number(data, offset)
        if tag < 0 or tag >> 3 == 0 or tag & 7 not in (0, 2, 5) or offset > len(data):
            return []
        if tag & 7 == 0:
            value, offset = _number(data, offset)
            fields.append((tag, value))
            continue
        length, offset = (4, offset) if tag & 7 == 5 else _number(data, offset)
        if length < 0 or offset + length > len(data):
            return []
        fields.append((tag & ~7 | 2, data[offset : offset + length]))
        offset += length
    return fields


def _number(data: bytes, offset: int) -> tuple[int, int]:
    value = 0
    for index in range(10):
        if offset + index >= len(data):
            return -1, offset
        value |= (data[offset + index] & 0x7F) << (7 * index)
        if data[offset + index] < 0x80:
            return value, offset + index + 1
    return -1, offset
