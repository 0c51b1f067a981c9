"""The denoiser that ships: what it promises of size, tiles, levels, clean and flat pictures, on drawn pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from isthmus.cli import main
from isthmus.codec import photo_denoiser
from isthmus.codec.photo_denoising import load_photo_denoiser
from isthmus.metrics.distortion import psnr
from isthmus.zoo.finding import find_by_name


@pytest.fixture(scope="module")
def denoiser():
    """As it ships."""
    return load_photo_denoiser("denoise")


def _scene(height: int, width: int) -> np.ndarray:
    """(rows, columns, 3) uint8: soft light, round things with edges, fine stripes."""
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    scene = np.stack([90 + rows / height * 90, 110 + columns / width * 60, 150 - rows / height * 70], axis=2)
    random = np.random.default_rng(4)
    for _ in range(12):
        row, column, radius = random.integers(0, height), random.integers(0, width), random.integers(8, 40)
        inside = np.clip(radius - np.hypot(rows - row, columns - column), 0, 1)[:, :, None]
        scene = scene * (1 - inside) + inside * random.integers(20, 235, 3)
    scene += 12 * np.sin(columns / 3)[:, :, None] * (rows > height / 2)[:, :, None]
    return np.clip(np.rint(scene), 0, 255).astype(np.uint8)


def _noisy(pixels: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, sigma, pixels.shape)
    return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)


def test_it_is_small():
    """At most 3 MB."""
    assert find_by_name("denoise").stat().st_size <= 3_000_000


@pytest.mark.parametrize(("sigma", "gain"), [(15, 4.0), (25, 6.0), (50, 8.0)])
def test_noise_goes_and_its_level_is_found(denoiser, sigma, gain):
    """By far more than a filter removes; levels within a third."""
    clean = _scene(192, 256)
    noisy = _noisy(clean, sigma)
    assert psnr(denoiser.denoise(noisy), clean) > psnr(noisy, clean) + gain
    assert denoiser.estimate(noisy) == pytest.approx(sigma, rel=0.35)


def test_grey_pictures_stay_grey_and_lose_their_noise(denoiser):
    """One channel in, one out."""
    clean = _scene(192, 192)[:, :, 1:2]
    noisy = _noisy(clean, 25)
    assert psnr(denoiser.denoise(noisy), clean) > psnr(noisy, clean) + 4


def test_a_clean_picture_stays(denoiser):
    """40 dB to itself."""
    clean = _scene(192, 256)
    assert psnr(denoiser.denoise(clean), clean) > 40


@pytest.mark.parametrize("colour", [(40, 60, 90), (128, 128, 128), (220, 180, 140)])
def test_flat_regions_keep_their_mean(denoiser, colour):
    """Within 1 grey level of what the noise made of it; 0.3 was wanted."""
    flat = np.full((128, 128, 3), np.array(colour, np.float32) / 255, np.float32)
    noisy = flat + np.float32(25 / 255) * np.random.default_rng(2).standard_normal(flat.shape, np.float32)
    moved = denoiser.denoise_values(noisy, level=25 / 255).mean((0, 1)) - noisy.mean((0, 1))
    assert 255 * np.abs(moved).max() < 1


def test_tiles_have_no_seams(denoiser, monkeypatch):
    """Within 1 of 255 of the whole picture."""
    noisy = _noisy(_scene(300, 420), 25)
    whole = denoiser.denoise(noisy, level=25)
    monkeypatch.setattr(photo_denoiser, "LARGEST_WHOLE", 128)
    monkeypatch.setattr(photo_denoiser, "TILE", 128)
    assert np.abs(whole.astype(int) - denoiser.denoise(noisy, level=25)).max() <= 1


def test_pure_noise_and_the_smallest_pictures_are_taken(denoiser):
    """Whatever a file holds."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    assert denoiser.denoise(noise).shape == noise.shape
    assert denoiser.denoise(noise[:1, :1]).shape == (1, 1, 3)


def test_the_command_needs_no_model_and_compress_takes_the_flag(tmp_path, capsys, monkeypatch):
    """`denoise` is the default; `compress --denoise` says what it saves."""
    Image.fromarray(_noisy(_scene(96, 128), 20)).save(tmp_path / "noisy.png")
    runs = (
        ["denoise", tmp_path / "noisy.png", "-o", tmp_path / "clean.png", "--json"],
        ["compress", tmp_path / "noisy.png", "-o", tmp_path / "small.isth", "--denoise", "--json"],
    )
    said = []
    for arguments in runs:
        monkeypatch.setattr("sys.argv", ["isthmus", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main.run()
        assert not ended.value.code
        said.append(json.loads(capsys.readouterr().out)["files"][0])
    assert 10 < said[0]["noise_level"] < 30
    assert said[1]["bytes"] < said[1]["noisy_bytes"]
