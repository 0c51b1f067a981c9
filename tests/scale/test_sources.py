"""Pictures in Parquet files and on stores are packed as the same pictures in a folder are."""

from __future__ import annotations

import csv
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pyarrow = pytest.importorskip("pyarrow", reason="the extra scale is not installed", exc_type=ImportError)
parquet = pytest.importorskip("pyarrow.parquet", exc_type=ImportError)
pytest.importorskip("fsspec", reason="the extra scale is not installed", exc_type=ImportError)
import fsspec

from isthmus.errors import InputError
from isthmus.packs.pack import Pack
from isthmus.packs.packing import PackOptions
from isthmus.packs.sharding import in_processes, pack_to_shards
from isthmus.sources.finding import find_sources, is_elsewhere
from isthmus.sources.stores import find
from tests.packs.test_sharding import contents, folder  # noqa: F401 - the fixture

HERE = partial(in_processes, jobs=1)
QUALITY = PackOptions(75)


@pytest.fixture
def table(folder) -> pyarrow.Table:  # noqa: F811
    """The folder's 22 files as rows."""
    paths = sorted(folder.iterdir())
    return pyarrow.table(
        {
            "name": [path.name for path in paths],
            "data": [path.read_bytes() for path in paths],
            "label": list(range(len(paths))),
        }
    )


def _shards(sources, target, model):
    pack_to_shards(sources, target, model, QUALITY, HERE, shard_size=6)
    return contents(target)


def test_a_url_is_packed_as_its_folder(folder, golden_model, tmp_path):  # noqa: F811
    """A folder, a pattern and a file of a store; the reasons of what is rejected name the picture."""
    here = _shards(find_sources(str(folder)), tmp_path / "here", golden_model)
    away = _shards(find(f"file://{folder}"), tmp_path / "away", golden_model)
    assert {name: away[name] for name in away if name != "rejected.csv"} == {
        name: here[name] for name in here if name != "rejected.csv"
    }
    rows = list(csv.DictReader(away["rejected.csv"].decode().splitlines()))
    assert [row["name"] for row in rows] == ["05-damaged.png", "12-wide.png"]
    assert [one.name for one in find(f"file://{folder}/0*.png")] == sorted(path.name for path in folder.glob("0*"))
    assert [one.name for one in find(f"file://{folder}/07.png")] == ["07.png"]


def test_a_store_that_loses_a_picture_costs_that_picture(golden_model, tmp_path):
    """It is rejected with the reason; the others are packed."""
    store = fsspec.filesystem("memory")
    for index in range(3):
        store.pipe(f"/lost/{index}.png", b"")
    sources = find("memory://lost")
    store.rm("/lost/1.png")
    assert [(one.name, bool(one.problem)) for one in sources] == [("0.png", False), ("1.png", True), ("2.png", False)]
    with pytest.raises(InputError, match=r"1\.png: cannot be read"):
        list(sources)[1].read()


def test_parquet_rows_are_packed_as_their_files(table, folder, golden_model, tmp_path):  # noqa: F811
    """Row groups that no shard's edge meets, two files in a folder, labels; the pixels are those of the files."""
    rows = tmp_path / "rows"
    rows.mkdir()
    parquet.write_table(table.slice(0, 10), rows / "a.parquet", row_group_size=4)
    parquet.write_table(table.slice(10), rows / "b.parquet", row_group_size=100)
    assert is_elsewhere(str(rows))
    _shards(find_sources(str(folder)), tmp_path / "here", golden_model)
    _shards(find(str(rows)), tmp_path / "away", golden_model)
    for index in range(4):
        with (
            Pack(tmp_path / "here" / f"part-0000{index}.isthpack", model=golden_model) as here,
            Pack(tmp_path / "away" / f"part-0000{index}.isthpack", model=golden_model) as away,
        ):
            assert list(away.names) == list(here.names)
            assert all(np.array_equal(one, other) for one, other in zip(here, away, strict=True))
            assert [table["name"][label].as_py() for label in away.labels.tolist()] == list(away.names)


def test_any_run_of_rows_is_that_run(table, tmp_path):
    """Whatever the row groups."""
    for name, size in (("a", 1), ("b", 5), ("c", 1000)):
        parquet.write_table(table, tmp_path / f"{name}.parquet", row_group_size=size)
    sources = find(str(tmp_path))
    names = [one.name for one in sources]
    assert names == 3 * table["name"].to_pylist()
    for start in range(0, 66, 7):
        for stop in range(start, 66, 5):
            assert [one.name for one in sources[start:stop]] == names[start:stop]
    assert [one.name for one in sources[20:60][5:9]] == names[25:29]


def test_rows_without_names_are_numbered_and_the_column_can_be_chosen(table, tmp_path):
    """A structure of bytes and path, as data sets on the net have it; two columns of bytes need a choice."""
    pictures = [{"bytes": data, "path": None} for data in table["data"].to_pylist()]
    other = pyarrow.table({"image": pictures, "thumbnail": table["data"]})
    parquet.write_table(other, tmp_path / "x.parquet")
    with pytest.raises(InputError, match=r"2 columns of bytes \(image\.bytes, thumbnail\): name one with --column"):
        find(str(tmp_path / "x.parquet"))
    with pytest.raises(InputError, match=r"no column 'picture', but image\.bytes, "):
        find(str(tmp_path / "x.parquet"), column="picture")
    sources = list(find(str(tmp_path / "x.parquet"), column="image.bytes"))
    assert [one.data for one in sources] == table["data"].to_pylist()
    assert [one.name for one in sources] == [f"{index:05d}" for index in range(22)]


def test_damaged_and_missing_rows_are_rejected_one_by_one(table, tmp_path):
    """A row without bytes, and a row group that cannot be read; none is passed over in silence."""
    data = [None, b"", *table["data"].to_pylist()[2:]]
    path = tmp_path / "x.parquet"
    parquet.write_table(table.set_column(1, "data", pyarrow.array(data)), path, row_group_size=11)
    assert [one.name for one in find(str(path)) if one.problem] == table["name"].to_pylist()[:2]
    sources = find(str(path))
    metadata = parquet.ParquetFile(path).metadata.row_group(1).column(1)
    damaged = bytearray(path.read_bytes())
    start = metadata.dictionary_page_offset or metadata.data_page_offset
    damaged[start : start + 40] = bytes(40)
    path.write_bytes(damaged)
    after = list(sources)
    assert len(after) == 22
    assert all("cannot be read" in one.problem for one in after[11:])


@pytest.mark.parametrize("source", ["file:///nowhere/at/all", "nosuchstore://bucket", "/nowhere/x.parquet"])
def test_a_source_that_is_not_there_is_said(source):
    """In one line."""
    with pytest.raises(InputError):
        find(source)


def test_files_that_are_no_parquet_or_do_not_match_are_said(table, tmp_path):
    """Damaged, empty, or of other columns than the first."""
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match=r"x\.parquet"):
        find(str(tmp_path))
    parquet.write_table(table.slice(0, 0), tmp_path / "x.parquet")
    with pytest.raises(InputError, match="no rows"):
        find(str(tmp_path))
    parquet.write_table(table.drop_columns(["label"]), tmp_path / "y.parquet")
    with pytest.raises(InputError, match="different columns"):
        find(str(tmp_path))


def test_the_room_loads_no_training_package():
    """In a fresh interpreter; neither does Ray for us."""
    pytest.importorskip("ray", reason="the extra scale is not installed", exc_type=ImportError)
    names = "isthmus.scale.cluster, isthmus.scale.packing, isthmus.sources.stores"
    code = f"import sys, {names}; sys.exit(', '.join({{'torch', 'onnx', 'sklearn'}} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
