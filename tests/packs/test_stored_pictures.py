"""Each picture of a pack in the coding that suits it, with its alpha; and forms and payloads of strangers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from isthmus.cli.main import app
from isthmus.codec.model import load_model
from isthmus.container.pack_file import PackHeader, read_layout
from isthmus.container.pack_table import PackTable
from isthmus.container.pack_writer import PackWriter
from isthmus.description import describe, pictures_of_pack
from isthmus.errors import FormatError, IsthmusError, LimitError, UnsupportedVersionError, UsageError
from isthmus.imaging import foreign
from isthmus.packs import stored_pictures
from isthmus.packs.pack import Pack
from isthmus.packs.packing import PackOptions, pack_to_file
from isthmus.packs.stored_pictures import ALPHA, GREY, stored_image
from isthmus.packs.unpacking import UnpackOptions, unpack
from isthmus.sources.source import Source
from isthmus.transforms.engine import Engine
from tests.conftest import GOLDEN

MODEL = GOLDEN / "golden.isthmus"
SHAPE = (64, 72, 3)
needs_avif = pytest.mark.skipif(not foreign.has_avif(), reason="this Pillow has no AVIF")


def _drawing():
    pixels = np.full(SHAPE, 250, np.uint8)
    pixels[10:40, 8:60] = (200, 30, 40)
    pixels[::7, 20:50] = (10, 10, 120)
    return pixels


def _texture():
    random = np.random.default_rng(5)
    coarse = random.normal(128, 50, (8, 9, 3)).repeat(8, 0).repeat(8, 1)
    return np.clip(coarse + random.normal(0, 6, coarse.shape), 0, 255).astype(np.uint8)


def _rings():
    """Smooth lines on flat ground: what AVIF codes in fewer bytes than the others."""
    random, image = np.random.default_rng(2), Image.new("RGB", (640, 512), (240, 240, 240))
    draw = ImageDraw.Draw(image)
    for _ in range(9):
        x, y, radius = random.integers(0, 640), random.integers(0, 512), random.integers(20, 80)
        colour = tuple(random.integers(0, 200, 3).tolist())
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=6)
    return np.asarray(image.resize((160, 128), Image.Resampling.LANCZOS))


def _alpha(pixels):
    return np.clip(np.add.outer(np.arange(pixels.shape[0]), np.arange(pixels.shape[1])) * 2, 0, 255).astype(np.uint8)


PICTURES = {
    "texture": _texture(),
    "drawing": _drawing(),
    "grey as colour": np.repeat(_texture()[:, :, :1], 3, 2),
    "grey": _texture()[:, :, :1],
    "cut out": np.dstack([_texture(), _alpha(_texture())]),
    "logo": np.dstack([_drawing(), _alpha(_drawing())]),
    "opaque": np.dstack([_texture(), np.full(SHAPE[:2], 255, np.uint8)]),
    "grey with alpha": np.dstack([_texture()[:, :, :1], _alpha(_texture())]),
    "drawing again": _drawing(),
}


@pytest.fixture(scope="module")
def model():
    """The shipped model of photographs."""
    return load_model("photo", threads=1)


def _pack(pictures, path, model, **options):
    sources = [_source(name, pixels) for name, pixels in pictures.items()]
    done = pack_to_file(sources, path, model, PackOptions(60, **options))
    assert not done.rejected
    return done, Pack(path, model=model)


def _source(name, pixels):
    return Source(name, data=_png(pixels)) if pixels.shape[2] in (2, 4) else Source(name, pixels=pixels)


def _png(pixels):
    import io

    out = io.BytesIO()
    Image.fromarray(pixels, "LA" if pixels.shape[2] == 2 else "RGBA").save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def mixed(tmp_path_factory, model):
    """A pack of pictures of all kinds."""
    return _pack(PICTURES, tmp_path_factory.mktemp("pack") / "mixed.isthpack", model)


def test_each_picture_has_the_coding_that_suits_it(mixed, model, tmp_path):
    """A drawing comes back exactly, in fewer bytes than the model makes of it; a texture is the model's."""
    done, pack = mixed
    codings = {one["name"]: one["coding"] for one in pictures_of_pack(Path(pack.path))}
    assert codings["texture"] == codings["grey"] == codings["grey as colour"] == codings["opaque"] == "learned"
    assert codings["drawing"] == codings["drawing again"] == codings["logo"] == "webp"
    np.testing.assert_array_equal(pack["drawing"], _drawing())
    _, learned = _pack({"drawing": _drawing()}, tmp_path / "b.isthpack", model, coding="learned")
    assert len(pack.payloads([1])[0]) < len(learned.payloads([0])[0])
    facts = describe(Path(pack.path))
    assert facts["codings"] == dict(done.codings)
    assert sum(facts["codings"].values()) == len(PICTURES)
    assert facts["with_alpha"] == 3


def test_every_picture_is_there_in_any_order(mixed):
    """Alone, in batches and as one of many, by place and by name."""
    _, pack = mixed
    names = list(PICTURES)
    every = pack.read_batch(range(len(pack)))
    for index in (8, 0, 5, 3, 1, 4):
        np.testing.assert_array_equal(pack[index], every[index])
        np.testing.assert_array_equal(pack[names[index]], every[index])
    for one, other in zip(pack, every, strict=True):
        np.testing.assert_array_equal(one, other)
    for name, one in zip(names, every, strict=True):
        has_alpha = PICTURES[name].shape[2] in (2, 4) and name != "opaque"
        assert one.shape == (*PICTURES[name].shape[:2], 4 if has_alpha else 3)


def test_grey_stays_grey(mixed):
    """Neutral to the last bit, whether it was stored in one channel or in three."""
    _, pack = mixed
    for name in ("grey", "grey as colour", "grey with alpha"):
        colours = pack[name][:, :, :3]
        assert np.array_equal(colours[:, :, 0], colours[:, :, 1])
        assert np.array_equal(colours[:, :, 0], colours[:, :, 2])
        assert np.abs(colours.astype(int) - PICTURES[name][:, :, :1]).mean() < 5


def test_alpha_is_exact(mixed, golden_model, tmp_path):
    """Of learned and of exact pictures; of a model that has one size, too."""
    _, pack = mixed
    for name in ("cut out", "logo", "grey with alpha"):
        np.testing.assert_array_equal(pack[name][:, :, -1], PICTURES[name][:, :, -1])
    logo = pack["logo"]
    np.testing.assert_array_equal(logo[logo[:, :, 3] > 0], PICTURES["logo"][logo[:, :, 3] > 0])
    small = np.random.default_rng(1).integers(0, 256, (8, 8, 2), np.uint8)
    plain = {"plain": small[:, :, :1], "alpha": small}
    _, digits = _pack(plain, tmp_path / "digits.isthpack", golden_model)
    np.testing.assert_array_equal(digits["alpha"][:, :, 1], small[:, :, 1])
    np.testing.assert_array_equal(digits["alpha"][:, :, 0], digits["plain"])
    codes = digits.read_codes([0, 1])
    np.testing.assert_array_equal(codes[0], codes[1])


@pytest.mark.parametrize("coding", ["learned", "exact", pytest.param("graphics", marks=needs_avif)])
def test_one_coding_for_all_is_kept_to(coding, model, tmp_path):
    """With alpha and in grey as well; exact pictures need no model to be read."""
    wanted = {"learned": "learned", "exact": "webp", "graphics": "avif"}[coding]
    _, pack = _pack(PICTURES, tmp_path / "a.isthpack", model, coding=coding)
    assert describe(tmp_path / "a.isthpack")["codings"] == {wanted: len(PICTURES)}
    assert pack.needs_model == (coding == "learned")
    for name in ("cut out", "logo", "grey with alpha"):
        np.testing.assert_array_equal(pack[name][:, :, -1], PICTURES[name][:, :, -1])
    colours = pack["grey as colour"]
    assert np.array_equal(colours[:, :, 0], colours[:, :, 2])
    if coding == "exact":
        other = Pack(tmp_path / "a.isthpack", model=tmp_path / "nowhere.isthmus")
        np.testing.assert_array_equal(other["texture"], _texture())
        assert len(list(unpack(tmp_path / "a.isthpack", tmp_path / "o", UnpackOptions(), engine=Engine())[1])) == 9
    else:
        assert np.abs(pack["texture"].astype(int) - _texture()).mean() < 10
    with pytest.raises(UsageError, match="a coding is one of"):
        PackOptions(60, coding="best")


@needs_avif
def test_graphics_are_smaller_than_learned(model, tmp_path):
    """Where AVIF is best, it is taken, and its quality stands in the table."""
    pictures = {"rings": _rings(), "texture": _texture()}
    done, pack = _pack(pictures, tmp_path / "a.isthpack", model)
    _, learned = _pack(pictures, tmp_path / "b.isthpack", model, coding="learned")
    assert done.codings == {"avif": 1, "learned": 1}
    assert len(pack.payloads([0])[0]) < 0.97 * len(learned.payloads([0])[0])
    assert pack.payloads([1]) == learned.payloads([1])
    assert pack.layout.table.qualities is not None
    assert pack.layout.table.qualities[1] == 60
    assert pack.images([0])[0].quality == pack.layout.table.qualities[0]


def test_framing_is_small(mixed, model, tmp_path):
    """What a pack has beside WebP's own bytes is a few for each picture."""
    sprites = {f"{index:02}": _drawing()[index : index + 16, 8 + index : 24 + index] for index in range(40)}
    _pack(sprites, tmp_path / "a.isthpack", model, coding="exact")
    alone = [foreign.encode_webp(sprite, None, keep_hidden=False) for sprite in sprites.values()]
    assert (tmp_path / "a.isthpack").stat().st_size <= sum(map(len, alone)) + 4 * len(sprites) + 120


def test_large_flat_pictures_are_read_again(model, tmp_path):
    """What is written is read, however few bytes a flat picture takes; several tiles, with and without alpha."""
    flat = np.full((8200, 40, 3), 200, np.uint8)
    clear = np.dstack([flat, np.full(flat.shape[:2], 7, np.uint8)])
    _, pack = _pack({"flat": flat, "clear": clear}, tmp_path / "a.isthpack", model, coding="exact")
    np.testing.assert_array_equal(pack["flat"], flat)
    np.testing.assert_array_equal(pack["clear"], clear)
    assert len(pack.images([0])[0].tiles) == 3


def test_jobs_and_steps_give_the_same_bytes(mixed, model, tmp_path):
    """Processes, and what is appended."""
    _, pack = mixed
    whole = (tmp_path / "whole.isthpack", tmp_path / "jobs.isthpack")
    sources = [_source(name, pixels) for name, pixels in PICTURES.items()]
    pack_to_file(sources, whole[0], model, PackOptions(60))
    pack_to_file(sources, whole[1], model, PackOptions(60), jobs=2)
    assert whole[0].read_bytes() == whole[1].read_bytes()
    pack_to_file(sources[:4], tmp_path / "c.isthpack", model, PackOptions(60))
    pack_to_file(sources[4:], tmp_path / "c.isthpack", model, PackOptions(60), append=True)
    appended = Pack(tmp_path / "c.isthpack", model=model)
    for one, other in zip(appended, pack, strict=True):
        np.testing.assert_array_equal(one, other)


def test_pictures_come_out_as_files_with_alpha(mixed, tmp_path):
    """PNG holds it; of JPEG it is said that it does not."""
    _, pack = mixed
    run = CliRunner()
    done = run.invoke(app, ["unpack", pack.path, "-o", str(tmp_path / "png")])
    assert done.exit_code == 0, done.output
    for name in PICTURES:
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "png" / f"{name}.png")), pack[name])
    done = run.invoke(app, ["unpack", pack.path, "-o", str(tmp_path / "jpg"), "--format", "jpg"])
    assert done.exit_code == 0
    assert "3 pictures: JPEG has no alpha: laid over white" in done.output
    recovered = run.invoke(app, ["unpack", pack.path, "-o", str(tmp_path / "again"), "--recover"])
    assert recovered.exit_code == 0
    for name in PICTURES:
        assert (tmp_path / "again" / f"{name}.png").read_bytes() == (tmp_path / "png" / f"{name}.png").read_bytes()


def test_the_command_says_what_was_chosen(tmp_path):
    """In a line, in JSON, and by `info`."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, pixels in {"drawing": _drawing(), "texture": _texture()}.items():
        Image.fromarray(pixels).save(folder / f"{name}.png")
    run, target = CliRunner(), str(tmp_path / "a.isthpack")
    said = run.invoke(app, ["pack", str(folder), "-o", target, "--quality", "60"])
    assert said.exit_code == 0, said.output
    assert "1 learned, 1 webp" in said.output
    listed = run.invoke(app, ["info", target, "--list"]).output
    assert ", webp" in listed.splitlines()[0]
    facts = json.loads(
        run.invoke(app, ["pack", str(folder), "-o", target, "--force", "--json", "--coding", "learned"]).stdout
    )
    assert facts["codings"] == {"learned": 2}
    refused = run.invoke(app, ["pack", str(folder), "-o", target, "--force", "--coding", "png"])
    assert refused.exit_code != 0


def _image(model, payload, *, form, size=(72, 64), channels=3, pixel_limit=None):
    header = PackHeader(model.id, channels, 60, size)
    table = PackTable(["one"], np.array([len(payload)]), forms=np.array([form]))
    return stored_image(header, table, 0, payload, lambda: model.coder, pixel_limit=pixel_limit)


def test_forms_that_are_none_are_refused(model, golden_model):
    """A coding, or a bit, that this release does not know; grey in a pack of grey."""
    for form in (3, 15, 0x40, 0x41, 0x83):
        with pytest.raises(UnsupportedVersionError, match="unknown here"):
            _image(model, b"1", form=form)
    with pytest.raises(FormatError, match="grey"):
        _image(golden_model, b"1", form=GREY, size=(8, 8), channels=1)


def _decode(image, model):
    from isthmus.codec import pipeline

    return next(pipeline.pictures_of([image], model.coder))


@pytest.mark.parametrize(
    "name", ["drawing", "logo", "cut out", "grey with alpha", pytest.param("avif", marks=needs_avif)]
)
def test_damaged_payloads_are_an_error_or_a_picture(name, mixed, model, tmp_path):
    """Cut anywhere, with bytes flipped, of another size, form or channels; without alpha where it is announced."""
    _, pack = mixed
    if name == "avif":
        _, pack = _pack({"avif": _rings()}, tmp_path / "a.isthpack", model)
    place = pack.names.find(name)
    assert pack.layout.table.forms is not None
    payload, form = pack.payloads([place])[0], int(pack.layout.table.forms[place])
    size = pack.size(place)
    whole = _decode(_image(model, payload, form=form, size=size), model)
    for cut in range(0, len(payload), max(1, len(payload) // 30)):
        with pytest.raises(FormatError):
            _decode(_image(model, payload[:cut], form=form, size=size), model)
    random = np.random.default_rng(3)
    for _ in range(60):
        flipped = bytearray(payload)
        flipped[random.integers(len(flipped))] ^= 1 << random.integers(8)
        try:
            back = _decode(_image(model, bytes(flipped), form=form, size=size), model)
            assert back.pixels.shape == whole.pixels.shape
        except IsthmusError:
            continue
    for wrong in ((size[0] + 1, size[1]), (size[1], size[0]), (1, 1)):
        with pytest.raises(FormatError):
            _decode(_image(model, payload, form=form, size=wrong), model)
    with pytest.raises(FormatError):
        _image(model, payload + b"x", form=form, size=size)
    padded = _decode(_image(model, payload + bytes(9), form=form, size=size), model)
    np.testing.assert_array_equal(padded.pixels, whole.pixels)
    for other in {0x01, 0x02, 0x20, 0x21, 0x22, 0x31} - {form}:
        try:
            _decode(_image(model, payload, form=other, size=size), model)
        except IsthmusError:
            continue


def test_a_bomb_is_refused_before_it_is_decoded(model):
    """A picture within that is larger than announced, and one that announces more than its bytes hold."""
    small = foreign.encode_webp(np.zeros((8, 8, 1), np.uint8), None, keep_hidden=False)
    large = small[:21] + (16382 | 16382 << 14).to_bytes(4, "little") + small[25:]  # what it says of itself
    payload = stored_pictures._join(1, (large,), None, pixels=512 * 512)
    with pytest.raises(FormatError, match="16383×16383"):
        _decode(_image(model, payload, form=1, size=(512, 512)), model)
    with pytest.raises(LimitError, match="above the limit"):
        _image(model, payload, form=1, size=(8192, 32768))
    with pytest.raises(LimitError, match="above the limit"):
        _image(model, payload, form=1, size=(512, 512), pixel_limit=1000)


def test_colours_in_a_pack_of_grey_are_refused(golden_model):
    """A stranger's WebP has colours where the header says grey, or alpha that is not announced."""
    colours = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    for pixels, alpha, form in ((colours, None, 1), (colours[:, :, :1], colours[:, :, 0], 1)):
        tile = foreign.encode_webp(pixels, alpha, keep_hidden=True)
        payload = stored_pictures._join(form, (tile,), None, pixels=64)
        with pytest.raises(FormatError):
            _decode(_image(golden_model, payload, form=form, size=(8, 8), channels=1), golden_model)


def test_one_damaged_picture_is_one_error(mixed, model, tmp_path):
    """A stranger's pack with right checksums: the other pictures come out."""
    _, pack = mixed
    with PackWriter(tmp_path / "a.isthpack", PackHeader(model.id, 3, 60, None)) as writer:
        assert pack.layout.table.forms is not None
        for place, payload in enumerate(pack.payloads(range(len(pack)))):
            spoilt = payload[:30] + bytes(5) + payload[35:] if pack.names[place] == "logo" else payload
            form = int(pack.layout.table.forms[place])
            writer.add(pack.names[place], spoilt, size=pack.size(place), form=form)
        writer.finish()
    again = Pack(tmp_path / "a.isthpack", model=model)
    np.testing.assert_array_equal(again["cut out"], pack["cut out"])
    with pytest.raises(FormatError):
        again["logo"]
    count, outcomes = unpack(tmp_path / "a.isthpack", tmp_path / "o", UnpackOptions(), engine=Engine(threads=1))
    assert count == len(PICTURES)
    assert [one.name for one in outcomes if one.error is not None] == ["logo"]


def test_packs_without_other_codings_have_no_column_for_them(model, tmp_path):
    """So pictures of the model alone give the bytes that they gave before there were forms."""
    textures = {"a": _texture(), "b": _texture()[::-1].copy()}
    _pack(textures, tmp_path / "a.isthpack", model)
    _pack(textures, tmp_path / "b.isthpack", model, coding="learned")
    data = (tmp_path / "a.isthpack").read_bytes()
    assert data == (tmp_path / "b.isthpack").read_bytes()
    table = read_layout(lambda offset, length: data[offset : offset + length], len(data)).table
    assert (table.forms, table.qualities) == (None, None)
    assert ALPHA != GREY
