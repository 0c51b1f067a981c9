"""Pictures through a model and back, alone and in batches, at a quality, a size or a PSNR."""

from __future__ import annotations

import shutil
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

import isthmus
from isthmus.codec.compressing import CompressOptions, compress_files
from isthmus.codec.decompressing import DecompressOptions, decompress_files
from isthmus.codec.model import load_model
from isthmus.codec.targets import Target
from isthmus.errors import (
    FormatError,
    InputError,
    ModelMismatchError,
    ModelNotFoundError,
    OutputError,
    UnsupportedVersionError,
    UsageError,
)
from isthmus.metrics.distortion import psnr
from isthmus.values import Picture
from isthmus.zoo import finding
from tests.conftest import GOLDEN, job_of


def test_a_batch_gives_the_same_files_as_one_by_one(golden_model, pictures):
    """To the symbol."""
    together = golden_model.encode_batch(list(pictures), quality=60)
    alone = [golden_model.encode(picture, quality=60) for picture in pictures]
    symbols = [(golden_model.symbols(a)[0], golden_model.symbols(b)[0]) for a, b in zip(together, alone, strict=True)]
    assert sum(np.abs(a - b).max() > 1 for a, b in symbols) == 0
    decoded = golden_model.decode_batch(together)
    assert all(np.array_equal(one, golden_model.decode(file)) for one, file in zip(decoded, together, strict=True))


def test_a_batch_may_hold_several_qualities(golden_model, pictures):
    """Each file is decoded with its own quality's steps and tables."""
    files = [golden_model.encode(picture, quality=quality) for quality in (30, 90) for picture in pictures]
    decoded = golden_model.decode_batch(files)
    assert all(np.array_equal(one, golden_model.decode(file)) for one, file in zip(decoded, files, strict=True))


def test_bytes_and_psnr_never_fall_with_the_quality_on_a_set(golden_model, pictures):
    """The mean over pictures like those of the training set, at every tenth quality."""
    sizes, errors = [], []
    for quality in (*range(1, 100, 10), 100):
        files = golden_model.encode_batch(list(pictures[:10]), quality=quality)
        sizes.append(sum(map(len, files)))
        floor = golden_model.pictures_of(golden_model.latents(pictures[:10]))[..., 0] * 255
        errors.append(float(np.mean((np.stack(golden_model.decode_batch(files)) - floor) ** 2)))
    assert sizes == sorted(sizes)
    assert all(later <= 1.02 * earlier for earlier, later in pairwise(errors))
    assert errors[-1] < errors[0] / 10


def test_what_a_model_does_not_take_is_refused_with_what_it_takes(golden_model):
    """And taken with fit."""
    with pytest.raises(ModelMismatchError, match=r"9×8 RGB.*8×8 grey.*--fit"):
        golden_model.encode(np.zeros((8, 9, 3), np.uint8))
    file = golden_model.encode(np.zeros((8, 9, 3), np.uint8), fit=True)
    assert golden_model.decode(file).shape == (8, 8)


@pytest.mark.parametrize("quality", [0, 101, 100.5, -1, float("nan"), "60", True])
def test_what_is_no_quality_is_refused(golden_model, pictures, quality):
    """Whatever it is."""
    with pytest.raises(UsageError):
        golden_model.encode(pictures[0], quality=quality)


@pytest.mark.parametrize(
    "value", [np.zeros((8, 8), float), np.zeros((0, 8), np.uint8), np.zeros((8, 8, 5), np.uint8), "x"]
)
def test_what_is_no_picture_is_refused(golden_model, value):
    """With what one is."""
    with pytest.raises(UsageError):
        golden_model.encode(value)


def test_decode_finds_the_model_by_its_id(golden_model, pictures):
    """Among the installed models; missing, the message names the places."""
    data = golden_model.encode(pictures[0])
    with pytest.raises(ModelNotFoundError, match=r"isthmus models add") as caught:
        isthmus.decode(data)
    assert caught.value.wanted == golden_model.id.hex()
    finding.install(GOLDEN / "golden.isthmus")
    assert np.array_equal(isthmus.decode(data), golden_model.decode(data))
    assert isthmus.load_model("golden").id == golden_model.id
    with pytest.raises(OutputError):
        finding.install(GOLDEN / "golden.isthmus")
    finding.uninstall("golden")
    with pytest.raises(ModelNotFoundError):
        isthmus.load_model("golden")


@pytest.mark.parametrize("name", ["../golden", "a/b", ""])
def test_no_name_leads_out_of_the_models_folder(name):
    """Neither installing nor removing."""
    with pytest.raises(UsageError):
        finding.install(GOLDEN / "golden.isthmus", name=name)
    with pytest.raises(UsageError):
        finding.uninstall(name)


def test_a_file_of_another_version_or_nature_is_its_own_error(golden_model, pictures):
    """Unknown version, text-mode transfer, no .isth at all."""
    data = golden_model.encode(pictures[0])
    with pytest.raises(UnsupportedVersionError, match="version 9"):
        golden_model.decode(data[:7] + b"\x09" + data[8:])
    with pytest.raises(FormatError, match="text-mode"):
        golden_model.decode(data.replace(b"\r\n", b"\n"))
    with pytest.raises(FormatError, match=r"not a \.isth"):
        golden_model.decode(b"GIF89a" + data)


def test_targets_are_met(golden_model, pictures, tmp_path):
    """At most the bytes that were asked for; at least the PSNR."""
    Image.fromarray(pictures[0]).save(tmp_path / "a.png")
    jobs = [job_of(tmp_path / "a.png", tmp_path / "a.isth")]
    limit = (len(golden_model.encode(pictures[0], quality=1)) + len(golden_model.encode(pictures[0], quality=100))) // 2
    outcome = next(compress_files(jobs, golden_model, CompressOptions(Target(file_bytes=limit))))
    assert outcome.result is not None
    assert outcome.result.bytes <= limit
    best = psnr(golden_model.decode(golden_model.encode(pictures[0], quality=100)), pictures[0])
    options = CompressOptions(Target(psnr=best - 0.5), force=True, measure_psnr=True)
    outcome = next(compress_files(jobs, golden_model, options))
    assert outcome.result is not None
    assert outcome.result.psnr >= best - 0.5
    for target in (Target(file_bytes=5), Target(psnr=200.0)):
        assert isinstance(
            next(compress_files(jobs, golden_model, CompressOptions(target, force=True))).error, UsageError
        )
    with pytest.raises(UsageError, match="exclude"):
        Target(quality=3, psnr=30.0)


def test_the_functions_and_the_model_take_the_same(golden_model, pictures):
    """A loaded model, its file or its name; a region; what is made to fit."""
    file = GOLDEN / "golden.isthmus"
    data = golden_model.encode(pictures[0], quality=40)
    for model in (golden_model, file, str(file)):
        assert isthmus.encode(pictures[0], quality=40, model=model) == data
        assert np.array_equal(isthmus.decode(data, model=model), golden_model.decode(data))
    part = golden_model.decode(data, region=(2, 1, 5, 3))
    assert np.array_equal(part, golden_model.decode(data)[1:4, 2:7])
    assert np.array_equal(isthmus.decode(data, model=file, region=(2, 1, 5, 3)), part)
    wide = np.full((16, 24, 3), 90, np.uint8)
    assert isthmus.encode(wide, model=file, fit=True) == golden_model.encode(wide, fit=True)
    with pytest.raises(UsageError, match="beyond the picture"):
        isthmus.decode(data, model=file, region=(2, 1, 50, 3))
    for wrong in ((1, 2, 3), "0,0,1,1", (0, 0, 0, 1), (-1, 0, 1, 1), (0.5, 0, 1, 1)):
        with pytest.raises(UsageError, match="region"):
            golden_model.decode(data, region=wrong)


def test_one_bad_picture_does_not_stop_the_others(golden_model, pictures, tmp_path):
    """Each is reported, the rest are written."""
    sources = []
    for index, picture in enumerate(pictures[:4]):
        sources.append(tmp_path / f"{index}.png")
        Image.fromarray(picture).save(sources[-1])
    sources[1].write_bytes(b"broken")
    Image.new("RGB", (5, 5)).save(sources[2])
    jobs = [job_of(path, tmp_path / "out" / f"{path.stem}.isth") for path in sources]
    outcomes = {one.source.path: one for one in compress_files(jobs, golden_model, CompressOptions(Target()))}
    assert isinstance(outcomes[sources[1]].error, InputError)
    assert isinstance(outcomes[sources[2]].error, ModelMismatchError)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.isth", "3.isth"]
    shutil.copy(GOLDEN / "golden.isthmus", tmp_path / "out")
    (tmp_path / "out" / "bad.isth").write_bytes(b"\x89ISTH\r\n")
    names = ["0", "3", "bad"]
    back = [job_of(tmp_path / "out" / f"{name}.isth", tmp_path / "back" / f"{name}.png") for name in names]
    options = DecompressOptions()  # the model lies beside them
    errors = [outcome.error for outcome in decompress_files(back, None, options)]
    assert [error is None for error in errors] == [True, True, False]


def test_a_file_that_grew_is_said_to(tmp_path):
    """A drawing whose PNG is smaller than what the photo codec makes of it; a noisy picture's is not."""
    drawing, noise = tmp_path / "drawing.png", tmp_path / "noise.png"
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(noise)
    Image.fromarray(np.where(pixels[..., 0] < 128, np.uint8(0), np.uint8(255))).convert("1").save(drawing)
    jobs = [job_of(path, path.with_suffix(".isth")) for path in (drawing, noise)]
    grown, shrunk = compress_files(jobs, load_model("photo"), CompressOptions(Target(90), "learned"))
    assert grown.notes[-1] == "its own file is smaller"
    assert not shrunk.notes


def test_extras_of_a_picture_survive(golden_model, pictures):
    """Alpha exactly, ICC and EXIF byte for byte."""
    from isthmus.codec import pipeline

    alpha = pictures[15]
    picture = Picture(pictures[0][:, :, None], alpha=alpha, icc=b"profile", exif=b"Exif\0\0data")
    back = pipeline.decode(pipeline.encode([picture], golden_model.coder, quality=50), golden_model.coder)[0]
    assert np.array_equal(back.alpha, alpha)
    assert (back.icc, back.exif) == (b"profile", b"Exif\0\0data")
