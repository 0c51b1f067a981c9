"""Every pair of write and read is the identity, and every damage is an IsthmusError or changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.codec import pipeline
from isthmus.codec.model import load_model
from isthmus.container.image_file import ImageFile, read_image, write_image
from isthmus.container.image_header import ALPHA, EXIF, ICC
from isthmus.container.model_file import parse_model
from isthmus.container.varint import read_varint, write_varint
from isthmus.errors import IsthmusError
from isthmus.values import Picture
from tests.conftest import GOLDEN

optional_bytes = st.none() | st.binary(max_size=40)


@given(st.integers(0, 2**35 - 1), st.binary(max_size=3))
def test_varints_come_back(value, behind):
    """What is written is read, wherever it stands."""
    assert read_varint(write_varint(value) + behind, 0) == (value, len(write_varint(value)))


@given(
    model_id=st.binary(min_size=8, max_size=8),
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    channels=st.sampled_from([1, 3]),
    quality=st.integers(1, 100),
    payload=st.binary(max_size=80),
    alpha=optional_bytes,
    icc=optional_bytes,
    exif=optional_bytes,
)
def test_image_files_come_back(model_id, width, height, channels, quality, payload, alpha, icc, exif):
    """Every field of a .isth file survives."""
    extras = {ALPHA: alpha, ICC: icc, EXIF: exif}
    sections = {kind: section for kind, section in extras.items() if section is not None}
    image = ImageFile(model_id, width, height, channels, quality, (payload,), sections=sections)
    assert read_image(write_image(image)) == image


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 16), st.data())
def test_tiled_image_files_come_back(width, height, tile_size, data):
    """So does every tile."""
    count = -(-width // tile_size) * -(-height // tile_size)
    tiles = tuple(data.draw(st.binary(max_size=4)) for _ in range(count))
    image = ImageFile(bytes(8), width, height, 3, 50, tiles, tile_size=tile_size)
    assert read_image(write_image(image)) == image


def _outcome(data: bytes, golden_model) -> tuple[bool, np.ndarray | None]:
    """Whether decoding raised an IsthmusError, else the pixels; any other exception fails the test."""
    try:
        picture: Picture = pipeline.decode([data], golden_model.coder)[0]
    except IsthmusError as error:
        assert "\n" not in str(error)
        return True, None
    return False, picture.pixels


@pytest.mark.parametrize("name", ["plain-75", "noise-100", "extras-50"])
def test_every_cut_is_an_error(name, golden_model):
    """A .isth file that ends early never decodes."""
    data = (GOLDEN / f"{name}.isth").read_bytes()
    for length in range(len(data)):
        assert _outcome(data[:length], golden_model)[0], length


@pytest.mark.parametrize("name", ["plain-75", "noise-100", "extras-50"])
def test_every_flipped_bit_is_an_error(name, golden_model):
    """No bit of a .isth file can change without being noticed."""
    data = (GOLDEN / f"{name}.isth").read_bytes()
    for position in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[position // 8] ^= 1 << position % 8
        assert _outcome(bytes(damaged), golden_model)[0], position


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_spliced_files_are_errors_or_exact(golden_model, data):
    """Pieces of two valid files, put together anywhere, never decode to other pixels."""
    first = (GOLDEN / "plain-75.isth").read_bytes()
    second = (GOLDEN / data.draw(st.sampled_from(["noise-100.isth", "plain-50.isth", "plain-75.isth"]))).read_bytes()
    cut = data.draw(st.integers(0, len(first)))
    start = data.draw(st.integers(0, len(second)))
    spliced = first[:cut] + second[start:]
    failed, pixels = _outcome(spliced, golden_model)
    if not failed:
        assert spliced in (first, second)
        assert pixels is not None


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_model_files_are_errors_or_unchanged(data):
    """A model file with a changed byte is refused, unless the byte carries nothing."""
    original = (GOLDEN / "golden.isthmus").read_bytes()
    damaged = bytearray(original)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(original) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.just(len(original)) | st.integers(0, len(original)))
    try:
        model = parse_model(bytes(damaged[:cut]), name="damaged")
    except IsthmusError:
        return
    assert model.id == parse_model(original, name="golden").id


@pytest.mark.slow
def test_twenty_thousand_damaged_files_are_errors_or_exact(golden_model):
    """Bits flipped, parts cut, doubled and spliced, in files of both kinds: an IsthmusError, or an original."""
    photo = load_model(GOLDEN / "golden-hyperprior.isthmus", threads=1)
    names = ("plain-75", "extras-50", "colour-1", "grey-50", "tiled-1", "tiled-75")
    originals = [(GOLDEN / f"{name}.isth").read_bytes() for name in names]
    models = {golden_model.id: golden_model, photo.id: photo}
    random = np.random.default_rng(20)
    survived = 0
    for number in range(20_000):
        data = _damaged(originals, random, number % 4)
        try:
            model = models.get(pipeline.model_id_of(data), photo)
            pipeline.decode([data], model.coder)
        except IsthmusError as error:
            assert "\n" not in str(error)
            continue
        assert data in originals
        survived += 1
    assert survived < 1000  # most damage does something


@pytest.mark.parametrize("name", ["plain-75", "colour-50", "grey-1", "tiled-100"])
def test_payloads_of_a_hostile_writer_do_no_harm(name, golden_model):
    """Checksums right, payload not: pixels of some kind or an IsthmusError, no other exception."""
    photo = load_model(GOLDEN / "golden-hyperprior.isthmus", threads=1)
    image = read_image((GOLDEN / f"{name}.isth").read_bytes())
    model = golden_model if image.model_id == golden_model.id else photo
    random = np.random.default_rng(4)
    for _ in range(60):
        tile = bytearray(image.tiles[0])
        for position in random.integers(0, len(tile), 3):
            tile[position] = random.integers(256)
        size = int(random.integers(len(tile) + 1))
        payload = bytes(tile) if random.random() < 0.6 else random.bytes(size)
        _outcome(write_image(replace(image, tiles=(payload, *image.tiles[1:]))), model)


def _damaged(originals: list[bytes], random: np.random.Generator, kind: int) -> bytes:
    """A file with some bits flipped (0), a part cut out (1), a part doubled (2), or the end of another one (3)."""
    data = originals[random.integers(len(originals))]
    start, end = sorted(random.integers(0, len(data) + 1, 2).tolist())
    if kind == 0:
        flipped = bytearray(data)
        for position in random.integers(0, len(data), random.integers(1, 4)):
            flipped[position] ^= 1 << int(random.integers(8))
        return bytes(flipped)
    if kind == 1:
        return data[:start] + data[end:]
    if kind == 2:
        return data[:end] + data[start:]
    other = originals[random.integers(len(originals))]
    return data[:end] + other[int(random.integers(len(other) + 1)) :]
