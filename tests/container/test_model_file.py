"""What a model file may be: what is announced is what is there, in the bounds that models have."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from isthmus.codec.model import Model, load_model
from isthmus.container.model_file import parse_model, read_decoded_ids, read_model, write_model
from isthmus.errors import ChecksumError, FormatError, IsthmusError, LimitError, UnsupportedVersionError
from tests.conftest import GOLDEN
from tests.container.hostile import BASE, with_arrays, with_manifest, zipped


def set_to(value, *path):
    """A change of a manifest: a value at a path of names."""

    def change(manifest):
        inner = manifest
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = value

    return change


def without(*path):
    """A change of a manifest: a name less."""

    def change(manifest):
        inner = manifest
        for name in path[:-1]:
            inner = inner[name]
        del inner[path[-1]]

    return change


NUMBERS = [float("nan"), float("inf"), -float("inf"), -1, 0, 101, 1e400, 2**70, "75", True, None, [], {}, 75.5]
CHANGES = {
    **{f"default_quality {value!r}": set_to(value, "default_quality") for value in NUMBERS},
    **{
        f"stride {value!r}": set_to(value, "decoding", "latents", "stride")
        for value in NUMBERS
        if value not in (0, 101, 1)
    },
    **{f"channels {value!r}": set_to(value, "decoding", "picture", "channels") for value in NUMBERS},
    "a height without a width": set_to(None, "decoding", "picture", "height"),
    "pictures beyond the limit": lambda manifest: manifest["decoding"]["picture"].update(height=1 << 20, width=1 << 20),
    "an id that is none": set_to("xyz", "id"),
    "an id of letters": set_to("g" * 16, "id"),
    "an id of another length": set_to("00", "id"),
    "too many ids": set_to(["00" * 8] * 17, "decodes"),
    "ids that are none": set_to([5], "decodes"),
    "no list of ids": set_to("00" * 8, "decodes"),
    "a name that is none": set_to(5, "name"),
    "a name that ends the line": set_to("a\nb", "name"),
    "an endless name": set_to("a" * 1000, "name"),
    "a kind that is none": set_to(5, "decoding", "kind"),
    "facts that are none": set_to([], "facts"),
    "arrays that are none": set_to([], "decoding", "arrays"),
    "members that are none": set_to([], "members"),
    "a member of another length": set_to(5, "members", "steps.array", "bytes"),
    "a member of a negative length": set_to(-1, "members", "steps.array", "bytes"),
    "a member of another hash": set_to("00" * 32, "members", "steps.array", "sha256"),
    "a hash that is none": set_to("x", "members", "steps.array", "sha256"),
    "an array of objects": set_to("|O8", "decoding", "arrays", "steps", "dtype"),
    "an array of another byte order": set_to(">f4", "decoding", "arrays", "steps", "dtype"),
    "an array of a type that is none": set_to(["<f4"], "decoding", "arrays", "steps", "dtype"),
    "an array of a shape that is none": set_to("3", "decoding", "arrays", "steps", "shape"),
    "an array of a negative side": set_to([-1, -600], "decoding", "arrays", "steps", "shape"),
    "an array of another shape": set_to([7, 6], "decoding", "arrays", "steps", "shape"),
    "an array of many sides": set_to([1] * 40, "decoding", "arrays", "steps", "shape"),
    "an array of huge sides": set_to([2**27] * 8, "decoding", "arrays", "steps", "shape"),
    "an array that is not there": set_to({"dtype": "<f4", "shape": [1]}, "decoding", "arrays", "more"),
    "no array": without("decoding", "arrays", "steps"),
    "no decoding": without("decoding"),
    "no members": without("members"),
    "no member": without("members", "steps.array"),
    "no name": without("name"),
    "another format": set_to("isthmus", "format"),
    "a version that is none": set_to("2", "version"),
    "the next version": set_to(3, "version"),
    "no JSON": b"{",
    "no object": b"[]",
    "no text": b"\xff\xfe",
    "brackets without end": b"[" * 200_000,
    "digits without end": b'{"version": ' + b"9" * 5000 + b"}",
    "a name twice": b'{"format": "isthmus model", "format": "isthmus model"}',
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_manifest_that_says_what_none_says_is_one_line(name):
    """Numbers that are none, huge or negative, texts, lists and nothing in the place of anything."""
    with pytest.raises(FormatError) as caught:
        parse_model(with_manifest(CHANGES[name]), name="strange.isthmus")
    assert "\n" not in str(caught.value)
    assert "strange.isthmus" in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_manifest_too_long_is_a_limit_error():
    """No manifest is parsed that is longer than manifests are."""
    with pytest.raises(LimitError, match="larger"):
        parse_model(with_manifest(json.dumps({"facts": "x" * (2 << 20)}).encode()), name="strange")


def test_members_that_nothing_names_are_refused():
    """Whatever they are called, though the manifest lists them with the right hashes; arrays and graphs too."""
    for name in ("more.array", "more.txt", "sub/steps.array"):
        with pytest.raises(FormatError, match="nothing names"):
            parse_model(with_manifest(lambda manifest: None, **{name: b"1234"}), name="strange")
    more = dataclasses.replace(BASE, arrays=dict(BASE.arrays) | {"more": np.zeros(3, np.float32)})
    with pytest.raises(FormatError, match="does not have: more"):
        Model(parse_model(write_model(more), name="strange"))
    more = dataclasses.replace(BASE, graphs=dict(BASE.graphs) | {"more": BASE.graphs["synthesis"]})
    with pytest.raises(FormatError, match="does not have: more"):
        Model(parse_model(write_model(more), name="strange"))
    photo = read_model(GOLDEN / "golden-hyperprior.isthmus")
    more = dataclasses.replace(photo, arrays=dict(photo.arrays) | {"more": np.zeros(3, np.float32)})
    with pytest.raises(FormatError, match="does not have: more"):
        Model(parse_model(write_model(more), name="strange"))


def test_zips_of_other_forms_are_refused(tmp_path):
    """Bytes before, between and behind, comments, other methods, members twice, ZIP64's marks, too many members."""
    good = write_model(BASE)
    stored = with_manifest(lambda manifest: None)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("manifest.json", "{}")
        archive.comment = b"a comment"
    commented = (tmp_path / "a.zip").read_bytes()
    strange = {
        "before": b"MZ" + good,
        "behind": good + b"\0",
        "cut": good[:-1],
        "comment": commented,
        "empty": b"",
        "method": zipped({"manifest.json": b"{}"}, zipfile.ZIP_STORED),
        "lzma": zipped({"manifest.json": b"{}"}, zipfile.ZIP_LZMA),
        "zip64": good[:-22] + b"PK\x06\x07" + bytes(16) + good[-22:],
        "no manifest": zipped({"a": b"b"}),
    }
    for name, data in strange.items():
        with pytest.raises(FormatError) as caught:
            parse_model(data, name=name)
        assert "\n" not in str(caught.value)
    with pytest.raises(LimitError, match="members"):
        parse_model(zipped({f"{index}": b"" for index in range(65)}), name="many")
    assert parse_model(stored, name="good").id == BASE.id


BOMB = """
import hashlib, io, json, resource, sys, zipfile
from isthmus.errors import LimitError
from isthmus.container.model_file import parse_model
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
zeros, out = bytes(40 << 20), io.BytesIO()
members = {f"x{index}.array": {"bytes": len(zeros), "sha256": hashlib.sha256(zeros).hexdigest()} for index in range(20)}
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
    archive.writestr("manifest.json", json.dumps({"format": "isthmus model", "version": 2, "members": members}))
    for name in members:
        archive.writestr(name, zeros)
try:
    parse_model(out.getvalue(), name="bomb")
except LimitError as error:
    print(error)
"""


def test_members_that_unpack_to_more_than_models_have_are_a_limit_error():
    """In total, not each: nothing of them is unpacked, under a limit of a gibibyte for all."""
    done = subprocess.run([sys.executable, "-c", BOMB], capture_output=True, text=True, check=True)
    assert "announce 8388" in done.stdout


def test_a_message_does_not_quote_a_file_without_end():
    """A member whose own head has another name, of 50,000 bytes, than the directory says."""
    data = bytearray(zipped({"manifest.json": bytes(random_bytes(60_000))}))
    data[26:28] = (50_000).to_bytes(2, "little")
    with pytest.raises(FormatError) as caught:
        parse_model(bytes(data), name="talkative")
    assert len(str(caught.value)) < 300


def random_bytes(count):
    """Noise, which does not compress."""
    return np.random.default_rng(0).integers(0, 256, count, np.uint8)


def test_a_directory_that_lies_about_a_length_is_noticed():
    """Of a member that says 10 bytes and unpacks to more, no more is read than that."""
    data = bytearray(zipped({"manifest.json": b" " * 3_000_000}))
    place = data.rindex(b"PK\x01\x02") + 24
    data[place : place + 4] = (10).to_bytes(4, "little")
    with pytest.raises(FormatError):
        parse_model(bytes(data), name="liar")


@pytest.mark.parametrize("value", [np.nan, np.inf, 0, -1])
def test_arrays_of_numbers_that_are_none_are_refused(value):
    """Steps, gains and biases that are not finite, zero or negative steps: one line when the model is loaded."""
    steps = BASE.arrays["steps"].copy()
    steps[50, 3] = value
    with pytest.raises(FormatError, match="positive"):
        Model(parse_model(with_arrays(steps=steps), name="strange"))
    photo = read_model(GOLDEN / "golden-hyperprior.isthmus")
    gains = photo.arrays["gains"].copy()
    gains[50, 3] = value
    biases = photo.arrays["quality_bias"].copy()
    biases[50, 0] = value
    for name, array in (("gains", gains), ("quality_bias", biases)):
        changed = write_model(dataclasses.replace(photo, arrays=dict(photo.arrays) | {name: array}))
        if name == "gains" or not np.isfinite(value):
            with pytest.raises(FormatError, match=name):
                Model(parse_model(changed, name="strange"))


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        *(("layout", at, value) for at in (0, 1) for value in (0, -1, 1 << 30)),
        *(("layout", 2, value) for value in (-1, 1 << 30)),
        *(("analysis_margin", 0, value) for value in (-16, 8, 1 << 30)),
        ("layer.hyper.first.shift", 0, -100),
        ("layer.hyper.first.shift", 0, 127),
        ("companding", 5, 200),
        ("latent_table_index", 3, 255),
        ("latent_symbols_per_step", 0, 0),
    ],
)
def test_arrays_that_no_model_has_are_refused(name, at, value):
    """Channels that the model does not have, margins that no transform needs, shifts, tables that are not there."""
    photo = read_model(GOLDEN / "golden-hyperprior.isthmus")
    array = photo.arrays[name].copy()
    array[at] = value
    changed = dataclasses.replace(photo, arrays=dict(photo.arrays) | {name: array})
    with pytest.raises(FormatError):
        Model(parse_model(write_model(changed), name="strange"))


def test_ids_are_read_of_what_is_a_model_and_of_nothing_else(tmp_path):
    """Looking through a folder never fails, and reads no more than manifests."""
    assert read_decoded_ids(GOLDEN / "golden.isthmus") == (BASE.id,)
    for name, data in (("a", b""), ("b", b"PK\x05\x06"), ("c", with_manifest(b"{"))):
        (tmp_path / name).write_bytes(data)
        assert read_decoded_ids(tmp_path / name) == ()
    assert read_decoded_ids(tmp_path) == read_decoded_ids(tmp_path / "missing") == ()


def test_damage_and_versions_are_told_apart():
    """A member that does not match, and a version to come."""
    with pytest.raises(ChecksumError):
        parse_model(with_manifest(set_to("00" * 32, "members", "steps.array", "sha256")), name="damaged")
    with pytest.raises(ChecksumError, match="altered"):
        parse_model(with_manifest(set_to(60, "decoding", "latents", "stride")), name="altered")
    with pytest.raises(UnsupportedVersionError, match="update isthmus"):
        parse_model(with_manifest(set_to(4, "version")), name="new")
    with pytest.raises(FormatError, match="base"):
        parse_model(with_manifest(set_to(3, "version")), name="a difference of nothing")
    with pytest.raises(IsthmusError):
        load_model(GOLDEN)
