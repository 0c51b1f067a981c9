"""One idea of pictures: files, folders, patterns, arrays and sets by name, with parts, counts and labels."""

from __future__ import annotations

import gzip
import io
import struct

import numpy as np
import pytest
from PIL import Image

from isthmus.errors import InputError, LimitError, UsageError
from isthmus.imaging.formats import readable
from isthmus.sources.arrays import holds_arrays, read_labels
from isthmus.sources.finding import find_files, find_sources, look_for
from isthmus.sources.idx import is_idx


def _idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def array():
    """(5, 8, 8) uint8."""
    return np.random.default_rng(0).integers(0, 256, (5, 8, 8), np.uint8)


def _write_idx_pair(folder, array):
    for stem, count in (("train", 5), ("t10k", 2)):
        (folder / f"{stem}-images-idx3-ubyte").write_bytes(_idx(array[:count]))
        (folder / f"{stem}-labels-idx1-ubyte.gz").write_bytes(b"")
        (folder / f"{stem}-labels-idx1-ubyte").write_bytes(_idx(np.arange(count, dtype=np.uint8)))


def test_all_kinds_give_the_same_pictures(array, tmp_path):
    """A folder, a pattern, IDX plain and gzipped, .npy and .npz."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for index, pixels in enumerate(array):
        Image.fromarray(pixels).save(folder / f"{index}.png")
    (tmp_path / "a.idx").write_bytes(_idx(array))
    (tmp_path / "b.gz").write_bytes(gzip.compress(_idx(array)))
    np.save(tmp_path / "c.npy", array)
    np.save(tmp_path / "f.npy", np.asfortranarray(array))
    np.savez_compressed(tmp_path / "d.npz", images=array)
    for word in ("folder", "folder/*.png", "a.idx", "b.gz", "c.npy", "f.npy", "d.npz"):
        found = find_sources(str(tmp_path / word))
        assert np.array_equal([source.read().pixels[..., 0] for source in found], array), word
        assert len(find_sources(str(tmp_path / word), count=2)) == 2
    several = find_sources([str(tmp_path / "a.idx"), str(folder)])
    assert [source.name for source in several[4:7]] == ["00004.png", "0.png", "1.png"]


def test_parts_are_those_of_the_data(array, tmp_path):
    """Of IDX folders, of .npz files as Keras has them, of folders train and test; without a part, both."""
    _write_idx_pair(tmp_path, array)
    np.savez(tmp_path / "k.npz", x_train=array, y_train=np.arange(5), x_test=array[:2], y_test=[[8], [9]])
    for word in (tmp_path, tmp_path / "k.npz"):
        assert len(find_sources(str(word), part="test")) == 2
        assert [source.name for source in find_sources(str(word))][4:6] == ["train/00004.png", "test/00000.png"]
    assert [source.label for source in find_sources(str(tmp_path / "k.npz"), part="test")] == [8, 9]
    for part in ("train", "test"):
        (tmp_path / "split" / part).mkdir(parents=True)
        Image.fromarray(array[0]).save(tmp_path / "split" / part / f"{part}.png")
    assert [source.name for source in find_sources(str(tmp_path / "split"), part="test")] == ["test.png"]
    with pytest.raises(InputError, match="no part 'test'"):
        find_sources(str(tmp_path / "split" / "train"), part="test")
    with pytest.raises(UsageError, match="train or test"):
        find_sources(str(tmp_path), part="validation")


def test_drawn_glyphs_are_a_set(tmp_path, monkeypatch):
    """As many as are asked for; a path of that name goes before it."""
    monkeypatch.chdir(tmp_path)
    assert len(find_sources("glyphs", part="test", count=3)) == 3
    (tmp_path / "glyphs").mkdir()
    assert not len(look_for("glyphs", count=3))


@pytest.mark.parametrize("name", readable())
def test_no_picture_is_taken_for_an_array(name, tmp_path):
    """AVIF, JPEG 2000, TGA, ICO and CUR begin with zeros as IDX does."""
    path = tmp_path / "picture"
    try:
        Image.fromarray(np.zeros((32, 32), np.uint8)).save(path, name)
    except (KeyError, OSError, ValueError):
        pytest.skip(f"Pillow does not write {name}")
    assert not holds_arrays(path)
    if name == "TGA":
        Image.fromarray(np.zeros((32, 32), np.uint8)).save(path, name, compression="tga_rle")
        assert not is_idx(path)


def test_a_word_that_names_nothing_does_not_end_the_others(array, tmp_path):
    """It is a problem beside what was found."""
    Image.fromarray(array[0]).save(tmp_path / "a.png")
    words = ["", "none.png", "a\0b", "x" * 300, str(tmp_path / "*.gif"), str(tmp_path / "a.png")]
    found = look_for(words)
    assert [source.name for source in found] == ["a.png"]
    assert len(found.problems) == 5
    assert not find_files(words[:1], ".isth").is_one_file or len(find_files(words[:1], ".isth").problems) == 1


def test_a_name_with_the_letters_of_a_pattern_is_a_file(array, tmp_path):
    """Brackets and stars are letters of names, too."""
    Image.fromarray(array[0]).save(tmp_path / "a[1]*.png")
    assert [source.name for source in find_sources(str(tmp_path / "a[1]*.png"))] == ["a[1]*.png"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([1.0, np.nan]), "label nan"),
        (np.array([1.0, np.inf]), "label inf"),
        (np.array([1, -1]), "label -1"),
        (np.array([1.5, 1]), "label 1.5"),
        (np.array([1, 2**40]), "label 1099511627776"),
        (np.array(["a", "b"]), "type <U1"),
        (np.array([1, 2, 3]), "3 labels for 2"),
    ],
)
def test_labels_that_are_none_are_one_line(labels, message, tmp_path):
    """NaN, infinity, negative, fractions, huge, text, too many."""
    np.save(tmp_path / "labels.npy", labels)
    with pytest.raises(InputError, match=message):
        read_labels(tmp_path / "labels.npy", 2)


def test_damaged_arrays_are_one_line(array, tmp_path):
    """Cut, flipped and forged: an InputError, and no memory for what a header only announces."""
    out = io.BytesIO()
    np.save(out, array)
    whole = out.getvalue()
    forged = whole.replace(b"(5, 8, 8), ", b"(9" + b"9" * 7 + b",)")
    assert len(forged) == len(whole) and forged != whole
    path = tmp_path / "a.npy"
    for data in (forged, whole[:-1], whole[:20], whole.replace(b"|u1", b"|O1"), whole.replace(b"{", b"(")):
        path.write_bytes(data)
        with pytest.raises(InputError):
            find_sources(str(path))
    np.savez_compressed(tmp_path / "b.npz", images=array)
    data = (tmp_path / "b.npz").read_bytes()
    for cut in range(4, len(data), 41):
        (tmp_path / "b.npz").write_bytes(data[:cut])
        with pytest.raises((InputError, LimitError)):
            find_sources(str(tmp_path / "b.npz"))
