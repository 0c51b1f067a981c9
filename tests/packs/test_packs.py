"""Packs: what goes in comes out, by position and by name, in any process; bad input loses nothing."""

from __future__ import annotations

import pickle
import struct
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import isthmus
from isthmus.codec.hyperprior import adaptive_quality
from isthmus.codec.model import load_model
from isthmus.container.deflated import deflate
from isthmus.container.image_file import read_image
from isthmus.container.model_file import write_model
from isthmus.container.pack_file import PackHeader
from isthmus.container.pack_names import ListedNames
from isthmus.container.pack_writer import PackWriter
from isthmus.description import describe
from isthmus.errors import (
    ChecksumError,
    FormatError,
    InputError,
    IsthmusError,
    ModelMismatchError,
    ModelNotFoundError,
    OutputError,
    UnsupportedVersionError,
    UsageError,
)
from isthmus.packs.pack import Pack
from isthmus.packs.packing import PackOptions, pack_to_file
from isthmus.packs.unpacking import UnpackOptions, unpack
from isthmus.sources.finding import find_sources
from isthmus.sources.source import Source
from isthmus.transforms.engine import Engine
from tests.conftest import GOLDEN

MODEL = GOLDEN / "golden.isthmus"
PHOTO = GOLDEN / "golden-hyperprior.isthmus"
COUNT = 300
OPTIONS = PackOptions(75)
ENGINE = Engine(threads=1)


@pytest.fixture(scope="module")
def model():
    """The golden model of 8×8 grey pictures."""
    return load_model(MODEL, threads=1)


@pytest.fixture(scope="module")
def pictures():
    """(COUNT, 8, 8, 1) noise."""
    random = np.random.default_rng(4)
    return random.integers(0, 256, (COUNT, 8, 8, 1), np.uint8)


@pytest.fixture(scope="module")
def sources(pictures):
    """The pictures by number, with labels."""
    return [Source(f"{index:05d}.png", pixels=one, label=index % 7) for index, one in enumerate(pictures)]


@pytest.fixture(scope="module")
def path(tmp_path_factory, model, sources):
    """A pack of all of them."""
    path = tmp_path_factory.mktemp("pack") / "a.isthpack"
    done = pack_to_file(sources, path, model, OPTIONS)
    assert (done.pictures, done.rejected, done.bytes) == (COUNT, (), path.stat().st_size)
    return path


@pytest.fixture
def pack(path):
    """It, open, with an engine that has a thread besides the one that calls it."""
    return Pack(path, model=MODEL, threads=2)


def test_pictures_are_those_of_single_files(pack, model, pictures):
    """A pack decodes to what .isth files of the same pictures decode to."""
    assert len(pack) == COUNT
    for index in (0, 1, 127, 128, COUNT - 1):
        expected = model.decode(model.encode(pictures[index], quality=75))
        np.testing.assert_array_equal(pack[index], expected)
        np.testing.assert_array_equal(pack[f"{index:05d}.png"], expected)
    np.testing.assert_array_equal(pack[-1], pack[COUNT - 1])
    np.testing.assert_array_equal(pack[::50], [pack[index] for index in range(0, COUNT, 50)])
    np.testing.assert_array_equal(list(pack), pack[:])
    assert pack.labels is not None
    assert pack.labels.tolist() == [index % 7 for index in range(COUNT)]
    assert pack.read_batch([]) == []
    assert pack.read_codes([]).shape[0] == 0
    assert [one.shape for one in pack.read_batch(np.array([-1, 3]))] == [(8, 8)] * 2
    with pytest.raises(IndexError):
        pack[COUNT]
    with pytest.raises(TypeError):
        pack.read_batch([1.5])
    with pytest.raises(KeyError):
        pack["nobody"]
    assert "00003.png" in pack
    assert "3" not in pack


def test_a_list_of_positions_or_names_and_a_mask_choose_pictures(pack):
    """As with arrays; what is not there is said."""
    assert np.array_equal(pack[[1, 2, -1]], [pack[1], pack[2], pack[len(pack) - 1]])
    assert np.array_equal(pack[[pack.names[4], 2]], [pack[4], pack[2]])
    assert np.array_equal(pack[np.array([7, 3])], [pack[7], pack[3]])
    mask = np.arange(len(pack)) % 100 == 5
    assert np.array_equal(pack[mask], [pack[5], pack[105], pack[205]])
    with pytest.raises(IndexError, match="mask has 3 values"):
        pack[mask[:3]]
    with pytest.raises(IndexError):
        pack[[0, len(pack)]]
    with pytest.raises(KeyError):
        pack[["none.png"]]
    with pytest.raises(IndexError, match="list of positions"):
        pack[np.zeros((2, 2), int)]


def test_names_are_a_sequence(pack):
    """Slices, positions from the end, membership and iteration, of counted and of listed names."""
    listed = ListedNames(deflate(b"b.png\0a/c.png\0z.png\0"), 3)
    for names, first in ((pack.names, pack.names[0]), (listed, "b.png")):
        every = list(names)
        assert every[0] == first
        assert len(every) == len(names)
        assert names[:3] == every[:3]
        assert names[::-1] == every[::-1]
        assert names[-1] == every[-1]
        assert every[1] in names
        assert "none" not in names
        for outside in (len(names), -len(names) - 1):
            with pytest.raises(IndexError):
                names[outside]


def test_framing_is_small(path, pack):
    """All that is not payload is at most 4 bytes a picture, the header left out."""
    payload = int(pack.layout.table.lengths.sum())
    assert path.stat().st_size - payload <= 4 * COUNT + 100


def test_packs_go_through_pickles_and_processes(pack):
    """A copy in a spawned or forked process reads the same, also when the engine had threads before the fork."""
    expected = pack.read_batch(range(0, COUNT, 10))
    again = pickle.loads(pickle.dumps(pack))  # noqa: S301
    np.testing.assert_array_equal(again.read_batch(range(0, COUNT, 10)), expected)
    for method in ("spawn", "fork"):
        with ProcessPoolExecutor(2, get_context(method)) as pool:
            results = list(pool.map(pack.read_batch, [range(0, COUNT, 10)] * 3))
        for result in results:
            np.testing.assert_array_equal(result, expected)


def test_a_closed_pack_opens_again(pack):
    """`with` is for the file; the pack goes on."""
    with pack as same:
        first = same[0]
    np.testing.assert_array_equal(pack[0], first)


def test_url(path, pack):
    """A URL of any store is read by range."""
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").pipe("/somewhere/a.isthpack", path.read_bytes())
    far = Pack("memory://somewhere/a.isthpack", model=MODEL, threads=1)
    np.testing.assert_array_equal(far[17:40], pack[17:40])
    np.testing.assert_array_equal(Pack(f"file://{path}", model=MODEL)["00017.png"], pack[17])
    with pytest.raises(IsthmusError, match="cannot be read"):
        Pack("memory://somewhere/else.isthpack")


def test_jobs_give_the_same_bytes(path, model, sources, tmp_path):
    """However many processes code, the file is the same."""
    done = pack_to_file(sources, tmp_path / "b.isthpack", model, OPTIONS, jobs=2)
    assert done.pictures == COUNT
    assert (tmp_path / "b.isthpack").read_bytes() == path.read_bytes()


def test_append_keeps_what_was_there(path, model, pictures, sources, tmp_path):
    """Appending in two steps gives the file of one step, where blocks are whole; a name stays unique."""
    target = tmp_path / "c.isthpack"
    pack_to_file(sources[:256], target, model, OPTIONS)
    done = pack_to_file(sources[256:], target, model, OPTIONS, append=True)
    assert done.pictures == COUNT
    assert target.read_bytes() == path.read_bytes()
    again = pack_to_file(
        [*sources[:1], Source("new.png", pixels=pictures[0], label=0)], target, model, OPTIONS, append=True
    )
    assert [one.name for one in again.rejected] == ["00000.png"]
    assert len(Pack(target, model=MODEL)) == COUNT + 1
    before = target.read_bytes()
    with pytest.raises(InputError, match="none of the 1 pictures"):
        pack_to_file(sources[:1], target, model, OPTIONS, append=True)
    assert target.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["c.isthpack"]
    with pytest.raises(UsageError, match="quality 75"):
        pack_to_file(sources[:1], target, model, PackOptions(50), append=True)


def test_an_unfinished_pack_goes_on(path, model, sources, tmp_path):
    """What a writer left is taken up, up to its last whole block, and gives the same file."""
    target = tmp_path / "d.isthpack"
    full = path.read_bytes()
    for size in (3, 40, 5000, len(full) - 10):
        target.with_name("d.isthpack.part").write_bytes(full[:size])
        with pytest.raises(OutputError, match="--resume"):
            pack_to_file(sources, target, model, OPTIONS)
        if size < 40:  # not even the header
            with pytest.raises(IsthmusError):
                pack_to_file(sources, target, model, OPTIONS, resume=True)
            pack_to_file(sources, target, model, OPTIONS, force=True)
        else:
            pack_to_file(sources, target, model, OPTIONS, resume=True)
        assert target.read_bytes() == full
        target.unlink()
        assert not target.with_name("d.isthpack.part").exists()


def test_two_writers_of_one_pack_do_not_mix(model, tmp_path):
    """The second is refused, whatever it is told."""
    header = PackHeader(model.id, 1, 75, (8, 8))
    with PackWriter(tmp_path / "e.isthpack", header) as first:
        first.add("a", b"1", size=(8, 8))
        for options in ({}, {"resume": True}, {"force": True}):
            with pytest.raises(OutputError):
                PackWriter(tmp_path / "e.isthpack", header, **options)


def test_what_cannot_be_packed_is_named_and_the_rest_packed(model, pictures, tmp_path):
    """Another size, a damaged file, a second picture of one name, a label that is missing."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(pictures[0, :, :, 0]).save(folder / "good.png")
    Image.fromarray(np.zeros((9, 8), np.uint8)).save(folder / "large.png")
    (folder / "broken.png").write_bytes(b"no picture")
    done = pack_to_file(find_sources(str(folder)), tmp_path / "f.isthpack", model, OPTIONS)
    assert done.pictures == 1
    assert {one.name for one in done.rejected} == {"large.png", "broken.png"}
    twice = [Source("x", pixels=pictures[0]), Source("x", pixels=pictures[1]), Source("y", pixels=pictures[1], label=3)]
    done = pack_to_file(twice, tmp_path / "g.isthpack", model, OPTIONS)
    assert [one.name for one in done.rejected] == ["x", "y"]
    with pytest.raises(InputError, match="none of the 1"):
        pack_to_file([Source("../x", pixels=pictures[0])], tmp_path / "h.isthpack", model, OPTIONS)
    assert not (tmp_path / "h.isthpack.part").exists()


def test_pictures_are_made_to_fit_where_that_is_asked_for(model, pictures, tmp_path):
    """Another size, colour, and one frame of an animation."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    frames = [Image.fromarray(one[:, :, 0]) for one in pictures[:2]]
    frames[0].save(folder / "animation.gif", save_all=True, append_images=frames[1:])
    Image.fromarray(np.zeros((30, 20, 3), np.uint8)).save(folder / "large.png")
    refused = pack_to_file(
        [*find_sources(str(folder)), Source("good", pixels=pictures[0])], tmp_path / "a.isthpack", model, OPTIONS
    )
    assert {one.name: one.reason.split(":")[0].split(" has ")[-1] for one in refused.rejected} == {
        "animation.gif": "2 frames",
        "large.png": "the picture is 20×30 RGB, the model golden takes 8×8 grey",
    }
    options = PackOptions(75, fit=True, frame=0)
    done = pack_to_file(find_sources(str(folder)), tmp_path / "b.isthpack", model, options)
    assert (done.pictures, done.rejected) == (2, ())
    pack = Pack(tmp_path / "b.isthpack", model=MODEL, threads=1)
    expected = model.decode(model.encode(np.zeros((30, 20, 3), np.uint8), quality=75, fit=True))
    np.testing.assert_array_equal(pack["large.png"], expected)


def test_memory_holds_a_part_of_the_pictures(path, model, sources, tmp_path, monkeypatch):
    """Pictures larger than what memory should hold are coded in smaller batches; the rest is rejected in order."""
    monkeypatch.setattr("isthmus.packs.packing.BATCH_BYTES", 1000)
    broken = [Source(f"x{index}", data=b"no picture") for index in range(3)]
    mixed = [broken[0], *sources[:20], broken[1], *sources[20:], broken[2]]
    done = pack_to_file(mixed, tmp_path / "m.isthpack", model, OPTIONS)
    assert [one.name for one in done.rejected] == ["x0", "x1", "x2"]
    again, whole = Pack(tmp_path / "m.isthpack", model=MODEL, threads=1), Pack(path, model=MODEL, threads=1)
    assert [again.names[index] for index in range(COUNT)] == [whole.names[index] for index in range(COUNT)]
    difference = np.abs(np.array(again[:], int) - np.array(whole[:], int))
    assert np.mean(difference > 0) < 0.01  # another batch may round a latent differently


@pytest.mark.parametrize("name", ["../x", "/x", "a/../x", "a//b", ".", "", "a\\b", "c:x", "a\nb", "x" * 2000, "\ud800"])
def test_no_name_leads_out_of_the_folder(name, model, tmp_path):
    """Neither when packing nor, should a foreign writer have packed it, when unpacking."""
    header = PackHeader(model.id, 1, 75, (8, 8))
    with PackWriter(tmp_path / "e.isthpack", header) as writer, pytest.raises(InputError):
        writer.add(name, b"1", size=(8, 8))


def test_a_foreign_packs_bad_name_is_not_written(model, pictures, tmp_path, monkeypatch):
    """A writer without our checks cannot make us write outside the folder."""
    monkeypatch.setattr("isthmus.container.pack_writer.name_error", lambda _: None)
    pack_to_file(
        [Source("../../evil.png", pixels=pictures[0]), Source("good.png", pixels=pictures[1])],
        tmp_path / "a.isthpack", model, OPTIONS,
    )  # fmt: skip
    _, outcomes = unpack(
        tmp_path / "a.isthpack", tmp_path / "x" / "y", UnpackOptions(), model=str(MODEL), engine=ENGINE
    )
    errors = {one.name: one.error for one in outcomes}
    assert errors["good.png"] is None
    assert "not one that is written" in str(errors["../../evil.png"])
    assert not list(tmp_path.rglob("evil*"))


def test_unpack_some_and_a_name_that_the_file_system_refuses(path, pack, model, pictures, tmp_path):
    """--only takes a pattern; a name too long for the file system is one error."""
    count, outcomes = unpack(path, tmp_path, UnpackOptions("0000*"), model=str(MODEL), engine=ENGINE)
    assert count == len(list(outcomes)) == 10
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "00007.png")), pack[7])
    with pytest.raises(InputError, match="no name matches"):
        unpack(path, tmp_path, UnpackOptions("z*"), model=str(MODEL), engine=ENGINE)
    long = [
        Source("n" * 300, pixels=pictures[0]),
        Source("b.jpg", pixels=pictures[1]),
        Source("b.png", pixels=pictures[2]),
    ]
    pack_to_file(long, tmp_path / "l.isthpack", model, OPTIONS)
    _, outcomes = unpack(tmp_path / "l.isthpack", tmp_path / "l", UnpackOptions(), model=str(MODEL), engine=ENGINE)
    written = list(outcomes)
    assert [one.error is None for one in written] == [False, True, True]
    assert sorted(one.name for one in (tmp_path / "l").iterdir()) == ["b.png", "b.png.png"]


def test_any_size_with_a_model_for_any(tmp_path, monkeypatch):
    """Pictures of several sizes and modes, one of them in tiles; grey comes back as colour. All have one quality."""
    photo = load_model(PHOTO, threads=1)
    monkeypatch.setattr(adaptive_quality, "QUALITY_PER_OCTAVE", 0)
    random = np.random.default_rng(0)
    shapes = [(1, 1, 3), (40, 70, 3), (30, 1100, 3), (17, 5, 1)]
    pictures = [random.integers(0, 256, shape, np.uint8) for shape in shapes]
    sources = [Source(f"{index}", pixels=one) for index, one in enumerate(pictures)]
    pack_to_file(sources, tmp_path / "p.isthpack", photo, PackOptions(50, coding="learned"))
    pack = Pack(tmp_path / "p.isthpack", model=PHOTO, threads=1)
    for index, picture in enumerate(pictures):
        expected = photo.decode(photo.encode(picture, quality=50))
        colour = np.repeat(expected[:, :, None], 3, axis=2) if expected.ndim == 2 else expected
        np.testing.assert_array_equal(pack[index], colour)
        assert pack.size(index) == (picture.shape[1], picture.shape[0])


def test_sources_by_pattern_and_idx(tmp_path):
    """Names are relative to what the pattern fixes; an IDX file's are numbers."""
    for name in ("a/1.png", "a/b/2.png", "3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / name)
    assert [one.name for one in find_sources(f"{tmp_path}/a/**/*.png")] == ["1.png", "b/2.png"]
    assert [one.name for one in find_sources(str(tmp_path))] == ["3.png", "a/1.png", "a/b/2.png"]
    idx, labels = tmp_path / "digits-idx3-ubyte", tmp_path / "labels-idx1-ubyte"
    idx.write_bytes(struct.pack(">HBB3I", 0, 8, 3, 2, 8, 8) + bytes(128))
    labels.write_bytes(struct.pack(">HBBI", 0, 8, 1, 2) + bytes([5, 6]))
    found = find_sources(str(idx), labels=labels)
    assert [(one.name, one.label) for one in found] == [("00000.png", 5), ("00001.png", 6)]
    labels.write_bytes(struct.pack(">HBBI", 0, 8, 1, 1) + bytes([5]))
    with pytest.raises(InputError, match="1 labels for 2 pictures"):
        find_sources(str(idx), labels=labels)
    with pytest.raises(InputError, match="does not exist"):
        find_sources(str(tmp_path / "nowhere"))


def test_a_missing_model_is_said(path, tmp_path):
    """With the id and where it was looked for."""
    lonely = tmp_path / "lonely.isthpack"
    lonely.write_bytes(path.read_bytes())
    with pytest.raises(ModelNotFoundError):
        Pack(lonely)[0]
    assert len(Pack(lonely)) == COUNT
    with pytest.raises(IsthmusError, match="needs the model"):
        Pack(lonely, model=PHOTO)[0]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_is_an_error_or_nothing(path, pack, tmp_path, data):
    """A byte flipped or the end cut off: an error, or exactly the original pictures; never others."""
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    damaged = tmp_path / "damaged.isthpack"
    damaged.write_bytes(content)
    expected = pack.read_batch(range(0, COUNT, 37))
    try:
        other = Pack(damaged, model=MODEL, threads=1)
    except IsthmusError:
        return
    for index, one in zip(range(0, COUNT, 37), expected, strict=True):
        try:
            np.testing.assert_array_equal(other[index], one)
        except IsthmusError:
            continue


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_recovery_gives_every_whole_block(path, pack, tmp_path, data):
    """What --recover writes is right, and all but the damaged block is there."""
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(40, len(content) - 1))
    content[place] ^= 0x55
    damaged = tmp_path / "damaged.isthpack"
    damaged.write_bytes(content)
    options = UnpackOptions(recover=True, force=True)
    count, outcomes = unpack(damaged, tmp_path / "out", options, model=str(MODEL), engine=ENGINE)
    assert count >= COUNT - 128
    for outcome in list(outcomes)[::29]:
        assert outcome.output is not None
        np.testing.assert_array_equal(np.asarray(Image.open(outcome.output)), pack[outcome.name])


def test_labels_for_all_or_none_and_a_foreign_file(path, tmp_path):
    """What is no pack is said to be none."""
    (tmp_path / "x.isthpack").write_bytes(b"PK no pack at all")
    with pytest.raises(FormatError, match=r"not a \.isthpack"):
        Pack(tmp_path / "x.isthpack")
    with pytest.raises(InputError):
        Pack(tmp_path / "missing.isthpack")
    (tmp_path / "empty.isthpack").write_bytes(b"")
    with pytest.raises(IsthmusError):
        Pack(tmp_path / "empty.isthpack")


def test_it_is_part_of_the_package(path):
    """isthmus.Pack is what users import; a string is a path too."""
    assert isthmus.Pack is Pack
    assert len(isthmus.Pack(str(path))) == COUNT
    assert Path(isthmus.Pack(path).path) == path


def test_a_pack_with_its_model_opens_anywhere(path, pack, sources, model, tmp_path):
    """Alone in a folder, also unfinished and appended to; its bytes are those of the pack without, and the model."""
    alone = tmp_path / "alone.isthpack"
    pack_to_file(sources[:200], alone, model, PackOptions(75, embed=True))
    pack_to_file(sources[200:], alone, model, OPTIONS, append=True)
    assert describe(alone)["model"] == "within"
    opened = Pack(alone, threads=1)
    np.testing.assert_array_equal(opened[250], pack[250])
    assert opened.model.name == model.name
    assert 0 < alone.stat().st_size - path.stat().st_size - len(MODEL.read_bytes()) < 300
    again = pickle.loads(pickle.dumps(opened))  # noqa: S301
    np.testing.assert_array_equal(again[3], pack[3])
    part = tmp_path / "cut.isthpack.part"
    part.write_bytes(alone.read_bytes()[:-800])
    count, outcomes = unpack(part, tmp_path / "out", UnpackOptions("0001*", recover=True), engine=ENGINE)
    assert count == len(list(outcomes)) == 10
    damaged = bytearray(alone.read_bytes())
    damaged[2000] ^= 1
    (tmp_path / "damaged.isthpack").write_bytes(damaged)
    with pytest.raises(ChecksumError, match="model"):
        Pack(tmp_path / "damaged.isthpack")[0]


def test_a_pack_that_holds_another_model_than_it_names_is_refused(sources, model, tmp_path):
    """The checks of the model are those of a model file, and its id is the header's."""
    wrong = write_model(load_model(PHOTO).file)
    for held, error in ((wrong, ModelMismatchError), (b"no model", FormatError)):
        target = tmp_path / f"{len(held)}.isthpack"
        with PackWriter(target, PackHeader(model.id, 1, 75, (8, 8)), sections={1: held}) as writer:
            writer.add("a", b"1", size=(8, 8))
            writer.finish()
        with pytest.raises(error):
            Pack(target)[0]


def test_pictures_of_other_forms_are_refused_one_by_one(model, pictures, tmp_path):
    """A form that this release does not know is one picture's error; qualities of their own are followed."""
    header = PackHeader(model.id, 1, 75, (8, 8))
    payloads = {quality: read_image(model.encode(pictures[0], quality=quality)).tiles[0] for quality in (75, 40)}
    with PackWriter(tmp_path / "a.isthpack", header) as writer:
        writer.add("plain", payloads[75], size=(8, 8))
        writer.add("strange", payloads[75], size=(8, 8), form=9)
        writer.add("coarse", payloads[40], size=(8, 8), quality=40)
        writer.finish()
    pack = Pack(tmp_path / "a.isthpack", model=MODEL, threads=1)
    for name, quality in (("plain", 75), ("coarse", 40)):
        np.testing.assert_array_equal(pack[name], model.decode(model.encode(pictures[0], quality=quality)))
    with pytest.raises(UnsupportedVersionError, match="'strange' has the form 0x09"):
        pack["strange"]
    assert len(pack.read_codes([0])) == len(pack.read_codes([2])) == 1
    with pytest.raises(UsageError, match="several qualities"):
        pack.read_codes([0, 2])
    count, outcomes = unpack(
        tmp_path / "a.isthpack", tmp_path / "o", UnpackOptions(recover=True), model=str(MODEL), engine=ENGINE
    )
    assert (count, [one.error is None for one in outcomes]) == (3, [True, False, True])


def test_what_is_appended_to_a_pack_of_version_1_is_of_version_1(model, pictures, tmp_path):
    """Its blocks stay as they are; every picture is read."""
    target = tmp_path / "two.isthpack"
    target.write_bytes((GOLDEN / "two.isthpack").read_bytes())
    pack_to_file([Source("more", pixels=pictures[0], label=1)], target, model, OPTIONS, append=True)
    pack = Pack(target, model=MODEL, threads=1)
    assert pack.layout.header.version == 1
    assert [pack.names[index] for index in range(3)] == ["0.png", "1.png", "more"]
    np.testing.assert_array_equal(pack["more"], model.decode(model.encode(pictures[0], quality=75)))
