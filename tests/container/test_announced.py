"""Work that a file announces: no more than what its bytes can hold, unless the user says otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import isthmus
from isthmus.cli.main import app
from isthmus.codec.model import Model
from isthmus.container.announced import FREE_PIXELS, PIXELS_PER_BYTE
from isthmus.container.image_file import ImageFile, read_image, salvage_image, write_image
from isthmus.container.image_header import read_header
from isthmus.container.model_file import read_model
from isthmus.container.pack_header import PackHeader
from isthmus.container.pack_writer import PackWriter
from isthmus.entropy.range_coder import RangeDecoder, RangeEncoder, model_of
from isthmus.errors import LimitError, UsageError
from isthmus.packs.pack import Pack
from isthmus.packs.packing import PackOptions, pack_to_file
from isthmus.packs.unpacking import UnpackOptions, unpack
from isthmus.sources.source import Source
from isthmus.transforms.engine import Engine
from isthmus.values import PictureSpec
from tests.conftest import GOLDEN

PHOTO = GOLDEN / "golden-hyperprior.isthmus"
ENGINE = Engine(threads=1)


def tiny(width: int, height: int) -> bytes:
    """What a hostile writer makes: a few bytes that announce any number of pixels."""
    model = read_model(PHOTO)
    tiles = tuple(b"" for _ in range(-(-width // 1024) * -(-height // 1024)))
    image = ImageFile(model.id, 8, 8, 3, 50, tiles, tile_size=1024)
    return write_image_without_padding(replace(image, width=width, height=height))


def write_image_without_padding(image: ImageFile) -> bytes:
    """As a writer that knows nothing of padding."""
    from isthmus.container import image_file

    keep = image_file.missing_bytes
    image_file.missing_bytes = lambda pixels, size: 0
    try:
        return write_image(image)
    finally:
        image_file.missing_bytes = keep


def test_a_thousand_bytes_do_not_announce_268_megapixels():
    """By every way in, at once; with a limit of one's own they are looked at."""
    data = tiny(16384, 16384)
    assert len(data) < 1500
    model = isthmus.load_model(PHOTO, threads=1)
    for read in (read_image, salvage_image, model.decode, lambda data: isthmus.decode(data, model=model)):
        with pytest.raises(LimitError, match="--pixel-limit"):
            read(data)
    assert read_image(data, pixel_limit=1 << 28).width == 16384
    assert read_header(data).height == 16384
    with pytest.raises(LimitError, match="above the limit of 100:"):
        model.decode((GOLDEN / "colour-50.isth").read_bytes(), pixel_limit=100)
    with pytest.raises(UsageError):
        read_image(data, pixel_limit=0)


def test_a_limit_of_ones_own_lets_more_through_than_the_format_has():
    """The format's 2^28 pixels are a limit like the others."""
    data = tiny(1 << 15, 1 << 14)
    with pytest.raises(LimitError):
        read_image(data)
    assert read_image(data, pixel_limit=1 << 29).width == 1 << 15


@pytest.mark.parametrize("side", [1024, 4096, 16384])
def test_what_is_written_is_always_read(side):
    """A picture that needs no bytes at all gets as many zeros as a reader wants for its pixels, and loses none."""
    image = ImageFile(bytes(8), side, side, 1, 50, (b"",))
    data = write_image(image)
    assert read_image(data) == image
    assert len(data) <= 60 + side * side // PIXELS_PER_BYTE
    assert (side * side <= FREE_PIXELS) == (len(data) < 60)


@pytest.mark.parametrize("quality", [1, 50, 100])
def test_flat_pictures_are_far_from_the_limit(quality):
    """Of the shipped model: a tenth of what is allowed."""
    model = isthmus.load_model("photo", threads=1)
    data = model.encode(np.zeros((1024, 1024, 3), np.uint8), quality=quality)
    assert 1024 * 1024 / len(data) < PIXELS_PER_BYTE / 8


def test_zeros_behind_a_payload_mean_nothing():
    """So a pack can make a payload as long as its pixels want."""
    table = model_of(np.array([60000, 5000, 536], np.uint16))
    symbols = np.random.default_rng(0).integers(0, 3, 200).astype(np.int32)
    encoder = RangeEncoder()
    encoder.encode(symbols, table)
    payload = encoder.finish()
    for behind in (b"", bytes(1), bytes(700)):
        np.testing.assert_array_equal(RangeDecoder(payload + behind).decode(table, 200), symbols)


def test_pictures_of_a_pack_are_held_to_their_payloads(tmp_path):
    """One that announces more is one picture's error; so many in all that no pack holds them are the pack's."""
    model = read_model(PHOTO)
    path = tmp_path / "a.isthpack"
    with PackWriter(path, PackHeader(model.id, 3, 50, None)) as writer:
        writer.add("large", b"1", size=(8000, 8000))
        writer.finish()
    pack = Pack(path, model=PHOTO, threads=1)
    with pytest.raises(LimitError, match="'large' announces 8000×8000"):
        pack["large"]
    _, outcomes = unpack(path, tmp_path / "out", UnpackOptions(recover=True), model=str(PHOTO), engine=ENGINE)
    assert [type(one.error) for one in outcomes] == [LimitError]
    with pytest.raises(LimitError, match="with more than 1000"):
        Pack(path, pixel_limit=1000)
    with PackWriter(tmp_path / "b.isthpack", PackHeader(model.id, 3, 50, None)) as writer:
        for index in range(300):
            writer.add(f"{index}", b"1", size=(1024, 1024))
        writer.finish()
    with pytest.raises(LimitError, match="--pixel-limit"):
        Pack(tmp_path / "b.isthpack")
    assert len(Pack(tmp_path / "b.isthpack", pixel_limit=1 << 20)) == 300


def test_flat_pictures_in_a_pack_are_read_again(tmp_path):
    """A model that codes black to nothing: the pack has a byte for so many pixels, and the picture is the same."""
    photo = Model(read_model(PHOTO), ENGINE)
    black = np.zeros((256, 2048, 3), np.uint8)
    pack_to_file([Source("black", pixels=black)], tmp_path / "a.isthpack", photo, PackOptions(50))
    pack = Pack(tmp_path / "a.isthpack", model=PHOTO, threads=1)
    assert len(pack.payloads([0])[0]) >= black[:, :, 0].size // PIXELS_PER_BYTE
    assert pack["black"].shape == black.shape


def test_a_pack_of_pictures_that_the_model_does_not_make_is_refused(tmp_path):
    """A size in the header that is not the model's."""
    model = read_model(GOLDEN / "golden.isthmus")
    assert model.picture == PictureSpec(1, 8, 8)
    with PackWriter(tmp_path / "a.isthpack", PackHeader(model.id, 1, 50, (9000, 100))) as writer:
        writer.add("a", b"1", size=(9000, 100))
        writer.finish()
    with pytest.raises(isthmus.IsthmusError, match="the model makes"):
        Pack(tmp_path / "a.isthpack", model=GOLDEN / "golden.isthmus")[0]


def test_the_commands_take_a_pixel_limit(tmp_path, capsys):
    """`decompress` and `unpack` refuse in one line that names the option, and take it."""
    (tmp_path / "a.isth").write_bytes(tiny(16384, 16384))
    arguments = ["decompress", str(tmp_path / "a.isth"), "-o", str(tmp_path / "a.png"), "--model", str(PHOTO)]
    for more, message in (([], "--pixel-limit N"), (["--pixel-limit", "7"], "above the limit of 7:")):
        with pytest.raises(SystemExit) as caught:
            app([*arguments, *more])
        assert caught.value.code == 1
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
        assert message in line
