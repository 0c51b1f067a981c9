"""The denoiser for photographs on ONNX Runtime: tiles, strength, estimates, files, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

from isthmus.cli import main
from isthmus.codec import photo_denoiser
from isthmus.codec.compressing import CompressOptions, compress_files
from isthmus.codec.photo_denoiser import PhotoDenoiser
from isthmus.codec.photo_denoising import (
    DenoiseOptions,
    denoise_photos,
    denoise_picture,
    kept_suffix,
    load_denoiser,
    load_photo_denoiser,
)
from isthmus.codec.targets import Target
from isthmus.container.model_file import parse_model, write_model
from isthmus.errors import FormatError, ModelMismatchError, OutputError, UsageError
from isthmus.imaging.reading import read_picture
from isthmus.values import Picture
from tests.conftest import GOLDEN, job_of
from tests.learn.denoiser.small_denoiser import small_denoiser, small_file


@pytest.fixture(scope="module")
def denoiser() -> PhotoDenoiser:
    """Of random weights."""
    return small_denoiser()


@pytest.fixture
def model(tmp_path):
    """The same as a file."""
    path = tmp_path / "small.isthmus"
    path.write_bytes(small_file())
    return path


def _picture(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (37, 1), (7, 9), (64, 64), (83, 121)])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size_and_mode_comes_back_as_it_was(denoiser, size, channels):
    """From one pixel on; the input is not changed."""
    pixels = _picture(*size, channels)
    kept = pixels.copy()
    assert denoiser.denoise(pixels).shape == pixels.shape
    assert np.array_equal(pixels, kept)


def test_tiles_give_what_the_whole_picture_gives(denoiser, monkeypatch):
    """Within 1 of 255: no seam."""
    pixels = _picture(301, 277)
    whole = denoiser.denoise(pixels, level=40)
    monkeypatch.setattr(photo_denoiser, "LARGEST_WHOLE", 64)
    monkeypatch.setattr(photo_denoiser, "TILE", 64)
    tiled = denoiser.denoise(pixels, level=40)
    assert np.abs(whole.astype(int) - tiled).max() <= 1
    assert (whole != pixels).mean() > 0.3


def test_strength_goes_from_nothing_to_twice_the_level(denoiser):
    """0 changes no pixel; 50 is what is estimated; more removes more."""
    pixels = _picture(64, 64)
    assert np.array_equal(denoiser.denoise(pixels, level=30, strength=0), pixels)
    assert np.array_equal(denoiser.denoise(pixels, level=0), pixels)
    changes = [
        np.abs(denoiser.denoise(pixels, level=20, strength=strength).astype(int) - pixels).mean()
        for strength in (10, 30, 50, 100)
    ]
    assert changes == sorted(changes)
    assert np.array_equal(
        denoiser.denoise(pixels), denoiser.denoise(pixels, level=denoiser.estimate(pixels), strength=50)
    )


@pytest.mark.parametrize(("options", "said"), [({"strength": 101}, "0 to 100"), ({"level": -1}, "0 to 255")])
def test_what_is_no_strength_or_level_is_refused(denoiser, options, said):
    """Before anything is computed."""
    with pytest.raises(UsageError, match=said):
        denoiser.denoise(_picture(8, 8), **options)


def test_values_beyond_black_and_white_are_taken(denoiser):
    """As noise that is not clipped has them."""
    values = np.random.default_rng(0).normal(0.5, 0.6, (40, 48, 3)).astype(np.float32)
    assert denoiser.denoise_values(values, level=0.1).shape == values.shape
    assert denoiser.estimate_values(values) >= 0


def test_weights_that_are_no_numbers_are_said(denoiser):
    """And no picture is made of them."""
    broken = _with_weights(denoiser, float("nan"))
    with pytest.raises(FormatError, match="no finite"):
        broken.denoise(_picture(16, 16), level=10)


def test_a_model_with_other_parts_is_refused(denoiser):
    """No layout, a strange one, a graph too few: one line each."""
    file = denoiser.file
    for arrays in ({}, {"layout": np.array([8, 1, 2, 3], np.int64)}, {"layout": np.array([7, 1, 2, 3], np.int32)}):
        with pytest.raises(FormatError, match=r"layout|looks"):
            PhotoDenoiser(replace(file, arrays=arrays))
    with pytest.raises(FormatError, match="has no level"):
        PhotoDenoiser(replace(file, graphs={"noise": file.graphs["noise"]}))
    with pytest.raises(ModelMismatchError, match="no denoiser"):
        load_photo_denoiser(GOLDEN / "golden.isthmus")


def test_files_keep_alpha_and_metadata(denoiser, tmp_path):
    """PNG to PNG: alpha, profile, EXIF; the noise level is said; an existing file is not overwritten."""
    exif = Image.Exif()
    exif[0x010E] = "a night"
    image = Image.fromarray(_picture(30, 40, 4))
    profile = read_icc()
    image.save(tmp_path / "in.png", exif=exif.tobytes(), icc_profile=profile)
    job = job_of(tmp_path / "in.png", tmp_path / "out.png")
    (done,) = denoise_photos([job], denoiser, DenoiseOptions())
    assert done.error is None
    assert done.result.noise_level is not None
    before, after = read_picture(tmp_path / "in.png"), read_picture(tmp_path / "out.png")
    assert np.array_equal(before.alpha, after.alpha)
    assert (before.icc, before.exif) == (after.icc, after.exif)
    assert after.icc == profile
    assert np.array_equal(after.pixels, denoiser.denoise(before.pixels))
    (again,) = denoise_photos([job], denoiser, DenoiseOptions())
    assert isinstance(again.error, OutputError)


def read_icc() -> bytes:
    """Some profile."""
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_the_command_denoises_files_and_folders(model, tmp_path, capsys, monkeypatch):
    """Formats kept where asked, the level in JSON, one bad file does not stop the rest."""
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(_picture(20, 30)).save(folder / "a.jpg")
    Image.fromarray(_picture(20, 30)).quantize(16).save(folder / "b.png")
    (folder / "c.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    code = _run(monkeypatch, "denoise", folder, "-o", f"{tmp_path}/out/", "--model", model, "--keep-format", "--json")
    said = capsys.readouterr()
    files = json.loads(said.out)["files"]
    assert code == 1
    assert "c.png" in said.err
    assert [one["output"].rsplit("/", 1)[1] for one in files] == ["a.jpg", "b.png"]
    assert all(one["noise_level"] >= 0 and one["strength"] == 50 for one in files)
    assert (tmp_path / "out" / "a.jpg").read_bytes().startswith(b"\xff\xd8")
    again = ["denoise", folder, "-o", f"{tmp_path}/out/", "--model", model, "--keep-format"]
    assert _run(monkeypatch, *again) == 1
    assert "--skip-existing leaves them" in capsys.readouterr().err
    (folder / "c.png").unlink()
    (tmp_path / "out" / "b.png").unlink()
    assert _run(monkeypatch, *again, "--skip-existing") == 0
    said = capsys.readouterr().out
    assert "b.png: noise level" in said
    assert "1 picture; 1 were there already" in said


def test_the_command_refuses_what_does_not_go_together(model, tmp_path, capsys, monkeypatch):
    """Options of autoencoders and of denoisers; 16 bits without leave."""
    picture = tmp_path / "x.png"
    Image.fromarray(_picture(8, 8)).save(picture)
    autoencoder = GOLDEN / "golden.isthmus"
    for arguments, said in (
        (["--model", autoencoder, "--strength", 10], "for denoisers of photographs"),
        (["--model", autoencoder], "not trained to remove noise"),
        (["--model", model, "--add-noise"], "for autoencoders"),
        (["--model", model, "--strength", 300], "0 to 100"),
    ):
        assert _run(monkeypatch, "denoise", picture, "-o", tmp_path / "y.png", *arguments) != 0
        assert said in capsys.readouterr().err
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(tmp_path / "deep.png")
    deep = ["denoise", tmp_path / "deep.png", "-o", tmp_path / "y.png", "--model", model]
    assert _run(monkeypatch, *deep) == 1
    assert "--depth 8" in capsys.readouterr().err
    assert _run(monkeypatch, *deep, "--depth", 8) == 0


def test_compress_says_what_denoising_saves(denoiser, golden_model, tmp_path):
    """Bytes with the noise beside those without."""
    Image.fromarray(_picture(8, 8, 1)[:, :, 0]).save(tmp_path / "a.png")
    options = CompressOptions(Target(60), "learned", denoiser=denoiser)
    (done,) = compress_files([job_of(tmp_path / "a.png", tmp_path / "a.isth")], golden_model, options)
    plain = golden_model.encode(read_picture(tmp_path / "a.png"), quality=60)
    assert done.result is not None
    assert done.result.noisy_bytes == pytest.approx(len(plain), abs=2)  # what was asked for stands in the file
    clean = denoise_picture(read_picture(tmp_path / "a.png"), denoiser)[0]
    assert np.array_equal(
        golden_model.decode((tmp_path / "a.isth").read_bytes()),
        golden_model.decode(golden_model.encode(clean, quality=60)),
    )


def test_a_picture_is_changed_in_place_only_where_that_is_asked(denoiser):
    """Its own pixels stay, read-only ones in any case."""
    picture = Picture(_picture(16, 16))
    kept = picture.pixels.copy()
    denoise_picture(picture, denoiser)
    assert np.array_equal(picture.pixels, kept)
    picture.pixels.flags.writeable = False
    denoise_picture(picture, denoiser, in_place=True)
    assert np.array_equal(picture.pixels, kept)


def test_results_have_their_sources_formats():
    """Where pictures are written in them."""
    assert [kept_suffix(name) for name in ("a.JPG", "b.png", "c.gif", "d")] == [".jpg", ".png", ".png", ".png"]


def test_a_denoiser_is_found_by_its_path(model):
    """As any model."""
    assert isinstance(load_denoiser(model), PhotoDenoiser)


def _with_weights(denoiser: PhotoDenoiser, value: float) -> PhotoDenoiser:
    """With a last bias of that value."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string(denoiser.file.graphs["noise"])
    last = [one for one in graph.graph.node if one.op_type == "Conv"][-1].input[2]
    for number, one in enumerate(graph.graph.initializer):
        if one.name == last:
            values = np.full_like(numpy_helper.to_array(one), value)
            graph.graph.initializer[number].CopyFrom(numpy_helper.from_array(values, last))
    data = graph.SerializeToString(deterministic=True)
    file = replace(denoiser.file, graphs={**denoiser.file.graphs, "noise": data})
    return PhotoDenoiser(parse_model(write_model(file), name="broken"))


def _run(monkeypatch, *arguments) -> int:
    """The command's exit code."""
    monkeypatch.setattr("sys.argv", ["isthmus", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main.run()
    return int(ended.value.code or 0)
