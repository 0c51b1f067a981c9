"""A folder of shards has the same bytes however it was made, and is whole or resumed."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isthmus.description import describe
from isthmus.errors import FormatError, InputError, OutputError, TruncatedError, UsageError
from isthmus.packs import sharding
from isthmus.packs.manifest import read_manifest
from isthmus.packs.pack import Pack
from isthmus.packs.packing import PackOptions
from isthmus.packs.sharding import in_processes, make_shard, pack_to_shards
from isthmus.sources.finding import find_sources
from isthmus.sources.source import ArraySources

HERE = partial(in_processes, jobs=1)
QUALITY = PackOptions(75)


@pytest.fixture
def folder(pictures, tmp_path) -> Path:
    """20 pictures, a damaged file and one of another size."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{index:02d}.png")
    (folder / "05-damaged.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    Image.new("L", (9, 8)).save(folder / "12-wide.png")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_shards_hold_every_picture_once_and_the_manifest_sums_up(folder, golden_model, pictures, tmp_path):
    """What cannot be packed has a reason in rejected.csv; nothing else is left in the folder."""
    done = pack_to_shards(find_sources(str(folder)), tmp_path / "out", golden_model, QUALITY, HERE, shard_size=6)
    assert (done.shards, done.pictures, done.rejected) == (4, 20, 2)
    manifest = read_manifest(tmp_path / "out" / "manifest.json")
    assert [shard.pictures for shard in manifest.shards] == [5, 6, 5, 4]
    names = []
    for shard in manifest.shards:
        data = (tmp_path / "out" / shard.file).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (shard.bytes, shard.sha256)
        with Pack(tmp_path / "out" / shard.file, model=golden_model) as pack:
            names += list(pack.names)
            for name in pack.names:
                original = pictures[int(name[:2])]
                assert np.array_equal(pack[name], golden_model.decode(golden_model.encode(original, quality=75)))
    assert names == sorted(path.name for path in folder.iterdir() if "-" not in path.name)
    rows = list(csv.DictReader((tmp_path / "out" / "rejected.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == ["05-damaged.png", "12-wide.png"]
    assert "9×8" in rows[1]["reason"]
    assert sorted(contents(tmp_path / "out")) == [
        "manifest.json",
        *(f"part-0000{n}.isthpack" for n in range(4)),
        "rejected.csv",
    ]
    facts = describe(tmp_path / "out")
    assert (facts["shards"], facts["pictures"], facts["rejected"], facts["bytes"]) == (4, 20, 2, done.bytes)


def test_any_number_of_jobs_and_any_order_give_the_same_bytes(folder, golden_model, tmp_path):
    """Also a shard that is made twice."""

    def backwards(shards, job):
        model = job.load_model()
        for shard in reversed(list(shards)):
            make_shard(shard, job, model)
            yield make_shard(shard, job, model)

    runs = {"one": HERE, "two": partial(in_processes, jobs=2), "backwards": backwards}
    for name, run in runs.items():
        pack_to_shards(find_sources(str(folder)), tmp_path / name, golden_model, QUALITY, run, shard_size=6)
    assert contents(tmp_path / "one") == contents(tmp_path / "two") == contents(tmp_path / "backwards")


def test_a_stopped_run_goes_on_to_the_same_bytes(folder, golden_model, tmp_path, monkeypatch):
    """What is there is not made again, and what a killed worker left behind is cleared away."""
    sources = find_sources(str(folder))
    pack_to_shards(sources, tmp_path / "whole", golden_model, QUALITY, HERE, shard_size=6)
    cut = tmp_path / "cut"

    def stops(shards, job):
        for index in in_processes(shards, job, jobs=1):
            if index == 2:
                (cut / ".part-00002.0123456789ab.isthpack.part").write_bytes(b"half a shard")
                raise KeyboardInterrupt
            yield index

    with pytest.raises(KeyboardInterrupt):
        pack_to_shards(sources, cut, golden_model, QUALITY, stops, shard_size=6)
    assert not (cut / "manifest.json").exists()
    with pytest.raises(OutputError, match="--resume"):
        pack_to_shards(sources, cut, golden_model, QUALITY, HERE, shard_size=6)
    with pytest.raises(UsageError, match=r"shards of 6.*not with.*shards of 7"):
        pack_to_shards(sources, cut, golden_model, QUALITY, HERE, shard_size=7, resume=True)
    with pytest.raises(UsageError, match=r"begun with depth None, not with depth 8$"):
        pack_to_shards(sources, cut, golden_model, replace(QUALITY, depth=8), HERE, shard_size=6, resume=True)
    (cut / "part-00001.isthpack").unlink()
    made = []
    monkeypatch.setattr(
        sharding, "make_shard", lambda shard, *rest: made.append(shard.index) or make_shard(shard, *rest)
    )
    pack_to_shards(sources, cut, golden_model, QUALITY, HERE, shard_size=6, resume=True)
    assert made == [1, 3]
    assert contents(cut) == contents(tmp_path / "whole")
    with pytest.raises(OutputError, match=r"manifest\.json exists"):
        pack_to_shards(sources, cut, golden_model, QUALITY, HERE, shard_size=6, resume=True)


def test_force_replaces_shards_and_nothing_else(folder, golden_model, tmp_path):
    """Fewer shards than before leave none of the old ones; a stranger's file stays."""
    sources = find_sources(str(folder))
    pack_to_shards(sources, tmp_path / "out", golden_model, QUALITY, HERE, shard_size=2)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    pack_to_shards(sources, tmp_path / "out", golden_model, QUALITY, HERE, shard_size=20, force=True)
    assert sorted(contents(tmp_path / "out")) == [
        "manifest.json", "notes.txt", "part-00000.isthpack", "part-00001.isthpack", "rejected.csv",
    ]  # fmt: skip


def test_a_shard_of_nothing_but_rejections_has_no_file(folder, golden_model, tmp_path):
    """And a run of nothing but rejections is an error with the first reason."""
    done = pack_to_shards(find_sources(str(folder)), tmp_path / "out", golden_model, QUALITY, HERE, shard_size=1)
    assert (done.shards, done.pictures, done.rejected) == (20, 20, 2)
    assert read_manifest(tmp_path / "out" / "manifest.json").shards[6].file != ""
    for path in folder.glob("??.png"):
        path.unlink()
    with pytest.raises(InputError, match=r"none of the 2 pictures can be packed: .*05-damaged"):
        pack_to_shards(find_sources(str(folder)), tmp_path / "none", golden_model, QUALITY, HERE, shard_size=1)


def test_a_run_of_an_idx_file_keeps_names_and_labels(pictures):
    """Sliced as a list of all its pictures would be."""
    whole = ArraySources(pictures[..., None], np.arange(20, dtype=np.uint8))
    part = whole[6:12][1:]
    assert [(one.name, one.label) for one in part] == [(one.name, one.label) for one in list(whole)[7:12]]
    assert np.array_equal(part[0].pixels, whole[7].pixels)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda value: value | {"format": "else"}, FormatError),
        (lambda value: value | {"version": 2}, FormatError),
        (lambda value: value | {"pictures": 21}, FormatError),
        (lambda value: value | {"model_id": "zz"}, FormatError),
        (lambda value: value | {"shards": [value["shards"][0] | {"file": "../part-00000.isthpack"}]}, FormatError),
        (lambda value: {key: value[key] for key in value if key != "shards"}, FormatError),
        (lambda value: value | {"shards": [1]}, FormatError),
        (lambda value: [value], FormatError),
    ],
)
def test_a_manifest_that_is_none_is_refused(folder, golden_model, tmp_path, change, error):
    """Whatever is wrong with it, and a shard that is missing or cut too."""
    pack_to_shards(find_sources(str(folder)), tmp_path, golden_model, QUALITY, HERE, shard_size=100)
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(error):
        read_manifest(path)


def test_a_shard_that_is_missing_or_cut_is_named(folder, golden_model, tmp_path):
    """By `info`, which reads no shard."""
    pack_to_shards(find_sources(str(folder)), tmp_path / "out", golden_model, QUALITY, HERE, shard_size=100)
    shard = tmp_path / "out" / "part-00000.isthpack"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(TruncatedError, match="part-00000"):
        describe(tmp_path / "out" / "manifest.json")
    shard.unlink()
    with pytest.raises(TruncatedError, match="part-00000"):
        describe(tmp_path / "out" / "manifest.json")


def test_sizes_and_jobs_below_one_are_refused(folder, golden_model, tmp_path):
    """In one line."""
    sources = find_sources(str(folder))
    with pytest.raises(UsageError, match="1 picture or more"):
        pack_to_shards(sources, tmp_path / "out", golden_model, QUALITY, HERE, shard_size=0)
    with pytest.raises(UsageError, match="jobs are 1 or more"):
        pack_to_shards(sources, tmp_path / "out", golden_model, QUALITY, partial(in_processes, jobs=0))
